//! Card of a sample.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, RgbImage};
use maud::{Markup, html};

use super::measure::{name_and_unit, number};
use super::sample::PreviewSample;

/// Longer side up to which pictures lose nothing, px: small ones, in which single pixels are looked at.
const LOSSLESS: u32 = 256;
const QUALITY: u8 = 94;

pub(super) fn card(sample: &PreviewSample) -> Result<Markup, ImageError> {
    let PreviewSample { record, at, index, photo, material, .. } = sample;
    let (height, width) = (at.bottom - at.top, at.right - at.left);
    let (good, bad, whole) = (data(&sample.good)?, data(&sample.bad)?, jpeg(&sample.whole)?);
    let on = if photo.is_empty() { String::new() } else { format!(" on {photo}") };
    let what = format!("sample {index}: {}{on}", record.model);
    let (rows, columns) = sample.size;
    let picture = |class: &str, source: &str, alt: &str| {
        html! {
            img class=(class) src=(source) alt=(alt) width=(sample.good.width()) height=(sample.good.height())
                loading="lazy" decoding="async";
        }
    };
    // shares of the range of numbers that scripts can sort
    let finite = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    Ok(html! {
        li data-index=(index) data-mechanism=(record.model) data-material=(material) data-photo=(photo)
            data-visibility=(finite(record.visibility)) data-severity=(finite(record.severity)) data-area=(sample.area) {
            div.head {
                h3 {
                    span.muted { (index) } " " (record.model)
                    @if !material.is_empty() { span.material { " on " (material) } }
                }
                @if !photo.is_empty() { span.photo title=(photo) { bdi { (photo) } } }
            }
            button.view type="button" aria-label=(format!("Enlarge {what}")) {
                span.stack.pixels[sample.good.width().max(sample.good.height()) <= LOSSLESS] {
                    (picture("good", &good, &format!("Photo without the defect, {width} by {height} px of it")))
                    (picture("bad", &bad, &format!("The same with the defect, {}", record.model)))
                    svg.outline viewBox=(format!("0 0 {width} {height}")) preserveAspectRatio="none" aria-hidden="true" {
                        path d=(sample.outline) {}
                    }
                    span.tag aria-hidden="true" { span.of-bad { "defect" } span.of-good { "photo" } }
                }
            }
            div.side {
                span.stack {
                    img src=(whole) width=(sample.whole.width()) height=(sample.whole.height()) loading="lazy"
                        decoding="async" alt=(format!("All of the photo {photo} with the crop framed"));
                    svg.frame viewBox=(format!("0 0 {columns} {rows}")) preserveAspectRatio="none" aria-hidden="true" {
                        rect x=(at.left) y=(at.top) width=(width) height=(height) {}
                    }
                }
                dl.facts {
                    (fact("visibility", &number(record.visibility), "JNC", "just noticeable contrasts"))
                    (fact("severity", &format!("{:.2}", record.severity), "", "size within the mechanism's range, 0 to 1"))
                    (fact("area", &sample.area.to_string(), "px", "pixels of the mask"))
                }
            }
            details {
                summary { "All measures" }
                (about(sample))
            }
            button.turn type="button" aria-pressed="false" aria-label=(format!("Flicker sample {index}")) { "Flicker" }
        }
    })
}

fn fact(name: &str, value: &str, unit: &str, meaning: &str) -> Markup {
    html! { div title=(meaning) { dt { (name) } dd { (value) @if !unit.is_empty() { " " span.muted { (unit) } } } } }
}

/// Everything that is known of a sample.
fn about(sample: &PreviewSample) -> Markup {
    let record = &sample.record;
    let (rows, columns) = sample.size;
    let line = |name: &str, value: String| html! { dt { (name) } dd { bdi { (value) } } };
    html! {
        dl.all {
            @if !sample.photo.is_empty() { (line("photo", sample.photo.clone())) }
            (line("photo's size", format!("{columns} × {rows} px")))
            (line("region", sample.region_words()))
            @if !sample.material.is_empty() { (line("material", sample.material.clone())) }
            (line("mechanism", record.model.clone()))
            (line("visibility", format!("{} just noticeable contrasts", number(record.visibility))))
            @if let Some(target) = record.visibility_target { (line("visibility aimed at", number(target))) }
            (line("severity", number(record.severity)))
            (line("area of the mask", format!("{} px, {} % of the photo", sample.area, number(100.0 * record.area_fraction))))
            (line("object's scale", format!("{} px", number(record.object_scale))))
            (line("contrast to noise", number(record.contrast_to_noise)))
            @for (key, value) in &record.measures {
                @let (name, unit) = name_and_unit(key);
                (line(&name, format!("{} {unit}", number(*value)).trim_end().to_owned()))
            }
            (line("seed, index", format!("{}, {}", record.key.seed, record.key.index)))
        }
        @if !sample.command.is_empty() {
            p.command { span.muted { "Makes it again:" } " " code tabindex="0" { (sample.command) } }
        }
    }
}

/// A picture as an address: pixel by pixel if it is small.
fn data(picture: &RgbImage) -> Result<String, ImageError> {
    if picture.width().max(picture.height()) > LOSSLESS {
        return jpeg(picture);
    }
    let mut file = Vec::new();
    let (width, height) = picture.dimensions();
    PngEncoder::new(&mut file).write_image(picture.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

fn jpeg(picture: &RgbImage) -> Result<String, ImageError> {
    let mut file = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut file, QUALITY).write_image(
        picture.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(file)))
}
