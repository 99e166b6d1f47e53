//! The formats of a report, read back by other readers.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

#[path = "common/report.rs"]
mod made_up;

use adbench::protocol::{PROTOCOLS, Protocol};
use adbench::report::{Document, Format, Provenance};
use adbench::report::{Outcome, Report, ReportBuilder, ReportError};
use made_up::{HOSTILE, document};

#[test]
fn csv_gives_back_every_figure_with_full_precision() {
    let document = document();
    let text = document.render(Format::Csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| columns.iter().position(|c| c == name).unwrap();
    let names: Vec<&str> = rows.iter().map(|r| &r[1]).collect();
    let one = [HOSTILE, "crack", "stain", "mean of kinds", "overall"];
    assert_eq!(names, [&one[..], &one, &["overall"]].concat());
    let widget = &document.categories()[0];
    assert_eq!(&rows[5][0], "gear_2, left");
    let crack = widget.kinds[1].pixels.unwrap();
    let interval = crack.au_pro.interval.unwrap();
    for (name, value) in [
        ("au_pro_0.3", crack.au_pro.value),
        ("au_pro_0.3_low", interval.low),
        ("au_pro_0.3_high", interval.high),
        ("pixel_prevalence", crack.prevalence),
        ("prevalence", 6.0 / 18.0),
    ] {
        assert_eq!(rows[1][column(name)].parse::<f64>().unwrap(), value, "{name}");
    }
    let mean = |f: fn(&Report) -> f64| document.categories().iter().map(f).sum::<f64>() / 2.0;
    let last = rows.last().unwrap();
    assert_eq!(&last[0], "mean of categories");
    assert_eq!(last[column("image_auroc")].parse::<f64>().unwrap(), mean(|r| r.overall.image_auroc.unwrap().value));
    assert_eq!(&last[column("image_auroc_low")], "");
}

/// A spreadsheet runs cells that begin like formulas.
#[test]
fn names_that_look_like_formulas_are_defused_in_csv() {
    for (name, cell) in [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-x", "'-x"),
        ("-1.5", "-1.5"),
        ("a=1", "a=1"),
    ] {
        let mut builder = ReportBuilder::new(name);
        builder.push(&Outcome::new("a", None, 0.0)).unwrap();
        builder.push(&Outcome::new("b", Some(name), 1.0)).unwrap();
        let provenance = Provenance::new("d", "x", PROTOCOLS[0], "c");
        let document = Document::new("t", provenance, vec![builder.finish().unwrap()]).unwrap();
        let text = document.render(Format::Csv);
        let row = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
        assert_eq!((&row[0], &row[1]), (cell, cell));
    }
}

#[test]
fn json_holds_figures_images_curves_and_provenance() {
    let document = document();
    let json: serde_json::Value = serde_json::from_str(&document.render(Format::Json)).unwrap();
    let widget = &document.categories()[0];
    let read = &json["categories"][0];
    assert_eq!(read["overall"]["pixel_ap"]["value"], widget.overall.pixels.unwrap().average_precision.value);
    assert_eq!(read["images"].as_array().unwrap().len(), 30);
    assert_eq!(read["images"][4]["id"], HOSTILE);
    assert_eq!(read["curves"]["pro"][0]["points"].as_array().unwrap().len(), widget.curves.pro[0].points.len());
    assert_eq!(json["provenance"]["command"], "blobs --seed 1 <in >out");
    assert_eq!(json["provenance"]["protocol"], "native");
}

/// Cells of a line of a Markdown table, split as CommonMark's tables are: at bars that no backslash precedes.
fn cells(line: &str) -> usize {
    line.replace("\\\\", "").replace("\\|", "").matches('|').count()
}

#[test]
fn markdown_and_latex_tables_have_equal_rows_whatever_the_names() {
    let markdown = document().render(Format::Markdown);
    let rows: Vec<&str> = markdown.lines().filter(|l| l.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 11);
    assert!(rows.iter().all(|r| cells(r) == 4 + 9 + 1), "{markdown}");
    assert!(rows[2].contains("a\\|b \\& \\<img src=x onerror") && rows[2].ends_with("] |"), "{}", rows[2]);
    let latex = document().render(Format::Latex);
    let rows: Vec<&str> = latex.lines().filter(|l| l.ends_with("\\\\")).collect();
    assert_eq!(rows.len(), 1 + 11);
    assert!(rows.iter().all(|r| r.replace("\\&", "").matches('&').count() == 3 + 9), "{latex}");
    assert!(latex.contains("\\_\\%,\\textbackslash{} .png &") && latex.contains("gear\\_2, left & crack"), "{latex}");
    // Braces balance, so that names cannot leave the table.
    let plain = latex.replace("\\{", "").replace("\\}", "");
    assert_eq!(plain.matches('{').count(), plain.matches('}').count());
}

#[test]
fn the_page_escapes_names_and_loads_nothing() {
    let page = document().render(Format::Html);
    assert!(!page.contains("<img src=x") && !page.contains("<b>bold"), "names are markup");
    assert_eq!(page.matches("</script>").count(), 1);
    assert_eq!(page.matches("<img ").count(), 30 * 4);
    for (i, _) in page.match_indices("src=\"") {
        assert!(page[i + 5..].starts_with("data:image/"), "{}", &page[i..i + 60]);
    }
    for loads in ["http:", "https:", "url(", "@import", "<link rel=\"style"] {
        assert!(!page.contains(loads), "{loads}");
    }
    for text in
        ["ground truth", "evaluation size", "resize", "crop", "map smoothing", "image score", "seeds", "command"]
    {
        assert!(page.contains(&format!("<dt>{text}</dt>")), "{text}");
    }
}

#[test]
fn every_protocol_is_described() {
    let report = document().categories()[1].clone();
    let describe = |protocol: Protocol| {
        let provenance = Provenance::new("d", "x", protocol, "c");
        Document::new("t", provenance, vec![report.clone()]).unwrap().render(Format::Markdown)
    };
    let texts: Vec<String> = PROTOCOLS.into_iter().map(describe).collect();
    assert!(texts[1].contains("shorter side to 256 px") && texts[1].contains("center 224 x 224 px"), "{}", texts[1]);
    assert!(texts[4].contains("mean of the largest 1 % of pixel scores"), "{}", texts[4]);
    let mut distinct = texts.clone();
    distinct.dedup();
    assert_eq!(distinct, texts);
}

#[test]
fn all_formats_are_written_next_to_each_other_or_the_error_says_where() {
    let document = document();
    let folder = tempfile::tempdir().unwrap();
    let paths = document.write_all(folder.path().join("run.v2")).unwrap();
    let names: Vec<&str> = paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["run.v2.html", "run.v2.csv", "run.v2.json", "run.v2.md", "run.v2.tex"]);
    for (path, format) in paths.iter().zip(Format::ALL) {
        assert_eq!(std::fs::read_to_string(path).unwrap(), document.render(format));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5, "no temporary file is left");
    let error = document.write_all(folder.path().join("absent/run")).unwrap_err();
    assert!(error.to_string().contains("absent/run.html"), "{error}");
    let nothing = Document::new("t", Provenance::new("d", "x", PROTOCOLS[0], "c"), vec![]);
    assert!(matches!(nothing, Err(ReportError::Empty)));
}

