//! Output folders that lie among the inputs: what is written there would be taken for photos by the next run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imgkit::file::lies_in;

use super::error::Error;
use super::photo_set::PhotoSet;

/// Folders that a run writes in its output folder.
const OWN: [&str; 6] = ["manifest", "mvtec", "yolo", "yolo-joined", "coco", "webdataset"];

impl PhotoSet {
    /// Checks that what is written in the folder `out` cannot be taken for one of these photos or masks.
    ///
    /// # Errors
    /// [`Error::OutputInInput`] if `out` lies in a folder of photos, masks or regions, or such a folder where a data
    /// set in `out` has its files.
    pub fn check_output(&self, out: &Path) -> Result<(), Error> {
        let folders: BTreeSet<PathBuf> =
            (0..self.len()).filter_map(|i| Some(self.path(i)?.parent()?.to_owned())).collect();
        let mut inputs = folders.iter().map(PathBuf::as_path).chain(self.mask_folders());
        match inputs.find(|input| mixes(out, input, &OWN)) {
            Some(input) => Err(Error::OutputInInput { out: out.to_owned(), input: input.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Whether `out` is the folder `input` or lies in it, or `input` is one of the folders `own` that are written in `out`,
/// or lies in one.
fn mixes(out: &Path, input: &Path, own: &[&str]) -> bool {
    lies_in(out, input) || own.iter().any(|folder| lies_in(input, &out.join(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_among_inputs_are_found_through_links_and_dots() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("photos/inner")).unwrap();
        std::fs::create_dir_all(at("out/mvtec/train/good")).unwrap();
        for inside in ["photos", "photos/new/er", "photos/../photos/x", "out/../photos"] {
            assert!(mixes(&at(inside), &at("photos"), &[]), "{inside}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("photos"), at("link")).unwrap();
            assert!(mixes(&at("link/new"), &at("photos"), &[]));
        }
        assert!(mixes(&at("out"), &at("out/mvtec/train/good"), &["mvtec"]));
        for apart in ["out", "photos2", "."] {
            assert!(!mixes(&at(apart), &at("photos"), &["mvtec"]), "{apart}");
        }
    }
}
