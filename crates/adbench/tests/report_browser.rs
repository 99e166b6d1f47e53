//! The report's page in a real browser: it opens, sorts and filters by mouse and keyboard, and logs no error.
//!
//! Needs Chromium; without it the test says so and passes, unless `ADBENCH_NEEDS_BROWSER` is set, as `.ci/run` does.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A failed unwrap is a failed test, in helpers too.

#[path = "common/browser.rs"]
mod browser;
#[path = "common/report.rs"]
mod made_up;

use adbench::report::Format;
use browser::Browser;

/// Names of the cards that are shown, in their order.
const SHOWN: &str =
    "[...document.querySelectorAll('#cards > li')].filter(c => c.checkVisibility()).map(c => c.dataset.name)";

fn click(browser: &mut Browser, selector: &str) {
    browser.evaluate(&format!("document.querySelector({selector:?}).click()"));
}

/// The value of a data attribute of the cards shown.
fn values(browser: &mut Browser, key: &str) -> Vec<String> {
    let all = SHOWN.replace("dataset.name", &format!("dataset.{key}"));
    browser.evaluate(&all).as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn numbers(browser: &mut Browser, key: &str) -> Vec<f64> {
    values(browser, key).iter().map(|v| v.parse().unwrap()).collect()
}

fn set(browser: &mut Browser, id: &str, value: &str) {
    let event = "new Event('input', { bubbles: true })";
    browser.evaluate(&format!(
        "(e => {{ e.value = {value:?}; e.dispatchEvent({event}) }})(document.getElementById({id:?}))"
    ));
}

#[test]
fn the_page_opens_sorts_and_filters_without_an_error() {
    let Some(mut browser) = Browser::start() else {
        assert!(std::env::var_os("ADBENCH_NEEDS_BROWSER").is_none(), "chromium is not installed");
        eprintln!("skipped: chromium is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let document = made_up::document();
    document.write(&path, Format::Html).unwrap();
    browser.open(&path);

    // All is there, the hardest images first.
    assert_eq!(browser.evaluate("document.title"), "Blobs & <b>bold</b>");
    assert_eq!(browser.evaluate("document.querySelectorAll('#curves svg[role=img] path.curve').length"), 2 * 3 * 4);
    let misranked = numbers(&mut browser, "misranked");
    assert_eq!(misranked.len(), 60);
    assert!(misranked[0] > 0.0 && misranked.is_sorted_by(|a, b| a >= b), "{misranked:?}");
    assert_eq!(browser.evaluate("document.querySelector('[data-sort=misranked]').ariaPressed"), "true");

    // Sorting by a click, and the other way round by a second one.
    click(&mut browser, "[data-sort=score]");
    let scores = numbers(&mut browser, "score");
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] > scores[59], "{scores:?}");
    let expected = document.categories().iter().flat_map(|r| &r.images).map(|i| i.score).fold(f64::MIN, f64::max);
    assert_eq!(scores[0] as f32, expected as f32);
    click(&mut browser, "[data-sort=score]");
    assert!(numbers(&mut browser, "score").is_sorted());
    // By the keyboard: a button takes the focus and answers to Enter and space.
    browser.evaluate("document.querySelector('[data-sort=name]').focus()");
    browser.press("Enter", "\r");
    let names = values(&mut browser, "name");
    assert!(names.is_sorted() && names[0] == made_up::HOSTILE, "{names:?}");
    browser.press(" ", " ");
    assert!(values(&mut browser, "name").is_sorted_by(|a, b| a >= b));

    // Filters, alone and together.
    set(&mut browser, "kind", "bad");
    assert_eq!(values(&mut browser, "class"), vec!["bad"; 36]);
    assert_eq!(browser.evaluate("document.getElementById('count').textContent"), "36 of 60");
    set(&mut browser, "kind", "good");
    assert_eq!(values(&mut browser, "class"), vec!["good"; 24]);
    set(&mut browser, "kind", &format!("kind:{}", made_up::HOSTILE));
    assert_eq!(values(&mut browser, "kind"), vec![made_up::HOSTILE; 12]);
    set(&mut browser, "category", "widget");
    assert_eq!(values(&mut browser, "category"), vec!["widget"; 6]);
    set(&mut browser, "search", " ONERROR ");
    assert_eq!(values(&mut browser, "name"), [made_up::HOSTILE]);
    set(&mut browser, "search", "nowhere");
    assert_eq!(browser.evaluate("document.getElementById('none').hidden"), false);
    for (id, all) in [("search", ""), ("kind", ""), ("category", "widget")] {
        set(&mut browser, id, all);
    }
    assert_eq!(values(&mut browser, "name").len(), 30);

    // The viewer opens on a card, steps and closes.
    let first = values(&mut browser, "name");
    click(&mut browser, "#cards > li:not([hidden]) button");
    assert_eq!(browser.evaluate("document.getElementById('viewed').textContent"), first[0].as_str());
    browser.press("ArrowRight", "");
    assert_eq!(browser.evaluate("document.getElementById('viewed').textContent"), first[1].as_str());
    let decoded =
        "Promise.all([...document.querySelectorAll('#viewer img')].map(i => i.decode().then(() => i.naturalWidth)))";
    assert_eq!(browser.evaluate(decoded), serde_json::json!([64, 64, 64, 64]));
    click(&mut browser, "[data-close]");
    assert_eq!(browser.evaluate("document.getElementById('viewer').open"), false);

    assert_eq!(browser.errors(), Vec::<String>::new());
    assert_eq!(browser.requests(), [format!("file://{}", path.display())], "the page asked for something else");

    // For looking at: `ADBENCH_SCREENSHOT=folder cargo test -p adbench --test report_browser`.
    if let Some(folder) = std::env::var_os("ADBENCH_SCREENSHOT") {
        std::fs::create_dir_all(&folder).unwrap();
        let folder = std::path::Path::new(&folder);
        browser.open(&path);
        for (name, scheme) in [("light", "light"), ("dark", "dark")] {
            std::fs::write(folder.join(format!("{name}.png")), browser.screenshot(scheme, 1280)).unwrap();
        }
        std::fs::write(folder.join("phone.png"), browser.screenshot("light", 400)).unwrap();
    }
}