#[test]
fn pictures_show_photo_truth_and_heat() {
    let document = document();
    let widget = &document.categories()[0];
    let scale = widget.heat_scale.unwrap();
    assert!(scale.low > 0.0 && scale.low < 0.1 && scale.high > 0.5, "{scale:?}");
    let image = widget.images.iter().find(|i| i.kind.as_deref() == Some("crack")).unwrap();
    let pictures = image.pictures.as_ref().unwrap();
    let open = |file: &[u8]| image::load_from_memory(file).unwrap().to_rgb8();
    let (truth, overlay) = (open(&pictures.truth), open(&pictures.overlay));
    for picture in [&truth, &overlay, &open(&pictures.heat), &open(&pictures.photo)] {
        assert_eq!(picture.dimensions(), (64, 64));
    }
    // The photo's disc stands out from its ground.
    let photo = open(&pictures.photo);
    assert!(photo.get_pixel(2, 2)[0].abs_diff(51) < 12, "{:?}", photo.get_pixel(2, 2));
    // Defects glow inside the truth.
    for image in widget.images.iter().filter(|i| i.kind.is_some()) {
        let pictures = image.pictures.as_ref().unwrap();
        let (truth, heat) = (open(&pictures.truth), open(&pictures.heat));
        let mean = |level: u8| {
            let pixels = heat.pixels().zip(truth.pixels()).filter(|(_, t)| t[0] == level);
            let light: Vec<f64> = pixels.map(|(p, _)| p.0.iter().map(|&v| f64::from(v)).sum()).collect();
            light.iter().sum::<f64>() / light.len() as f64
        };
        assert!(mean(255) > 3.0 * mean(0), "{}: {} {}", image.id, mean(255), mean(0));
    }
    // The outline is there, and only there: cyan has little red and much blue.
    let cyan = |p: &image::Rgb<u8>| p[0] < 110 && p[1] > 150 && p[2] > 170;
    let marked: Vec<_> = overlay.enumerate_pixels().filter(|(_, _, p)| cyan(p)).collect();
    assert!(marked.len() > 8, "{}", marked.len());
    assert!(marked.iter().all(|(x, y, _)| {
        let near = |dx: u32, dy: u32| truth.get_pixel_checked((x + dx).wrapping_sub(2), (y + dy).wrapping_sub(2));
        (0..5).any(|dx| (0..5).any(|dy| near(dx, dy).is_some_and(|p| p[0] == 255)))
    }));
    assert!(document.categories()[1].heat_scale.is_none());
}
