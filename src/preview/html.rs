//! The page: head, controls and the dialog that enlarges a card. Its content security policy forbids to load anything.

use image::ImageError;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use rayon::prelude::*;

use super::Preview;
use super::card::card;
use super::sample::PreviewSample;

const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";
/// Notes that are shown without asking.
const UNFOLDED: usize = 3;
/// Keys that cards are sorted by: the data attribute, the button's text, what it is.
const SORTS: [(&str, &str, &str); 5] = [
    ("index", "number", "the sample's number"),
    ("visibility", "visibility", "how clearly the defect is seen, in just noticeable contrasts"),
    ("severity", "severity", "the defect's size within its range, 0 to 1"),
    ("area", "area", "pixels of the mask"),
    ("mechanism", "mechanism", "the mechanism's name"),
];

/// The page as text.
///
/// # Errors
/// A picture that cannot be encoded.
pub(super) fn page(preview: &Preview) -> Result<String, ImageError> {
    let cards: Vec<Markup> = preview.samples.par_iter().map(card).collect::<Result<_, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (preview.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { bdi { (preview.title) } }
                    p.lead { (counts(&preview.samples)) }
                    (notes(&preview.notes))
                    p.hint {
                        "Point at a picture, or move the focus to it: photo and defect take turns"
                        span.still { " (with reduced motion: the photo without the defect)" }
                        ". Select it to enlarge."
                    }
                }
                main {
                    (controls(&preview.samples))
                    h2.unseen { "Samples" }
                    ul id="cards" { @for card in &cards { (card) } }
                    p id="none" hidden { "No sample matches." }
                }
                (viewer())
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    };
    Ok(page.into_string())
}

/// Notes in full, or folded up where they would push the samples down.
fn notes(notes: &[String]) -> Markup {
    let all = html! { @for note in notes { p.caution { bdi { (note) } } } };
    if notes.len() <= UNFOLDED {
        return all;
    }
    html! { details.notes { summary { (notes.len()) " notes" } (all) } }
}

fn counts(samples: &[PreviewSample]) -> String {
    let some = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut photos: Vec<&str> = samples.iter().map(|s| s.photo.as_str()).filter(|name| !name.is_empty()).collect();
    photos.sort_unstable();
    photos.dedup();
    let photos = if photos.is_empty() { String::new() } else { format!(" on {}", some(photos.len(), "photo")) };
    format!("{} of {}{photos}", some(samples.len(), "sample"), some(numbered(samples, mechanism).len(), "mechanism"))
}

fn mechanism(sample: &PreviewSample) -> &str {
    &sample.record.model
}

fn material(sample: &PreviewSample) -> &str {
    &sample.material
}

/// Different texts of the samples in order of their names, each with how many samples have it.
fn numbered(samples: &[PreviewSample], of: fn(&PreviewSample) -> &str) -> Vec<(&str, usize)> {
    let mut names: Vec<&str> = samples.iter().map(of).collect();
    names.sort_unstable();
    names.chunk_by(|a, b| a == b).map(|alike| (alike[0], alike.len())).collect()
}

fn controls(samples: &[PreviewSample]) -> Markup {
    let materials = numbered(samples, material);
    let visible = || samples.iter().map(|s| s.record.visibility).filter(|v| v.is_finite());
    // rounded outwards to a tenth, so that the ends of the range hold all
    let low = visible().fold(f64::INFINITY, f64::min);
    let high = visible().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { ((low * 10.0).floor() / 10.0, (high * 10.0).ceil() / 10.0) } else { (0.0, 0.0) };
    html! {
        form.controls aria-label="Filter and sort the samples" autocomplete="off" {
            fieldset id="mechanisms" {
                legend { "Mechanism" }
                @for (name, count) in numbered(samples, mechanism) {
                    label { input type="checkbox" name="mechanism" value=(name) checked; " " (name) " "
                        span.muted { (count) } }
                }
                span.sets {
                    button type="button" data-all="1" aria-label="All mechanisms" { "all" }
                    button type="button" data-all="" aria-label="No mechanism" { "none" }
                }
            }
            fieldset.range {
                legend { "Visibility, just noticeable contrasts" }
                div.ends { output id="lowest" { (low) } output id="highest" { (high) } }
                div.track {
                    @for (id, label, value) in [("low", "Lowest visibility", low), ("high", "Highest visibility", high)] {
                        input id=(id) type="range" aria-label=(label) min=(low) max=(high) step="0.1" value=(value);
                    }
                }
            }
            @if materials.len() > 1 {
                label.field { "Material"
                    select id="material" {
                        option value="*" { "all" }
                        @for (name, count) in materials { option value=(name) { (name) " (" (count) ")" } }
                    }
                }
            }
            div.field role="group" aria-labelledby="sorted" {
                span id="sorted" { "Sort by" }
                div.sorts {
                    @for (key, label, about) in SORTS {
                        button type="button" data-sort=(key) title=(about) aria-pressed="false" { (label) }
                    }
                }
            }
            div.last {
                label { input id="outlines" type="checkbox" checked; " Outline of the mask" }
                output id="count" aria-live="polite" { (samples.len()) " of " (samples.len()) }
            }
        }
    }
}

