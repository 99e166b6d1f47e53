//! Report formats without pictures.

use std::fmt;

use serde_json::{Map, Value, json};

use super::csv_table::CsvTable;
use super::curves::Curve;
use super::document::{Document, Line, Role};
use super::histogram::Histogram;
use super::model::{COLUMNS, Figure, Report, Row};

/// Columns of the table that `Display` prints.
const PRINTED: [&str; 4] = ["image_auroc", "pixel_auroc", "pixel_ap", "au_pro_0.3"];

pub(super) fn csv(document: &Document) -> String {
    let mut header = ["category", "kind", "normal", "anomalous", "prevalence"].map(str::to_owned).to_vec();
    for column in COLUMNS {
        let key = column.key;
        header.extend([key.to_owned(), format!("{key}_low"), format!("{key}_high")]);
    }
    header.push("pixel_prevalence".to_owned());
    let mut table = CsvTable::new(header);
    for line in document.lines() {
        let count = |of: fn(&Row) -> usize| line.row.map_or_else(String::new, |r| of(r).to_string());
        let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
        let mut cells =
            vec![line.category.to_owned(), line.name.to_owned(), count(|r| r.normal), count(|r| r.anomalous)];
        cells.push(number(line.row.map(Row::prevalence)));
        for figure in line.figures {
            let interval = figure.and_then(|f| f.interval);
            cells.extend([figure.map(|f| f.value), interval.map(|i| i.low), interval.map(|i| i.high)].map(number));
        }
        cells.push(number(line.row.and_then(|r| r.pixels).map(|p| p.prevalence)));
        table.push(cells);
    }
    table.into_text()
}

