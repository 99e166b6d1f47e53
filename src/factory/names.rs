//! Names that come from a file or a flag and become part of a path.

use std::path::{Component, Path};

use super::error::Error;
use super::text_list::refuse;

/// Checks that a name is one folder or file: joined to a folder, it cannot lead out of it.
///
/// # Errors
/// [`Error::Parameter`] for an empty or absolute name, `..`, separators and control characters.
pub fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let mut parts = Path::new(name).components();
    let is_one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if is_one && !name.contains(['/', '\\', ':']) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        refuse(what, name.escape_debug(), "one folder's name, without `/`, `\\`, `:` or `..`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", ".", "..", "/", "/etc", "a/b", "a/", "../a", "a\\b", "C:a", "a\0", "a\nb", "./a"] {
            assert!(check_name("category", name).is_err(), "{name:?}");
        }
        for name in ["bottle", "metal_nut", "01", "..a", ".a", "pcb 1", "Größe"] {
            assert!(check_name("category", name).is_ok(), "{name:?}");
        }
    }
}
