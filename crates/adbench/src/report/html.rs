//! HTML page of a report: one file with styles, script and pictures inside; its content security policy forbids to load
//! anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::curves::Curve;
use super::document::{Document, Line, Role};
use super::model::{COLUMNS, Column, Figure, ImageResult, Report, Row};
use super::pictures::Pictures;
use super::svg::{self, number};
use super::text::about_intervals;

const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";
/// The figures that the summary shows in large print.
const HEADLINES: [&str; 5] = ["image_auroc", "image_f1_max", "pixel_auroc", "pixel_ap", "au_pro_0.3"];
/// Below this many images of a class an interval is said to be too narrow.
const FEW: usize = 10;

pub(super) fn page(document: &Document) -> String {
    let lines = document.lines();
    let has_maps = document.categories.iter().any(|r| r.pixel_scores.is_some());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (document.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    div.bar {
                        h1 { bdi { (document.title) } }
                        nav aria-label="Sections" {
                            a href="#summary" { "Summary" }
                            a href="#figures" { "Figures" }
                            a href="#curves" { "Curves" }
                            a href="#gallery" { "Images" }
                            a href="#provenance" { "Protocol" }
                        }
                    }
                }
                main {
                    (summary(document, &lines))
                    (table(document, &lines, has_maps))
                    (curves(document))
                    (gallery(document))
                }
                footer id="provenance" {
                    h2 { "Protocol and provenance" }
                    dl {
                        @for (name, text) in document.provenance.lines() {
                            dt { (name) }
                            dd { @if name == "command" { code { (text) } } @else { (text) } }
                        }
                        @for report in &document.categories {
                            dt { bdi { (report.name) } }
                            dd { (split(report)) }
                        }
                    }
                }
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    };
    page.into_string()
}

/// How many images of which class, in a sentence.
fn split(report: &Report) -> String {
    let Row { normal, anomalous, pixels, .. } = &report.overall;
    let train = report.training_images.map_or_else(String::new, |n| format!("{n} training images; "));
    let pixels = pixels.map_or_else(String::new, |p| format!(", {} % of their pixels", number(100.0 * p.prevalence)));
    format!(
        "{train}{} test images: {normal} good, {anomalous} anomalous; prevalence {} % of the images{pixels}",
        normal + anomalous,
        number(100.0 * report.overall.prevalence())
    )
}

