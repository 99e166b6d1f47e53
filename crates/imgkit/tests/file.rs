//! Atomic writing.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test, in helpers too.

use std::fs;
use std::path::Path;

use imgkit::file::{prepare_folder, write_atomic};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.csv");
    fs::write(&path, "old").unwrap();
    write_atomic(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(folder.path()), ["report.csv"], "no temporary file is left");
    let absent = folder.path().join("absent/report.csv");
    assert!(write_atomic(&absent, "text").unwrap_err().to_string().contains("absent"));
    assert!(write_atomic("/", "text").is_err() && write_atomic("", "text").is_err());
    // a name as long as a file system allows
    write_atomic(folder.path().join("n".repeat(255)), "text").unwrap();
}

#[test]
fn what_is_no_regular_file_is_neither_replaced_nor_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("folder/inner")).unwrap();
    fs::write(at("target"), "precious").unwrap();
    let mut taken = vec!["folder"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        taken.extend(["link", "dangling", "pipe"]);
    }
    let before = names(folder.path());
    for name in &taken {
        let refused = write_atomic(at(name), "text").unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("it is a "), "{refused}");
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(fs::read_to_string(at("target")).unwrap(), "precious");
}

/// A link that lies in wait under the name that a process of this number would take for its temporary file.
#[cfg(unix)]
#[test]
fn temporary_names_cannot_be_foreseen() {
    let folder = tempfile::tempdir().unwrap();
    let (target, path) = (folder.path().join("target"), folder.path().join("report.csv"));
    fs::write(&target, "precious").unwrap();
    for name in [format!(".report.csv.{}.tmp", std::process::id()), ".probe.tmp".to_owned()] {
        std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
    }
    prepare_folder(folder.path()).unwrap();
    write_atomic(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(names(folder.path()).len(), 4);
}

#[cfg(unix)]
#[test]
fn a_file_gets_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (plain, atomic) = (folder.path().join("plain"), folder.path().join("atomic"));
    fs::write(&plain, "").unwrap();
    write_atomic(&atomic, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&atomic), mode(&plain));
}

#[test]
fn many_threads_write_one_file_and_prepare_one_folder_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.csv");
    std::thread::scope(|scope| {
        for i in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..40 {
                    prepare_folder(path.parent().unwrap()).unwrap();
                    write_atomic(path, vec![i; 4096]).unwrap();
                    let found = fs::read(path).unwrap();
                    assert!(found.len() == 4096 && found.iter().all(|b| *b == found[0]));
                }
            });
        }
    });
    assert_eq!(names(folder.path()), ["report.csv"]);
}
