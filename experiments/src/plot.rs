//! Line plots as SVG: panels side by side whose vertical axes share their range.

use std::fmt::Write;

/// A line of a panel.
#[derive(Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Color as SVG writes it.
    pub color: &'static str,
    /// Points `(x, y)`, in the units of the axes.
    pub points: Vec<(f64, f64)>,
}

/// One set of axes with its lines.
#[derive(Debug)]
pub struct Panel {
    /// Text above the axes.
    pub title: String,
    /// Text below the horizontal axis.
    pub x_label: String,
    /// Upper end of the horizontal axis, which starts at 0; points beyond are left out.
    pub x_max: f64,
    /// Lines in the order in which they are drawn.
    pub lines: Vec<Line>,
}

/// Scale of the vertical axes.
#[derive(Debug, Clone, Copy)]
pub enum VerticalAxis {
    /// Logarithmic, from 10 to this power up to 1.
    Log(i32),
    /// From 0 to 1.
    Unit,
}

impl VerticalAxis {
    /// Distance of a value from the top of the axis, 0 to 1.
    fn depth(self, v: f64) -> f64 {
        match self {
            Self::Log(low) => (v.log10() / f64::from(low)).clamp(0.0, 1.0),
            Self::Unit => (1.0 - v).clamp(0.0, 1.0),
        }
    }

    /// Values of the ticks with their labels.
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

/// Draws the panels as an SVG document, with a dashed line at the value `marked`, named `mark`.
#[must_use]
pub fn svg(panels: &[Panel], y_label: &str, vertical: VerticalAxis, (marked, mark): (f64, &str)) -> String {
    let across = LEFT + panels.len() as f64 * (WIDTH + GAP);
    let tall = TOP + HEIGHT + BELOW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {across} {tall}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{across}\" height=\"{tall}\" fill=\"white\"/>\n"
    );
    let y = |v: f64| TOP + HEIGHT * vertical.depth(v);
    let mut text = |x: f64, y: f64, anchor: &str, more: &str, text: &str| {
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\"{more}>{text}</text>");
    };
    let middle = TOP + HEIGHT / 2.0;
    text(16.0, middle, "middle", &format!(" transform=\"rotate(-90 16 {middle})\""), y_label);
    for (k, panel) in panels.iter().enumerate() {
        let left = LEFT + k as f64 * (WIDTH + GAP);
        text(left + WIDTH / 2.0, TOP - 16.0, "middle", " font-weight=\"bold\"", &panel.title);
        text(left + WIDTH / 2.0, TOP + HEIGHT + 38.0, "middle", "", &panel.x_label);
        for (tick, label) in vertical.ticks() {
            text(left - 6.0, y(tick) + 4.0, "end", "", &label);
        }
        for step in 0..=5 {
            let v = panel.x_max * f64::from(step) / 5.0;
            text(left + WIDTH * f64::from(step) / 5.0, TOP + HEIGHT + 18.0, "middle", "", &format!("{v}"));
        }
        text(left + WIDTH - 6.0, y(marked) - 5.0, "end", " font-size=\"11\"", mark);
    }
    for (k, panel) in panels.iter().enumerate() {
        let left = LEFT + k as f64 * (WIDTH + GAP);
        for (tick, _) in vertical.ticks().iter().rev() {
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
                .filter(|p| p.0 <= panel.x_max)
                .map(|p| (left + WIDTH * p.0 / panel.x_max, y(p.1)))
                .collect();
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let color = line.color;
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                path.join(" ")
            );
            for (x, y) in points {
                let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{color}\"/>");
            }
        }
    }
    // one legend below, of the panel that has most lines
    let most = panels.iter().max_by_key(|p| p.lines.len());
    let lines = most.map_or(&[][..], |p| &p.lines);
    let each = (across - LEFT - GAP) / lines.len().max(1) as f64;
    for (k, line) in lines.iter().enumerate() {
        let (x, y) = (LEFT + k as f64 * each, tall - 20.0);
        let _ = writeln!(out, "<path d=\"M{x:.1} {:.1}h22\" stroke=\"{}\" stroke-width=\"3\"/>", y - 4.0, line.color);
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"#222\">{}</text>", x + 28.0, line.name);
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: &[(f64, f64)]) -> Panel {
        let line = Line { name: "ours".into(), color: "#123456", points: points.to_vec() };
        Panel { title: "title".into(), x_label: "steps".into(), x_max: 10.0, lines: vec![line] }
    }

    #[test]
    fn points_lie_where_the_axes_say() {
        let text =
            svg(&[panel(&[(0.0, 1.0), (5.0, 1e-2), (10.0, 1e-4)])], "error", VerticalAxis::Log(-4), (1e-2, "bar"));
        let (middle, bottom) = (TOP + HEIGHT / 2.0, TOP + HEIGHT);
        let points =
            format!("{LEFT:.1},{TOP:.1} {:.1},{middle:.1} {:.1},{bottom:.1}", LEFT + WIDTH / 2.0, LEFT + WIDTH);
        assert!(text.contains(&format!("<polyline points=\"{points}\"")), "{text}");
        assert_eq!(text.matches("<circle").count(), 3);
    }

    #[test]
    fn points_beyond_the_axis_are_left_out() {
        let text = svg(&[panel(&[(1.0, 0.5), (11.0, 0.5)])], "share", VerticalAxis::Unit, (0.5, "half"));
        assert_eq!(text.matches("<circle").count(), 1);
        assert!(text.ends_with("</svg>\n"));
    }
}
