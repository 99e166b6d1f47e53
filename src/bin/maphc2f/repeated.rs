//! The command line again, for one sample: what the page of `preview` tells people to type.

use std::ffi::OsString;

use maphc2f::imgkit::file::escaped;

/// Flags with a value that are the run's, not the sample's.
const OWN_VALUE: [&str; 3] = ["--out", "--html", "--index"];
/// The same without a value.
const OWN: [&str; 4] = ["--no-html", "--json", "--quiet", "-q"];

/// The command that draws sample `index` of a run of `preview` alone, from the run's command line `given` (with the
/// program's name), in the words of a POSIX shell.
pub fn command(given: impl IntoIterator<Item = OsString>, index: u64) -> String {
    let mut words = vec!["maphc2f".to_owned()];
    let mut given = given.into_iter().skip(1);
    while let Some(word) = given.next() {
        let text = word.to_str().unwrap_or_default();
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        if OWN_VALUE.contains(&name) {
            if name == text {
                given.next();
            }
        } else if !OWN.contains(&text) {
            words.push(quoted(&word));
        }
    }
    words.push(format!("--index {index} --out sample-{index}.png"));
    words.join(" ")
}

/// The word as a shell reads it. A word that is no text, or has control characters, as a people read it.
fn quoted(word: &OsString) -> String {
    let text = escaped(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_repeated_for_one_sample() {
        for (given, expected) in [
            (
                &["/bin/maphc2f", "preview", "--json", "--normals", "my photos", "--out", "s.png", "--seed=1"]
                    as &[&str],
                "maphc2f preview --normals 'my photos' --seed=1 --index 4 --out sample-4.png",
            ),
            (
                &[
                    "x",
                    "--out=s.png",
                    "preview",
                    "-q",
                    "--html",
                    "p.html",
                    "--normals",
                    "it's",
                    "--no-html",
                    "--index=3",
                ],
                r"maphc2f preview --normals 'it'\''s' --index 4 --out sample-4.png",
            ),
            (
                &["x", "preview", "--config", "run.toml", "--out"],
                "maphc2f preview --config run.toml --index 4 --out sample-4.png",
            ),
        ] {
            assert_eq!(command(given.iter().map(OsString::from), 4), expected);
        }
    }

    #[test]
    fn a_shell_reads_the_words_as_they_were_given() {
        let hostile = "a'b \"c\" $(touch x) `id` \\ * ? ; & | < > é";
        let line = command(["x", "preview", "--normals", hostile].map(OsString::from), 0);
        let line = line.replacen("maphc2f", "printf '%s\\n'", 1);
        let Ok(shell) = std::process::Command::new("sh").arg("-c").arg(&line).output() else { return };
        let words = String::from_utf8(shell.stdout).unwrap();
        assert_eq!(words.lines().nth(2), Some(hostile), "{line}");
    }
}