fn summary(document: &Document, lines: &[Line<'_>]) -> Markup {
    let line = lines.last();
    let reports = &document.categories;
    let few: Vec<&Report> = reports.iter().filter(|r| r.overall.normal.min(r.overall.anomalous) < FEW).collect();
    html! {
        section id="summary" {
            @match reports.as_slice() {
                [report] => p.lead { strong { bdi { (report.name) } } ": " (split(report)) "." },
                reports => p.lead {
                    "Means over " (reports.len()) " categories, "
                    (reports.iter().map(|r| r.overall.normal).sum::<usize>()) " good and "
                    (reports.iter().map(|r| r.overall.anomalous).sum::<usize>()) " anomalous test images."
                },
            }
            div.tiles {
                @for (column, figure) in COLUMNS.iter().zip(line.map(|l| l.figures).unwrap_or_default()) {
                    @if let Some(figure) = figure && HEADLINES.contains(&column.key) {
                        div.tile title=(column.meaning) {
                            span.name { (column.title) }
                            span.value { (format!("{:.4}", figure.value)) }
                            span.ends { (ends(figure)) }
                        }
                    }
                }
            }
            @for note in reports.iter().flat_map(Report::notes) {
                p.caution { bdi { (note) } "." }
            }
            @for report in few {
                p.caution {
                    bdi { (report.name) } " has fewer than " (FEW) " images of a class: the intervals are too narrow."
                }
            }
        }
    }
}

fn ends(figure: Figure) -> String {
    figure.interval.map_or_else(String::new, |i| format!("{:.3}–{:.3}", i.low, i.high))
}

fn table(document: &Document, lines: &[Line<'_>], has_maps: bool) -> Markup {
    let columns: Vec<(usize, &Column)> =
        COLUMNS.iter().enumerate().filter(|(i, _)| lines.iter().any(|l| l.figures[*i].is_some())).collect();
    let has_categories = document.categories.len() > 1;
    let count = |line: &Line<'_>, of: fn(&Row) -> usize| line.row.map(of).map(|n| n.to_string()).unwrap_or_default();
    html! {
        section id="figures" {
            h2 { "Figures" }
            div.scroll tabindex="0" role="region" aria-label="Table of figures" {
                table {
                    thead {
                        tr {
                            @if has_categories { th scope="col" { "category" } }
                            th scope="col" { "kind" }
                            th.number scope="col" { "good" }
                            th.number scope="col" { "anomalous" }
                            @for (_, column) in &columns {
                                th.number scope="col" title=(column.meaning) { (column.title) }
                            }
                        }
                    }
                    tbody {
                        @for line in lines {
                            tr.overall[matches!(line.role, Role::Overall | Role::MeanOfCategories)]
                                .mean[line.role == Role::MeanOfKinds] {
                                @if has_categories { td { bdi { (line.category) } } }
                                th scope="row" { bdi { (line.name) } }
                                td.number { (count(line, |r| r.normal)) }
                                td.number { (count(line, |r| r.anomalous)) }
                                @for (i, _) in &columns {
                                    td.number {
                                        @if let Some(figure) = line.figures[*i] {
                                            (format!("{:.4}", figure.value))
                                            span.ends { (ends(figure)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.note {
                (about_intervals(document).replace("In brackets", "Below each figure"))
                " Each kind of defect is compared with all good images."
                @if has_maps {
                    " The figures are exact; the intervals of pixel figures are computed at up to 300 thresholds."
                }
            }
            details {
                summary { "What the figures mean" }
                dl { @for (_, column) in &columns { dt { (column.title) } dd { (column.meaning) } } }
            }
        }
    }
}

fn curves(document: &Document) -> Markup {
    html! {
        section id="curves" {
            h2 { "Curves and scores" }
            @for report in &document.categories {
                @if document.categories.len() > 1 { h3 { bdi { (report.name) } } }
                ul.legend aria-label="Colors of the curves" {
                    @for (i, curve) in legend(report).iter().enumerate() {
                        li {
                            svg viewBox="0 0 24 8" aria-hidden="true" { path class=(svg::class(i)) d="M0 4H24" {} }
                            bdi { (curve.name) }
                        }
                    }
                }
                div.charts {
                    @if !report.curves.image_roc.is_empty() {
                        (chart(report, "ROC of images", "true-positive rate", &report.curves.image_roc, 1.0))
                    }
                    @if !report.curves.pro.is_empty() {
                        (chart(report, "ROC of pixels", "true-positive rate", &report.curves.pixel_roc, 1.0))
                        (chart(report, "Per-region overlap", "overlap", &report.curves.pro, 0.3))
                    }
                    figure {
                        figcaption { "Image scores " (classes()) }
                        (svg::histogram(
                            &format!("Histogram of the image scores of {}", report.name),
                            "score", &report.image_scores, false
                        ))
                    }
                    @if let Some(pixels) = &report.pixel_scores {
                        figure {
                            figcaption { "Pixel scores " (classes()) }
                            (svg::histogram(
                                &format!("Histogram of the pixel scores of {}", report.name), "score", pixels, true
                            ))
                        }
                    }
                }
            }
        }
    }
}

/// The list of curves that holds each name: of images, unless those are not defined.
fn legend(report: &Report) -> &[Curve] {
    let curves = &report.curves;
    if curves.image_roc.is_empty() { &curves.pixel_roc } else { &curves.image_roc }
}

fn chart(report: &Report, title: &str, y: &str, curves: &[Curve], limit: f64) -> Markup {
    html! {
        figure {
            figcaption { (title) }
            @let index = |name: &str| legend(report).iter().position(|c| c.name == name).unwrap_or(0);
            (svg::curves(&format!("{title} of {}", report.name), y, curves, &index, limit))
        }
    }
}

/// The legend of the histograms.
fn classes() -> Markup {
    html! { span.key.good { "good" } " " span.key.bad { "anomalous" } }
}

fn gallery(document: &Document) -> Markup {
    let mut kinds: Vec<&str> =
        document.categories.iter().flat_map(|r| r.kinds.iter().map(|k| k.name.as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let count: usize = document.categories.iter().map(|r| r.images.len()).sum();
    html! {
        section id="gallery" {
            h2 { "Images" }
            div.controls role="group" aria-label="Sort and filter the images" {
                span.sorts role="group" aria-label="Sort by" {
                    "Sort by"
                    @for (key, label, about) in [
                        ("misranked", "hardest", "share of the other class that the image is ranked wrongly against"),
                        ("score", "score", "the image's anomaly score"),
                        ("name", "name", "the image's name"),
                        ("kind", "kind", "the kind of defect"),
                    ] {
                        button type="button" data-sort=(key) title=(about) aria-pressed="false" { (label) }
                    }
                }
                @if document.categories.len() > 1 {
                    label { "Category "
                        select id="category" {
                            option value="" { "all" }
                            @for report in &document.categories { option value=(report.name) { (report.name) } }
                        }
                    }
                }
                label { "Show "
                    select id="kind" {
                        option value="" { "all images" }
                        option value="good" { "good" }
                        option value="bad" { "anomalous" }
                        @for kind in kinds { option value=(format!("kind:{kind}")) { (kind) } }
                    }
                }
                label { "Name " input id="search" type="search" placeholder="part of a name" autocomplete="off"; }
                output id="count" aria-live="polite" { (count) " of " (count) }
            }
            p.note {
                "Each: photo, ground truth, heat map, and the heat map over the photo with the ground truth's outline. "
                "“Misranked” is the share of the other class that the image is ranked wrongly against. "
                @for report in &document.categories {
                    @if let Some(scale) = report.heat_scale {
                        @if document.categories.len() > 1 { bdi { (report.name) } ": " }
                        "Heat from " (number(scale.low.into())) " " span.ramp aria-hidden="true" {} " to "
                        (number(scale.high.into())) ". "
                    }
                }
            }
            ul id="cards" {
                @for report in &document.categories {
                    @for image in &report.images { (card(report, image)) }
                }
            }
            p id="none" hidden { "No image matches." }
            dialog id="viewer" aria-labelledby="viewed" {
                div.bar {
                    h3 id="viewed" {}
                    button type="button" data-step="-1" aria-label="Previous image" { "←" }
                    button type="button" data-step="1" aria-label="Next image" { "→" }
                    button type="button" data-close="" { "Close" }
                }
                div.pictures {}
            }
        }
    }
}

fn card(report: &Report, image: &ImageResult) -> Markup {
    let kind = image.kind.as_deref();
    html! {
        li data-category=(report.name) data-name=(image.id) data-kind=(kind.unwrap_or_default())
            data-class=(if kind.is_some() { "bad" } else { "good" })
            data-score=(image.score) data-misranked=(image.misranked) {
            @if let Some(pictures) = &image.pictures {
                button.pictures type="button" aria-label=(format!("Enlarge {}", image.id)) { (strip(pictures)) }
            }
            p.about {
                span class=(if kind.is_some() { "key bad" } else { "key good" }) { bdi { (kind.unwrap_or("good")) } }
                span.name { bdi { (image.id) } }
                span.number { "score " (number(image.score)) }
                span.number { "misranked " (number((1000.0 * image.misranked).round() / 10.0)) " %" }
            }
        }
    }
}

fn strip(pictures: &Pictures) -> Markup {
    let jpeg = |file: &[u8]| format!("data:image/jpeg;base64,{}", STANDARD.encode(file));
    let png = |file: &[u8]| format!("data:image/png;base64,{}", STANDARD.encode(file));
    html! {
        @for (name, source) in [
            ("photo", jpeg(&pictures.photo)),
            ("ground truth", png(&pictures.truth)),
            ("heat map", jpeg(&pictures.heat)),
            ("overlay", jpeg(&pictures.overlay)),
        ] {
            img src=(source) alt=(name) width=(pictures.width) height=(pictures.height) loading="lazy" decoding="async";
        }
    }
}