/// The dialog, which the script fills.
fn viewer() -> Markup {
    html! {
        dialog id="viewer" aria-labelledby="viewed" {
            div.bar {
                h2 id="viewed" {}
                button type="button" data-step="-1" aria-label="Previous sample" { "←" }
                button type="button" data-step="1" aria-label="Next sample" { "→" }
                button type="button" data-close="" { "Close" }
            }
            div.bar {
                fieldset.choice {
                    legend.unseen { "Show" }
                    @for (value, text) in [("bad", "Defect"), ("good", "Photo"), ("turns", "Flicker")] {
                        label { input type="radio" name="shown" value=(value) checked[value == "bad"]; " " (text) }
                    }
                }
                label { input id="outline" type="checkbox"; " Outline" }
                span.hint { "← → step, Esc closes" }
            }
            div.body { div.big {} div.facts {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};
    use physdefect::{MechanismKind, Record, SampleKey};

    use super::*;
    use crate::factory::{RenderedSample, SolverStats};
    use crate::foreground::Region;

    /// A gray photo of 40 x 60 px with a white rectangle of 3 x 5 px as its defect.
    fn sample() -> RenderedSample {
        let mask = Array2::from_shape_fn((40, 60), |(y, x)| (10..13).contains(&y) && (20..25).contains(&x));
        let record = Record {
            model: "toy".to_owned(),
            mechanism: MechanismKind::PittingLoss,
            key: SampleKey { seed: 3, index: 7 },
            severity: 0.5,
            visibility: 4.32,
            visibility_target: None,
            contrast_to_noise: 2.0,
            area_fraction: 15.0 / 2400.0,
            object_scale: 40.0,
            measures: [("depth_px".to_owned(), 1.25)].into(),
        };
        RenderedSample {
            image: Array3::from_shape_fn((40, 60, 1), |(y, x, _)| if mask[(y, x)] { 255 } else { 128 }),
            photo: Array3::from_elem((40, 60, 1), 128),
            changed: mask.clone(),
            soft: mask.mapv(f32::from),
            mask,
            record,
            solver: SolverStats { iterations: 0, residual: 0.0 },
            region: Region::EstimatedForeground,
            region_confidence: Some(0.875),
            region_reason: None,
        }
    }

    #[test]
    fn a_card_says_all_that_is_known_and_any_text_is_text() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&lt;.png";
        let shown = PreviewSample::new(&sample()).unwrap().with_photo(hostile).with_material(hostile);
        let mut preview = Preview::new(hostile).with_note(hostile);
        preview.push(shown.with_command(format!("echo {hostile}")));
        let page = page(&preview).unwrap();
        assert_eq!(page.matches("<script").count(), 1, "the page's own");
        assert!(!page.contains("<img src=x") && !page.contains("&lt;.png"), "markup or a half-escaped text");
        assert!(page.matches("&amp;lt;.png").count() >= 8);
        // 3 x 5 px at (20, 10); the crop is the whole photo, for it has less than 72 px a side
        assert!(page.contains("d=\"M20 10h5v3h-5z\""), "the outline");
        for fact in [
            "data-visibility=\"4.32\"",
            "data-area=\"15\"",
            "15 px, 0.625 % of the photo",
            "estimated foreground, confidence 0.88",
            "<dt>depth</dt><dd><bdi>1.25 px</bdi></dd>",
            "<bdi>3, 7</bdi>",
            "60 × 40 px",
        ] {
            assert!(page.contains(fact), "{fact}");
        }
        assert_eq!(page.matches("data:image/png;base64,").count(), 2, "small crops lose nothing");
    }

    #[test]
    fn many_notes_are_folded_up() {
        let of = |n: usize| (0..n).fold(Preview::new(""), |made, _| made.with_note("a note"));
        assert!(!page(&of(3)).unwrap().contains("3 notes"));
        let folded = page(&of(4)).unwrap();
        assert!(folded.contains("<summary>4 notes</summary>") && folded.matches("a note<").count() == 4);
    }
}
