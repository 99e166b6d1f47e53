//! What is measured: kinds of real defects, each with the one mechanism that is to draw it.

use std::path::Path;

use experiments::program::Result;

/// A kind of real defects in one set of photos.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Set, as options and folders name it.
    pub(crate) set: &'static str,
    /// Its folder below the root of the data.
    folder: &'static str,
    /// Shorter side at which features are taken, px, aspect kept; smaller photos keep their size.
    pub(crate) side: usize,
    /// Kind, as options and the report name it.
    pub(crate) kind: &'static str,
    /// Folders of the kind below `test`.
    pub(crate) folders: &'static [&'static str],
    /// Mechanism that draws it.
    pub(crate) mechanism: &'static str,
    /// Key in the result line.
    pub(crate) key: Option<&'static str>,
}

const TILE: (&str, &str, usize) = ("magnetic_tile", "magnetic_tile/tile", 224);
const KOLEKTOR: (&str, &str, usize) = ("kolektor_sdd", "kolektor_sdd/commutator", 224);
const SCREW: (&str, &str, usize) = ("ball_screw", "bsdata/ball_screw", 288);
const BOTTLE: (&str, &str, usize) = ("bottle", "mvtec/bottle", 288);
const PILL: (&str, &str, usize) = ("pill", "mvtec/pill", 288);

const fn row(
    (set, folder, side): (&'static str, &'static str, usize),
    kind: &'static str,
    folders: &'static [&'static str],
    mechanism: &'static str,
    key: Option<&'static str>,
) -> Row {
    Row { set, folder, side, kind, folders, mechanism, key }
}

pub(crate) const ROWS: [Row; 10] = [
    row(TILE, "crack", &["crack"], "fracture-line", Some("crack_ap")),
    row(TILE, "blowhole", &["blowhole"], "pitting-loss", Some("blowhole_ap")),
    row(KOLEKTOR, "crack", &["defect"], "fracture-line", Some("kolektor_ap")),
    row(SCREW, "pits", &["pitting"], "pitting-loss", Some("pits_ap")),
    row(TILE, "uneven", &["uneven"], "surface-unevenness", Some("uneven_ap")),
    row(TILE, "break", &["break"], "edge-loss", None),
    row(BOTTLE, "broken", &["broken_large", "broken_small"], "edge-loss", None),
    row(PILL, "crack", &["crack"], "fracture-line", None),
    row(PILL, "scratch", &["scratch"], "abrasion", None),
    row(PILL, "contamination", &["contamination"], "pitting-loss", None),
];

impl Row {
    /// Name for options and titles, `set/kind`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.set, self.kind)
    }

    /// Folder of the set.
    pub(crate) fn root(&self, data: &Path) -> std::path::PathBuf {
        data.join(self.folder)
    }
}

/// Rows whose name or set is among `asked`; all if nothing is asked.
pub(crate) fn chosen(asked: &[String]) -> Result<Vec<Row>> {
    let fits = |row: &Row, word: &str| row.name() == word || row.set == word;
    if let Some(unknown) = asked.iter().find(|word| !ROWS.iter().any(|row| fits(row, word))) {
        let known: Vec<String> = ROWS.iter().map(Row::name).collect();
        return Err(format!("--only {unknown}: choose among {}", known.join(", ")).into());
    }
    Ok(ROWS.into_iter().filter(|row| asked.is_empty() || asked.iter().any(|word| fits(row, word))).collect())
}