pub(super) fn json(document: &Document) -> String {
    let provenance = document.provenance.lines().into_iter().map(|(name, text)| (name, Value::from(text)));
    let value = json!({
        "title": document.title,
        "provenance": provenance.collect::<Map<_, _>>(),
        "seeds": document.provenance.seeds,
        "categories": document.categories.iter().map(json_report).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn json_report(report: &Report) -> Value {
    let curves = |curves: &[Curve]| -> Vec<Value> {
        curves.iter().map(|c| json!({ "name": c.name, "points": c.points })).collect()
    };
    let histogram = |h: &Histogram| json!({ "low": h.low, "high": h.high, "good": h.good, "anomalous": h.anomalous });
    let settings = report.bootstrap;
    json!({
        "name": report.name,
        "training_images": report.training_images,
        "notes": report.notes(),
        "bootstrap": { "resamples": settings.resamples(), "level": settings.level(), "seed": settings.seed() },
        "kinds": report.kinds.iter().map(json_row).collect::<Vec<_>>(),
        "overall": json_row(&report.overall),
        "curves": {
            "image_roc": curves(&report.curves.image_roc),
            "pixel_roc": curves(&report.curves.pixel_roc),
            "pro": curves(&report.curves.pro),
        },
        "image_scores": histogram(&report.image_scores),
        "pixel_scores": report.pixel_scores.as_ref().map(histogram),
        "images": report.images.iter().map(|i| json!({
            "id": i.id, "kind": i.kind, "score": i.score, "misranked": i.misranked,
        })).collect::<Vec<_>>(),
    })
}

fn json_row(row: &Row) -> Value {
    let figure =
        |f: Figure| json!({ "value": f.value, "low": f.interval.map(|i| i.low), "high": f.interval.map(|i| i.high) });
    let mut value = json!({
        "name": row.name,
        "normal": row.normal,
        "anomalous": row.anomalous,
        "without_mask": row.without_mask,
        "prevalence": row.prevalence(),
        "pixel_prevalence": row.pixels.map(|p| p.prevalence),
    });
    for column in COLUMNS {
        value[column.key] = (column.figure)(row).map_or(Value::Null, figure);
    }
    value
}

/// `0.9123 [0.8801, 0.9402]`.
fn cell(figure: Option<Figure>, interval: impl Fn(String) -> String) -> String {
    let Some(Figure { value, interval: ends }) = figure else { return String::new() };
    let ends = ends.map(|i| interval(format!("[{:.4}, {:.4}]", i.low, i.high)));
    format!("{value:.4}{}", ends.unwrap_or_default())
}

/// Columns that some line has a figure in.
fn used(lines: &[Line<'_>]) -> Vec<usize> {
    (0..COLUMNS.len()).filter(|&i| lines.iter().any(|l| l.figures[i].is_some())).collect()
}

pub(super) fn markdown(document: &Document) -> String {
    let lines = document.lines();
    let used = used(&lines);
    let mut text = format!("# {}\n\n| category | kind | good | anomalous |", markdown_text(&document.title));
    used.iter().for_each(|&i| text.push_str(&format!(" {} |", COLUMNS[i].title)));
    text.push_str(&format!("\n|---|---|--:|--:|{}\n", "---|".repeat(used.len())));
    for line in &lines {
        let count = |of: fn(&Row) -> usize| line.row.map_or_else(String::new, |r| of(r).to_string());
        let (category, name) = (markdown_text(line.category), markdown_text(line.name));
        text.push_str(&format!("| {category} | {name} | {} | {} |", count(|r| r.normal), count(|r| r.anomalous)));
        used.iter().for_each(|&i| text.push_str(&format!(" {} |", cell(line.figures[i], |ends| format!(" {ends}")))));
        text.push('\n');
    }
    for note in document.categories.iter().flat_map(Report::notes) {
        text.push_str(&format!("\n{}.\n", markdown_text(&note)));
    }
    text.push_str(&format!("\n{}\n\n", about_intervals(document)));
    for (name, line) in document.provenance.lines() {
        text.push_str(&format!("- {}: {}\n", markdown_text(&name), markdown_text(&line)));
    }
    text
}

/// What the intervals are, in a sentence.
pub(super) fn about_intervals(document: &Document) -> String {
    let settings = document.categories[0].bootstrap;
    format!(
        "In brackets: {} % percentile bootstrap intervals over test images ({} resamples, seed {}). They cover the \
         choice of test images only, not that of training images or seeds, and next to 0 and 1 they are too narrow.",
        100.0 * settings.level(),
        settings.resamples(),
        settings.seed()
    )
}

/// Markdown's own characters and line ends lose their meaning.
fn markdown_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&' => {
                escaped.extend(['\\', c]);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

pub(super) fn latex(document: &Document) -> String {
    let lines = document.lines();
    let used = used(&lines);
    let mut text = format!(
        "% {}\n% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{llrr{}}}\n\\toprule\n\
         category & kind & good & anomalous",
        one_line(&document.title),
        "l".repeat(used.len())
    );
    used.iter().for_each(|&i| text.push_str(&format!(" & {}", COLUMNS[i].title)));
    text.push_str(" \\\\\n\\midrule\n");
    for (i, line) in lines.iter().enumerate() {
        if i > 0 && matches!(lines[i - 1].role, Role::Overall) {
            text.push_str("\\midrule\n");
        }
        let count = |of: fn(&Row) -> usize| line.row.map_or_else(String::new, |r| of(r).to_string());
        let (category, name) = (latex_text(line.category), latex_text(line.name));
        text.push_str(&format!("{category} & {name} & {} & {}", count(|r| r.normal), count(|r| r.anomalous)));
        let ends = |ends: String| format!(" {{\\scriptsize {ends}}}");
        used.iter().for_each(|&i| text.push_str(&format!(" & {}", cell(line.figures[i], ends))));
        text.push_str(" \\\\\n");
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    text.push_str(&format!("% {}\n", about_intervals(document)));
    for (name, line) in document.provenance.lines() {
        text.push_str(&format!("% {}: {}\n", one_line(&name), one_line(&line)));
    }
    text
}

/// Text for a LaTeX comment, which ends with the line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '\u{2028}' { ' ' } else { c }).collect()
}

/// LaTeX's own characters are spelt out.
fn latex_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '\\' => escaped.push_str("\\textbackslash{}"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = COLUMNS.into_iter().filter(|c| PRINTED.contains(&c.key)).collect::<Vec<_>>();
        let mut table = vec![vec![self.name.clone()]];
        table[0].extend(["good", "anomalous", "prevalence"].map(str::to_owned));
        table[0].extend(columns.iter().map(|c| c.title.to_owned()));
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
        let row = |r: &Row| {
            let mut cells = vec![r.name.clone(), r.normal.to_string(), r.anomalous.to_string()];
            cells.push(number(Some(r.prevalence())));
            cells.extend(columns.iter().map(|c| number((c.figure)(r).map(|f| f.value))));
            cells
        };
        table.extend(self.kinds.iter().map(row));
        let mut mean: Vec<String> = ["mean of kinds", "-", "-", "-"].map(str::to_owned).into();
        mean.extend(columns.iter().map(|c| number(self.mean_of_kinds(|r| (c.figure)(r).map(|f| f.value)))));
        table.push(mean);
        table.push(row(&self.overall));
        let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for (i, cells) in table.iter().enumerate() {
            let mut line = format!("{:<1$}", cells[0], widths[0]);
            for (cell, width) in cells.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            if i > 0 {
                writeln!(f)?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}
