//! Charts as inline SVG. Colors come from the page's style sheet, so that they follow its light or dark scheme.

use maud::{Markup, html};

use super::curves::Curve;
use super::histogram::Histogram;

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;
/// Colors that the style sheet has for kinds of defect; more kinds repeat them with dashes.
const COLORS: usize = 7;

/// Style class of the `index`-th curve, the first of which is overall.
pub(super) fn class(index: usize) -> String {
    match index.checked_sub(1) {
        None => "curve overall".to_owned(),
        Some(kind) => format!("curve c{} d{}", kind % COLORS, (kind / COLORS).min(2)),
    }
}

/// The drawing area's frame, ticks and labels. Ticks are (place between 0 and 1, text).
fn frame(label: &str, x: (&str, &[(f64, String)]), y: (&str, &[(f64, String)]), inside: &Markup) -> Markup {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    html! {
        svg role="img" aria-label=(label) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            g.grid {
                @for (at, text) in x.1 {
                    @let px = across(*at);
                    line x1=(px) x2=(px) y1=(TOP) y2=(bottom) {}
                    text x=(px) y=(bottom + 15.0) text-anchor="middle" { (text) }
                }
                @for (at, text) in y.1 {
                    @let py = down(*at);
                    line x1=(LEFT) x2=(right) y1=(py) y2=(py) {}
                    text x=(LEFT - 6.0) y=(py) dy="0.32em" text-anchor="end" { (text) }
                }
            }
            rect.frame x=(LEFT) y=(TOP) width=(right - LEFT) height=(bottom - TOP) {}
            (inside)
            text.axis x=((LEFT + right) / 2.0) y=(HEIGHT - 6.0) text-anchor="middle" { (x.0) }
            text.axis transform=(format!("translate(12 {}) rotate(-90)", (TOP + bottom) / 2.0))
                text-anchor="middle" { (y.0) }
        }
    }
}

fn across(at: f64) -> f64 {
    round(LEFT + at * (WIDTH - LEFT - RIGHT))
}

fn down(at: f64) -> f64 {
    round(HEIGHT - BOTTOM - at * (HEIGHT - TOP - BOTTOM))
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Curves from (0, 0), shown up to the false-positive rate `limit`; `index` gives the color of a name.
pub(super) fn curves(label: &str, y: &str, curves: &[Curve], index: &dyn Fn(&str) -> usize, limit: f64) -> Markup {
    let inside = html! {
        // Overall last, on top.
        @for curve in curves.iter().rev() {
            path class=(class(index(&curve.name))) d=(path(curve, limit)) { title { (curve.name) } }
        }
    };
    frame(label, ("false-positive rate", &ticks(0.0, limit, number)), (y, &ticks(0.0, 1.0, number)), &inside)
}

fn path(curve: &Curve, limit: f64) -> String {
    let mut text = String::new();
    let mut last: Option<(f64, f64)> = None;
    let mut push = |x: f64, y: f64, is_last: bool| {
        let (px, py) = (across(x / limit), down(y));
        // Points closer than half a pixel cannot be told apart.
        if last.is_none_or(|(a, b)| (a - px).abs() + (b - py).abs() >= 0.5 || is_last) {
            text.push_str(&format!("{}{px} {py}", if text.is_empty() { 'M' } else { 'L' }));
            last = Some((px, py));
        }
    };
    let mut before = (0.0, 0.0);
    for &(x, y) in &curve.points {
        if x > limit {
            let share = (limit - before.0) / (x - before.0);
            push(limit, before.1 + (y - before.1) * share, true);
            break;
        }
        push(x, y, x == limit);
        before = (x, y);
    }
    text
}

/// Both classes' shares of their scores in each cell; `is_log` gives rare scores room.
pub(super) fn histogram(label: &str, x: &str, histogram: &Histogram, is_log: bool) -> Markup {
    let share = |counts: &[u64]| -> Vec<f64> {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&c| c as f64 / all).collect()
    };
    let (good, bad) = (share(&histogram.good), share(&histogram.anomalous));
    let highest = good.iter().chain(&bad).copied().fold(0.0, f64::max);
    let decades = 5.0;
    let place = |share: f64| match (is_log, share > 0.0) {
        (_, false) => 0.0,
        (true, _) => (share.log10() / decades + 1.0).max(0.0),
        (false, _) => share / highest,
    };
    let cells = good.len() as f64;
    let steps = |shares: &[f64]| {
        let mut text = format!("M{} {}", across(0.0), down(0.0));
        for (i, &share) in shares.iter().enumerate() {
            let (y, end) = (down(place(share)), across((i + 1) as f64 / cells));
            text.push_str(&format!("V{y}H{end}"));
        }
        format!("{text}V{}Z", down(0.0))
    };
    let inside = html! {
        path class="area good" d=(steps(&good)) { title { "good" } }
        path class="area bad" d=(steps(&bad)) { title { "anomalous" } }
    };
    let x_ticks = ticks(histogram.low, histogram.high, number);
    let percent = |share: f64| format!("{} %", number(100.0 * share));
    let y_ticks: Vec<(f64, String)> = if is_log {
        (0..=5).map(|i| (f64::from(i) / decades, percent(10_f64.powi(i - 5)))).collect()
    } else {
        ticks(0.0, highest, percent)
    };
    frame(label, (x, &x_ticks), ("share of the class", &y_ticks), &inside)
}

/// At most six round values between `low` and `high`, with their places.
fn ticks(low: f64, high: f64, text: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let rough = (high - low) / 5.0;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = decade * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * decade >= rough * 0.999).unwrap_or(10.0);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (last - first).clamp(0.0, 6.0) as usize;
    let values = (0..=count).map(|i| (first + i as f64) * step);
    values.map(|v| ((v - low) / (high - low), text(v))).collect()
}

/// A number with three digits that count.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.*}", (2.0 - magnitude).max(0.0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
