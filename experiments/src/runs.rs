//! A log of finished runs, so that an interrupted experiment goes on where it was.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use crate::program::Result;

/// Finished runs of an experiment: a file of one JSON object a line, which only grows.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    runs: Vec<Value>,
}

impl RunLog {
    /// Reads the finished runs of a file; none if there is no file.
    ///
    /// A last line that was cut off by an interruption is no finished run and is taken off the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or another line is not JSON.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if !path.exists() {
            return Ok(Self { path, runs: Vec::new() });
        }
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|e| at(&e))?;
        let (finished, last) = text.split_at(text.rfind('\n').map_or(0, |end| end + 1));
        let finished = match serde_json::from_str::<Value>(last) {
            Ok(whole) => format!("{finished}{whole}\n"),
            Err(_) => finished.to_owned(),
        };
        if finished != text {
            std::fs::write(&path, &finished).map_err(|e| at(&e))?;
        }
        let mut runs = Vec::new();
        for (i, line) in finished.lines().enumerate() {
            runs.push(serde_json::from_str(line).map_err(|e| at(&format!("line {}: {e}: delete it", i + 1)))?);
        }
        Ok(Self { path, runs })
    }

    /// Every finished run, in the order in which they finished.
    #[must_use]
    pub fn runs(&self) -> &[Value] {
        &self.runs
    }

    /// Finds a run that has every field of `key`, an object, with the same value.
    #[must_use]
    pub fn find(&self, key: &Value) -> Option<&Value> {
        self.runs.iter().find(|run| key.as_object().is_some_and(|key| key.iter().all(|(k, v)| run.get(k) == Some(v))))
    }

    /// Appends a finished run to the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn push(&mut self, run: Value) -> Result<()> {
        let at = |e: std::io::Error| format!("{}: {e}", self.path.display());
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(at)?;
        file.write_all(format!("{run}\n").as_bytes()).map_err(at)?;
        self.runs.push(run);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_interrupted_log_goes_on_where_it_was() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runs.jsonl");
        let mut log = RunLog::open(&path)?;
        assert!(log.runs().is_empty());
        log.push(json!({ "set": "pill", "seed": 0, "auroc": 0.5 }))?;
        log.push(json!({ "set": "pill", "seed": 1, "auroc": 0.25 }))?;
        let whole = std::fs::read_to_string(&path)?;

        std::fs::write(&path, format!("{whole}{{\"set\": \"bott"))?;
        let mut log = RunLog::open(&path)?;
        assert_eq!(log.runs().len(), 2);
        assert_eq!(std::fs::read_to_string(&path)?, whole, "the rest of the cut line is gone");
        assert_eq!(log.find(&json!({ "set": "pill", "seed": 1 })).map(|r| r["auroc"].clone()), Some(json!(0.25)));
        assert!(log.find(&json!({ "set": "pill", "seed": 2 })).is_none());
        assert!(log.find(&json!({ "set": "pill", "side": Value::Null })).is_none(), "an absent field is no match");
        log.push(json!({ "set": "bottle", "seed": 0 }))?;
        std::fs::write(&path, std::fs::read_to_string(&path)?.trim_end())?;
        assert_eq!(RunLog::open(&path)?.runs(), log.runs(), "a whole line without its end is kept");
        assert_eq!(RunLog::open(&path)?.runs(), log.runs());
        Ok(())
    }

    #[test]
    fn a_broken_line_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runs.jsonl");
        std::fs::write(&path, "{}\nnonsense\n{}\n")?;
        let error = RunLog::open(&path).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("runs.jsonl: line 2: "), "{error}");
        Ok(())
    }
}
