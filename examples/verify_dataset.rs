//! What is wrong with a dataset on disk, all at once: numbers of images beside the published ones, and every fault.
//!
//! ```text
//! cargo run --release --example verify_dataset -- --layout visa --root <dir> [--index-only]
//! ```
//!
//! Layouts: `mvtec`, `btad`, `visa`, `visa-2cls-highshot`, `visa-2cls-fewshot`, `table` (`--root` is the CSV file), and
//! `folder`, with `--train DIR`, `--good DIR` and `--defect KIND=IMAGES[:MASKS]`, each any number of times, below the root.
//! A root of MVTec AD may be one category. Decodes every file unless `--index-only`. Nothing is written.
//! Exit code: 0 without faults (warnings allowed), 1 with faults, 2 when there is nothing to check.
#![allow(clippy::print_stdout)] // the report is this program's output

mod common;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::bar;
use maphc2f::adbench::dataset::{Dataset, DatasetError, Policy, Severity};
use maphc2f::adbench::loaders::{Counts, Folder, by_name};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LAYOUTS: &str = "mvtec, btad, visa, visa-2cls-highshot, visa-2cls-fewshot, table or folder";

struct Args {
    layout: String,
    root: PathBuf,
    index_only: bool,
    train: Vec<String>,
    good: Vec<String>,
    defects: Vec<String>,
}

fn args() -> Result<Args> {
    let (mut layout, mut root) = (None, None);
    let mut args = Args {
        layout: String::new(),
        root: PathBuf::new(),
        index_only: false,
        train: Vec::new(),
        good: Vec::new(),
        defects: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        let text = |parser: &mut lexopt::Parser| parser.value().map(|v| v.to_string_lossy().into_owned());
        match arg {
            lexopt::Arg::Long("layout") => layout = Some(text(&mut parser)?),
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(parser.value()?)),
            lexopt::Arg::Long("index-only") => args.index_only = true,
            lexopt::Arg::Long("train") => args.train.push(text(&mut parser)?),
            lexopt::Arg::Long("good") => args.good.push(text(&mut parser)?),
            lexopt::Arg::Long("defect") => args.defects.push(text(&mut parser)?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    args.layout = layout.ok_or(format!("no --layout; give {LAYOUTS}"))?;
    args.root = root.ok_or("no --root; give the dataset's folder, or the CSV file for table")?;
    Ok(args)
}

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(e) => common::finish(Err(e)),
    }
}

/// The published table of a layout, its categories at the root, and how to index one; a failure to index is a fault.
fn run() -> Result<usize> {
    let args = args()?;
    let root = args.root.as_path();
    let policy = Policy::Skip;
    type Index<'a> = Box<dyn Fn(&str) -> std::result::Result<Dataset, DatasetError> + 'a>;
    let (published, names, index): (_, Vec<String>, Index<'_>) = match (args.layout.as_str(), by_name(&args.layout)) {
        (_, Some(layout)) => {
            let index = move |name: &str| layout.index(root, Some(name), policy);
            (layout.published(), layout.categories(root)?, Box::new(index))
        }
        ("folder", _) => {
            let folder = folder(&args)?;
            (&[], vec![name_of(root)], Box::new(move |_| folder.index(policy)))
        }
        (other, _) => return Err(format!("no layout {other:?}; give {LAYOUTS}").into()),
    };
    if names.is_empty() {
        return Err(
            format!("{}: no category of layout {} below; check root and layout", root.display(), args.layout).into()
        );
    }
    println!("{:<16} {:>20} {:>20} {:>20}  published", "category", "train", "good test", "anomalous test");
    let mut problems = Vec::new();
    let mut faults = 0;
    for name in &names {
        let data = match index(name).and_then(|data| if args.index_only { Ok(data) } else { validate(data) }) {
            Ok(data) => data,
            Err(e) => {
                println!("{name:<16} cannot be indexed");
                problems.push(format!("fault: {e}"));
                faults += 1;
                continue;
            }
        };
        print_counts(name, Counts::of(&data), published);
        for finding in data.findings() {
            let is_fault = finding.severity() == Severity::Error;
            faults += usize::from(is_fault);
            problems.push(format!("{}: {finding}", if is_fault { "fault" } else { "warning" }));
        }
    }
    if names.len() > 1 {
        for (name, _) in published.iter().filter(|(name, _)| !names.iter().any(|n| n == name)) {
            problems.push(format!("warning: {}: published category {name} is missing", root.display()));
        }
    }
    problems.iter().for_each(|line| println!("{line}"));
    println!("result categories={} faults={faults} warnings={}", names.len(), problems.len() - faults);
    Ok(faults)
}

fn name_of(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn folder(args: &Args) -> Result<Folder> {
    let mut folder = Folder::new(name_of(&args.root), &args.root);
    for name in &args.train {
        folder = folder.train(name);
    }
    for name in &args.good {
        folder = folder.good(name);
    }
    for defect in &args.defects {
        let (kind, images) = defect.split_once('=').ok_or(format!("--defect {defect}; give KIND=IMAGES[:MASKS]"))?;
        let (images, masks) = images.split_once(':').map_or((images, None), |(images, masks)| (images, Some(masks)));
        folder = folder.defect(kind, images, masks);
    }
    Ok(folder)
}

fn validate(data: Dataset) -> std::result::Result<Dataset, DatasetError> {
    let progress = bar("files", data.train().len() + data.test().len());
    let checked = data.validate_with(|_| progress.inc(1));
    progress.finish_and_clear();
    checked
}

/// Images that can be used; the published number in brackets where it differs.
fn print_counts(name: &str, found: Counts, published: &[(&str, Counts)]) {
    let official = published.iter().find(|(n, _)| *n == name).map(|(_, c)| *c);
    let cell = |found: usize, official: Option<usize>| match official {
        Some(n) if n != found => format!("{found} (not {n})"),
        _ => found.to_string(),
    };
    let verdict = match official {
        None => "-",
        Some(official) if official == found => "equal",
        Some(_) => "NOT equal",
    };
    println!(
        "{name:<16} {:>20} {:>20} {:>20}  {verdict}",
        cell(found.train, official.map(|c| c.train)),
        cell(found.test_good, official.map(|c| c.test_good)),
        cell(found.test_anomalous, official.map(|c| c.test_anomalous))
    );
}
