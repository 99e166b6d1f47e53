//! Inspection: a detector applied to photos of a folder.

pub(crate) mod defects;
pub(crate) mod inspector;
pub(crate) mod line;
pub(crate) mod line_file;
mod peaks;
pub(crate) mod regions;
pub(crate) mod watch;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use adbench::report::CsvTable;
use imgkit::file::{check_replaceable, escaped, write_atomic};
use imgkit::image_io::ImageList;
use rayon::prelude::*;

use crate::error::Error;
use crate::photo::prepare_folder;
use inspector::Inspector;
use line::InspectionLine;

/// Table of scores, and its name while photos are still being scored.
const TABLE: &str = "scores.csv";
const UNFINISHED: &str = "scores.csv.part";

/// Folder of the heat maps.
const HEAT: &str = "heat";

/// Inspects each photo of a list; writes heat maps under `out/heat` and `out/scores.csv` with one line a file. A photo
/// that cannot be read, and a file that [`list_photos`](crate::list_photos) does not read, has the reason instead of a
/// score. One photo never ends the others: lines are in `out/scores.csv.part` as they come, and a heat map that cannot
/// be written is reported when all are scored. `on_line` is called with the line of each file, in the order in which
/// they are done.
///
/// The table and the heat maps of an earlier inspection in `out` are removed first, so that none lies beside scores it
/// does not belong to.
///
/// Returns the scores of `list.photos`, in order.
///
/// # Errors
/// Before anything is written those of [`Inspector::check_regions`]; [`Error::Output`], [`Error::Write`] if something
/// cannot be written, another inspection is writing in `out`; those of `on_line`.
pub fn inspect_folder(
    inspector: &Inspector<'_>,
    list: &ImageList,
    out: &Path,
    on_line: &(dyn Fn(&InspectionLine) -> Result<(), Error> + Sync),
) -> Result<Vec<Result<f64, Error>>, Error> {
    inspector.check_regions(&list.photos)?;
    let folder = out.join(HEAT);
    prepare_folder(&folder)?;
    let rows = Rows::create(out, inspector.params().threshold())?;
    for file in &list.not_read {
        rows.add(&file.path, Err(&file.reason))?;
        on_line(&inspector.line_of_not_read(file))?;
    }
    let score = |photo: &PathBuf| {
        let inspection = inspector.inspect(photo);
        let (score, kept) = match inspection.outcome {
            Ok(seen) => {
                let kept = inspector.save_heat_map(&seen, photo, &folder);
                (Ok(seen.score), kept)
            }
            Err(reason) => (Err(reason), Ok(())),
        };
        let row = score.as_ref().map(|score| *score).map_err(|reason| reason.to_string());
        let kept = kept.and(rows.add(photo, row.as_ref().map(|score| *score).map_err(String::as_str)));
        (score, kept.and(on_line(&inspection.line)))
    };
    let done: Vec<_> = list.photos.par_iter().map(score).collect();
    rows.finish(out.join(TABLE), list)?;
    let (scores, kept): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    kept.into_iter().collect::<Result<(), Error>>()?;
    Ok(scores)
}

/// Removes the heat maps of an earlier inspection.
fn clear(folder: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(|e| Error::output(folder, e))? {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "png") && check_replaceable(&path).is_ok() {
            fs::remove_file(&path).map_err(|e| Error::output(&path, e))?;
        }
    }
    Ok(())
}

/// A photo and its line.
type Row = (PathBuf, String);

/// Lines of the table, in a file as they come and in memory.
struct Rows {
    path: PathBuf,
    threshold: f64,
    written: Mutex<(File, Vec<Row>)>,
}

impl Rows {
    /// Takes `out` for this inspection alone and removes the results of an earlier one.
    fn create(out: &Path, threshold: f64) -> Result<Self, Error> {
        let (path, table) = (out.join(UNFINISHED), out.join(TABLE));
        check_replaceable(&path)?;
        let was_used = path.exists() || table.exists();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| Error::output(&path, e))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::output(out, "another inspection is writing there"));
        }
        if was_used {
            clear(&out.join(HEAT))?;
        }
        if table.exists() {
            check_replaceable(&table)?;
            fs::remove_file(&table).map_err(|e| Error::output(&table, e))?;
        }
        file.set_len(0).map_err(|e| Error::output(&path, e))?;
        let rows = Self { path, threshold, written: Mutex::new((file, Vec::new())) };
        rows.push(PathBuf::new(), ["file", "score", "threshold", "anomalous", "error"])?;
        Ok(rows)
    }

    fn add(&self, photo: &Path, score: Result<f64, &str>) -> Result<(), Error> {
        let file = escaped(photo.file_name().unwrap_or_default());
        let threshold = self.threshold.to_string();
        match score {
            Ok(score) => {
                let anomalous = u8::from(score > self.threshold).to_string();
                self.push(photo.to_owned(), [file.as_str(), &score.to_string(), &threshold, &anomalous, ""])
            }
            Err(reason) => {
                self.push(photo.to_owned(), [file.as_str(), "", &threshold, "", &reason.replace('\n', "; ")])
            }
        }
    }

    fn push(&self, photo: PathBuf, cells: [&str; 5]) -> Result<(), Error> {
        let line = CsvTable::new(cells).into_text();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let wrote = written.0.write_all(line.as_bytes()).and_then(|()| written.0.flush());
        written.1.push((photo, line));
        wrote.map_err(|e| Error::output(&self.path, e))
    }

    /// Writes the table in byte order of the names, under its final name.
    fn finish(self, table: PathBuf, list: &ImageList) -> Result<(), Error> {
        let (file, mut lines) = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        debug_assert_eq!(lines.len(), 1 + list.photos.len() + list.not_read.len());
        lines.sort();
        let content: String = lines.into_iter().map(|(_, line)| line).collect();
        write_atomic(&table, content)?;
        let removed = fs::remove_file(&self.path);
        drop(file); // and the lock
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::output(&self.path, e)),
            _ => Ok(()),
        }
    }
}
