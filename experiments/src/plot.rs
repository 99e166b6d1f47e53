//! A line plot as SVG: panels side by side, upright axes that share their range.

use std::fmt::Write;

/// One line: its name, its colour and its points.
pub struct Line {
    pub name: String,
    pub colour: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// One set of axes.
pub struct Panel {
    pub title: String,
    pub across: String,
    /// The axis across reaches from 0 to here.
    pub reach: f64,
    pub lines: Vec<Line>,
}

/// The upright axes.
#[derive(Clone, Copy)]
pub enum Upright {
    /// Logarithmic, from 10 to this power up to 1.
    Log(i32),
    /// From 0 to 1.
    Unit,
}

impl Upright {
    /// How far below the top a value lies, 0 to 1.
    fn depth(self, v: f64) -> f64 {
        match self {
            Self::Log(low) => (v.log10() / f64::from(low)).clamp(0.0, 1.0),
            Self::Unit => (1.0 - v).clamp(0.0, 1.0),
        }
    }

    /// Values with their labels.
    fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Log(low) => (low..=0)
                .rev()
                .step_by(2)
                .map(|tick| {
                    let digits = tick.to_string().replace('-', "\u{2212}");
                    (10f64.powi(tick), format!("10<tspan dy=\"-5\" font-size=\"9\">{digits}</tspan>"))
                })
                .collect(),
            Self::Unit => (0..=5).map(|k| (f64::from(k) / 5.0, format!("{:.1}", f64::from(k) / 5.0))).collect(),
        }
    }
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const GAP: f64 = 50.0;
const BELOW: f64 = 90.0;

/// The panels, with a dashed line at `marked`.
pub fn svg(panels: &[Panel], up: &str, upright: Upright, (marked, mark): (f64, &str)) -> String {
    let across = LEFT + panels.len() as f64 * (WIDTH + GAP);
    let tall = TOP + HEIGHT + BELOW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {across} {tall}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{across}\" height=\"{tall}\" fill=\"white\"/>\n"
    );
    let y = |v: f64| TOP + HEIGHT * upright.depth(v);
    let mut text = |x: f64, y: f64, anchor: &str, more: &str, text: &str| {
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\"{more}>{text}</text>");
    };
    let middle = TOP + HEIGHT / 2.0;
    text(16.0, middle, "middle", &format!(" transform=\"rotate(-90 16 {middle})\""), up);
    for (k, panel) in panels.iter().enumerate() {
        let left = LEFT + k as f64 * (WIDTH + GAP);
        text(left + WIDTH / 2.0, TOP - 16.0, "middle", " font-weight=\"bold\"", &panel.title);
        text(left + WIDTH / 2.0, TOP + HEIGHT + 38.0, "middle", "", &panel.across);
        for (tick, label) in upright.ticks() {
            text(left - 6.0, y(tick) + 4.0, "end", "", &label);
        }
        for step in 0..=5 {
            let v = panel.reach * f64::from(step) / 5.0;
            text(left + WIDTH * f64::from(step) / 5.0, TOP + HEIGHT + 18.0, "middle", "", &format!("{v}"));
        }
        text(left + WIDTH - 6.0, y(marked) - 5.0, "end", " font-size=\"11\"", mark);
    }
    for (k, panel) in panels.iter().enumerate() {
        let left = LEFT + k as f64 * (WIDTH + GAP);
        for (tick, _) in upright.ticks().iter().rev() {
            let _ = writeln!(out, "<path d=\"M{left} {:.1}h{WIDTH}\" stroke=\"#ddd\"/>", y(*tick));
        }
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#555\"/>"
        );
        let _ =
            writeln!(out, "<path d=\"M{left} {:.1}h{WIDTH}\" stroke=\"#555\" stroke-dasharray=\"5 4\"/>", y(marked));
        for line in &panel.lines {
            let points: Vec<(f64, f64)> = line
                .points
                .iter()
                .filter(|p| p.0 <= panel.reach)
                .map(|p| (left + WIDTH * p.0 / panel.reach, y(p.1)))
                .collect();
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let colour = line.colour;
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join(" ")
            );
            for (x, y) in points {
                let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
            }
        }
    }
    // a legend below, one entry a line of the panel that has most
    let most = panels.iter().max_by_key(|p| p.lines.len());
    let lines = most.map_or(&[][..], |p| &p.lines);
    let each = (across - LEFT - GAP) / lines.len().max(1) as f64;
    for (k, line) in lines.iter().enumerate() {
        let (x, y) = (LEFT + k as f64 * each, tall - 20.0);
        let _ = writeln!(out, "<path d=\"M{x:.1} {:.1}h22\" stroke=\"{}\" stroke-width=\"3\"/>", y - 4.0, line.colour);
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"#222\">{}</text>", x + 28.0, line.name);
    }
    out.push_str("</svg>\n");
    out
}
