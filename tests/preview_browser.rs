//! The page of `preview` in a real browser: photo and defect take turns, cards are filtered, sorted and enlarged by
//! mouse and keyboard, and no error is logged.
//!
//! Needs Chromium; without it the test says so and passes, unless `ADBENCH_NEEDS_BROWSER` is set, as `.ci/run` does.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a failed unwrap is a failed test, in helpers too

#[path = "../crates/adbench/tests/common/browser.rs"]
mod browser;

use std::path::Path;

use browser::Browser;
use maphc2f::factory::{DatasetParams, Materials, PhotoSet, preview};
use maphc2f::physdefect::registry::Registry;
use maphc2f::{Preview, PreviewSample};
use serde_json::{Value, json};

/// A photo's name that would be markup, were it not escaped.
const HOSTILE: &str = "a\"><img src=x onerror=alert(1)><script>throw 1</script>'&amp;.png";
const CARDS: &str = "[...document.querySelectorAll('#cards > li')].filter(c => c.checkVisibility())";

/// Nine samples of three mechanisms, the fourth of which has a hostile name.
fn made(path: &Path) -> Preview {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::from_fn(160, 120, |x, y| image::Rgb([90 + ((x * 7 + y * 13) % 40) as u8, 120, 130]))
        .save(folder.path().join("a.png"))
        .unwrap();
    let photos = PhotoSet::find(folder.path(), None, None).unwrap();
    let mut made = Preview::new("Samples & <b>bold</b>").with_note("one <i>note</i>");
    for (k, mechanism) in ["fracture-line", "pitting-loss", "cutpaste"].iter().enumerate() {
        let materials = Materials::new(["matte", "metal", "wood"]).unwrap();
        let params = DatasetParams::default().with_count(3).with_materials(materials).with_seed(5);
        let params = params.with_mechanisms(mechanism.parse().unwrap());
        for i in 0..3 {
            let index = 3 * k as u64 + i;
            let plan = params.plan(photos.len(), i);
            let sample = preview(&params, &photos, &Registry::standard(), i).unwrap();
            made.push(
                PreviewSample::new(&sample)
                    .unwrap()
                    .with_index(index)
                    .with_photo(if index == 3 { HOSTILE } else { "a.png" })
                    .with_material(&params.materials().names()[plan.material])
                    .with_command(format!("maphc2f preview --normals '<here> & there' --index {index}")),
            );
        }
    }
    made.write_page(path).unwrap();
    made
}

/// A data attribute of the cards that are shown, in their order.
fn values(browser: &mut Browser, key: &str) -> Vec<String> {
    let found = browser.evaluate(&format!("{CARDS}.map(c => c.dataset.{key})"));
    found.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn numbers(browser: &mut Browser, key: &str) -> Vec<f64> {
    values(browser, key).iter().map(|v| v.parse().unwrap()).collect()
}

fn click(browser: &mut Browser, selector: &str) {
    browser.evaluate(&format!("document.querySelector({selector:?}).click()"));
}

fn set(browser: &mut Browser, id: &str, value: f64) {
    let event = "new Event('input', { bubbles: true })";
    browser.evaluate(&format!(
        "(e => {{ e.value = {value}; e.dispatchEvent({event}) }})(document.getElementById({id:?}))"
    ));
}

/// Opacities of what a selector finds, watched for longer than a turn takes.
fn opacities(browser: &mut Browser, selector: &str) -> Vec<String> {
    let watched = format!(
        "new Promise(done => {{
            const element = document.querySelector({selector:?});
            const seen = new Set();
            const end = performance.now() + 1500;
            const look = () => {{
                seen.add(getComputedStyle(element).opacity);
                performance.now() < end ? requestAnimationFrame(look) : done([...seen].sort());
            }};
            look();
        }})"
    );
    serde_json::from_value(browser.evaluate(&watched)).unwrap()
}

/// The middle of an element on the screen, where it is brought to.
fn middle(browser: &mut Browser, selector: &str) -> (f64, f64) {
    browser.evaluate(&format!("document.querySelector({selector:?}).scrollIntoView({{ block: 'center' }})"));
    let rect = browser.evaluate(&format!(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector:?}).getBoundingClientRect())"
    ));
    (rect[0].as_f64().unwrap(), rect[1].as_f64().unwrap())
}

#[test]
fn the_page_flickers_filters_sorts_and_enlarges_without_an_error() {
    let Some(mut browser) = Browser::start() else {
        assert!(std::env::var_os("ADBENCH_NEEDS_BROWSER").is_none(), "chromium is not installed");
        eprintln!("skipped: chromium is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preview.html");
    let made = made(&path);
    browser.resize(1280, 900);
    browser.open(&path);

    // all is there as text, with pictures that can be decoded
    assert_eq!(browser.evaluate("document.title"), "Samples & <b>bold</b>");
    assert_eq!(browser.evaluate("document.querySelector('.caution').textContent"), "one <i>note</i>");
    assert_eq!(numbers(&mut browser, "index"), (0..9).map(f64::from).collect::<Vec<_>>());
    assert_eq!(values(&mut browser, "photo")[3], HOSTILE);
    let command = browser.evaluate("document.querySelector('#cards code').textContent");
    assert_eq!(command, "maphc2f preview --normals '<here> & there' --index 0");
    let decode = "Promise.all([...document.querySelectorAll('#cards img')].map(i => { i.loading = 'eager'; \
                  return i.decode().then(() => i.naturalWidth > 0) })).then(all => all.filter(Boolean).length)";
    assert_eq!(browser.evaluate(decode), 27);
    // whatever can be worked has a name, and every picture a text
    let nameless = "[...document.querySelectorAll('button, input, select, img, dialog')].filter(e => !(e.ariaLabel || \
                    e.alt || e.textContent.trim() || e.labels?.length || \
                    document.getElementById(e.getAttribute('aria-labelledby')))).map(e => e.outerHTML)";
    assert_eq!(browser.evaluate(nameless), json!([]));

    // pointer: still, then in turns, then still again; the outline gives way
    let (picture, defect) = ("#cards .view", "#cards .view .bad");
    assert_eq!(opacities(&mut browser, defect), ["1"]);
    let at = middle(&mut browser, picture);
    browser.point(at);
    assert_eq!(opacities(&mut browser, defect), ["0", "1"]);
    assert_eq!(opacities(&mut browser, "#cards .view .outline"), ["0"]);
    browser.point((1.0, 1.0));
    assert_eq!(opacities(&mut browser, defect), ["1"]);
    // focus by the keyboard
    browser.evaluate("document.querySelector('.last input').focus()");
    browser.press("Tab", "");
    assert_eq!(browser.evaluate("document.activeElement === document.querySelector('#cards .view')"), true);
    assert_eq!(opacities(&mut browser, defect), ["0", "1"]);
    browser.evaluate("document.activeElement.blur()");
    // the button, for fingers
    click(&mut browser, "#cards .turn");
    assert_eq!(opacities(&mut browser, defect), ["0", "1"]);
    assert_eq!(browser.evaluate("document.querySelector('#cards .turn').ariaPressed"), "true");
    // nothing moves for those who asked for that: the photo is shown
    browser.media(&[("prefers-reduced-motion", "reduce")]);
    assert_eq!(opacities(&mut browser, defect), ["0"]);
    browser.media(&[]);
    click(&mut browser, "#cards .turn");
    assert_eq!(opacities(&mut browser, defect), ["1"]);

    // mechanisms
    click(&mut browser, "[name=mechanism][value=cutpaste]");
    assert_eq!(numbers(&mut browser, "index"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    click(&mut browser, "[name=mechanism][value=fracture-line]");
    assert_eq!(values(&mut browser, "mechanism"), ["pitting-loss"; 3]);
    assert_eq!(browser.evaluate("document.getElementById('count').textContent"), "3 of 9");
    click(&mut browser, "[data-all='']");
    assert_eq!(browser.evaluate("document.getElementById('none').checkVisibility()"), true);
    click(&mut browser, "[data-all='1']");
    assert_eq!(values(&mut browser, "index").len(), 9);

    // visibility: the range's ends hold all, and what is outside of it is hidden
    let visible = numbers(&mut browser, "visibility");
    let mut sorted = visible.clone();
    sorted.sort_by(f64::total_cmp);
    let (from, to) = ((sorted[2] * 10.0).ceil() / 10.0, (sorted[6] * 10.0).floor() / 10.0);
    set(&mut browser, "low", from);
    set(&mut browser, "high", to);
    let expected: Vec<f64> = visible.iter().copied().filter(|v| (from..=to).contains(v)).collect();
    assert!((1..9).contains(&expected.len()), "{sorted:?}");
    assert_eq!(numbers(&mut browser, "visibility"), expected);
    // the ends do not cross: one pushes the other
    set(&mut browser, "low", sorted[8]);
    let ends: Vec<f64> = serde_json::from_value(browser.evaluate("[low, high].map(e => e.valueAsNumber)")).unwrap();
    assert!(ends[0] == ends[1] && ends[0] > to, "{ends:?}");
    set(&mut browser, "low", 0.0);
    set(&mut browser, "high", 1e6);
    assert_eq!(values(&mut browser, "index").len(), 9);

    // sorting, and the other way round
    click(&mut browser, "[data-sort=visibility]");
    sorted.reverse();
    assert_eq!(numbers(&mut browser, "visibility"), sorted);
    click(&mut browser, "[data-sort=visibility]");
    assert!(numbers(&mut browser, "visibility").is_sorted());
    click(&mut browser, "[data-sort=area]");
    assert!(numbers(&mut browser, "area").is_sorted_by(|a, b| a >= b));
    click(&mut browser, "[data-sort=index]");
    assert!(numbers(&mut browser, "index").is_sorted());

    // outlines of all cards
    let outline = "document.querySelector('#cards .outline').checkVisibility()";
    assert_eq!(browser.evaluate(outline), true);
    click(&mut browser, "#outlines");
    assert_eq!(browser.evaluate(outline), false);

    // enlarged: as the cards are, by key, by button; closed by Escape, and the focus is back
    browser.evaluate("document.querySelector('#cards .view').focus()");
    browser.press("Enter", "\r");
    let is_open = "document.getElementById('viewer').open";
    assert_eq!(browser.evaluate(is_open), true);
    let big_outline = "document.querySelector('#viewer .outline').checkVisibility()";
    assert_eq!(browser.evaluate(big_outline), false);
    click(&mut browser, "#outline");
    assert_eq!(browser.evaluate(big_outline), true);
    let (card, enlarged) = (width(&mut browser, "#cards .view"), width(&mut browser, "#viewer .stack"));
    assert!(enlarged > 1.5 * card, "{enlarged} from {card}");
    assert_eq!(opacities(&mut browser, "#viewer .bad"), ["1"]);
    click(&mut browser, "[name=shown][value=good]");
    assert_eq!(opacities(&mut browser, "#viewer .bad"), ["0"]);
    click(&mut browser, "[name=shown][value=turns]");
    assert_eq!(opacities(&mut browser, "#viewer .bad"), ["0", "1"]);
    browser.evaluate("document.querySelector('[data-step=\"1\"]').focus()");
    (0..3).for_each(|_| browser.press("ArrowRight", ""));
    let viewed = browser.evaluate("document.getElementById('viewed').textContent");
    assert_eq!(viewed, format!("Sample 3: pitting-loss on {HOSTILE}"));
    let facts = browser.evaluate("document.querySelector('#viewer .facts').textContent");
    assert!(facts.as_str().unwrap().contains("--index 3"), "{facts}");
    browser.press("Escape", "");
    assert_eq!(browser.evaluate(is_open), false);
    // the event that tells the page comes with the next frame
    let next_frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))";
    browser.evaluate(&format!("{next_frame}.then(() => 0)"));
    let focused = browser.evaluate("document.activeElement.closest('li')?.dataset.index");
    assert_eq!(focused, "3");

    assert_eq!(browser.errors(), Vec::<String>::new());
    assert_eq!(browser.requests(), [format!("file://{}", path.display())], "the page asked for something else");

    // texts stand out from their ground in both schemes
    for scheme in ["light", "dark"] {
        browser.media(&[("prefers-color-scheme", scheme)]);
        for (selector, least) in [(".muted", 4.5), (".hint", 4.5), ("h3", 4.5), ("summary", 4.5), (".tag span", 4.5)] {
            let ratio = contrast(&mut browser, selector);
            assert!(ratio >= least, "{selector} in {scheme}: {ratio}");
        }
    }

    // For looking at: `ADBENCH_SCREENSHOT=folder cargo test -p maphc2f --test preview_browser`.
    if let Some(folder) = std::env::var_os("ADBENCH_SCREENSHOT") {
        std::fs::create_dir_all(&folder).unwrap();
        let folder = Path::new(&folder);
        browser.open(&path);
        for (name, scheme, width) in [("light", "light", 1400), ("dark", "dark", 1400), ("phone", "light", 390)] {
            std::fs::write(folder.join(format!("preview-{name}.png")), browser.screenshot(scheme, width)).unwrap();
        }
        click(&mut browser, "#cards .view");
        std::fs::write(folder.join("preview-enlarged.png"), browser.screenshot("dark", 1400)).unwrap();
        made.sheet().save(&folder.join("preview-sheet.png")).unwrap();
    }
}

fn width(browser: &mut Browser, selector: &str) -> f64 {
    let found: Value = browser.evaluate(&format!("document.querySelector({selector:?}).getBoundingClientRect().width"));
    found.as_f64().unwrap()
}

/// Contrast of a text with the ground below it by WCAG 2.1 (relative luminance of sRGB), transparent ground on black.
fn contrast(browser: &mut Browser, selector: &str) -> f64 {
    let found = browser.evaluate(&format!(
        "(e => {{
            const ink = getComputedStyle(e).color;
            while (getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;
            return [ink, getComputedStyle(e).backgroundColor].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number));
        }})(document.querySelector({selector:?}))"
    ));
    let colors: [[f64; 3]; 2] = serde_json::from_value(found).unwrap();
    let linear =
        |c: f64| if c / 255.0 <= 0.04045 { c / 255.0 / 12.92 } else { ((c / 255.0 + 0.055) / 1.055).powf(2.4) };
    let [ink, ground] = colors.map(|[r, g, b]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b));
    (ink.max(ground) + 0.05) / (ink.min(ground) + 0.05)
}
