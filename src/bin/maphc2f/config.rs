//! Flags from a TOML file: each key stands for the flag of its name, and what is given on the command line wins.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::Result;

/// Inserts the flags of the `--config` file into the command line, behind the subcommand.
pub fn with_file(command: &Command, given: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(file) = config_of(&given) else { return Ok(given) };
    let named = given.iter().position(|arg| command.find_subcommand(arg).is_some());
    let Some((at, sub)) = named.and_then(|at| Some((at, command.find_subcommand(&given[at])?))) else {
        return Ok(given); // clap says what is missing
    };
    let fail = |reason: String| format!("{}: {reason}", file.display());
    let text = std::fs::read_to_string(&file).map_err(|e| fail(format!("cannot be read ({e}): check the path")))?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| fail(e.to_string()))?;
    let flags: Vec<&Arg> = sub.get_arguments().chain(command.get_arguments()).collect();
    let names: Vec<&str> =
        flags.iter().filter_map(|a| a.get_long()).filter(|n| *n != "config" && *n != "help").collect();
    let mut from_file = Vec::new();
    for (key, value) in &table {
        let known = flags.iter().find(|a| a.get_long() == Some(key) && names.contains(&key.as_str()));
        let Some(flag) = known else {
            return Err(fail(format!("unknown key `{key}`{}", nearest(key, &names))).into());
        };
        if !is_given(&given, flag) {
            from_file.extend(arguments(key, value, flag).map_err(fail)?);
        }
    }
    let mut full = given;
    full.splice(at + 1..at + 1, from_file);
    Ok(full)
}

/// The file named by `--config`.
fn config_of(given: &[OsString]) -> Option<PathBuf> {
    given.iter().enumerate().find_map(|(i, arg)| match arg.to_str()?.strip_prefix("--config")? {
        "" => given.get(i + 1).map(PathBuf::from),
        rest => rest.strip_prefix('=').map(PathBuf::from),
    })
}

fn is_given(given: &[OsString], flag: &Arg) -> bool {
    let long = flag.get_long().map(|name| format!("--{name}")).unwrap_or_default();
    let short = flag.get_short().map(|letter| format!("-{letter}"));
    given.iter().filter_map(|arg| arg.to_str()).any(|arg| {
        arg == long
            || arg.strip_prefix(&long).is_some_and(|rest| rest.starts_with('='))
            || Some(arg) == short.as_deref()
    })
}

/// A key and its value as the flag would be written: once with a list, or once for each value of a flag that may be
/// repeated.
fn arguments(key: &str, value: &toml::Value, flag: &Arg) -> std::result::Result<Vec<OsString>, String> {
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    match value {
        toml::Value::Boolean(on) if is_switch => Ok(on.then(|| format!("--{key}").into()).into_iter().collect()),
        _ if is_switch => Err(format!("`{key}` must be true or false")),
        toml::Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| scalar(key, item)).collect::<std::result::Result<_, _>>()?;
            if matches!(flag.get_action(), ArgAction::Append) {
                return Ok(items.iter().map(|item| format!("--{key}={item}").into()).collect());
            }
            Ok(vec![format!("--{key}={}", items.join(",")).into()])
        }
        other => Ok(vec![format!("--{key}={}", scalar(key, other)?).into()]),
    }
}

fn scalar(key: &str, value: &toml::Value) -> std::result::Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        other => Err(format!("`{key}` must be a text, a number or a list of them, not {}", other.type_str())),
    }
}

/// Suggests the nearest known name, as the end of a message.
pub fn nearest(name: &str, names: &[&str]) -> String {
    let best = names.iter().max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
    match best {
        Some(best) if strsim::jaro(name, best) > 0.6 => format!(": did you mean `{best}`?"),
        _ => format!(": choose from {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::CommandFactory;

    fn full(text: &str, line: &[&str]) -> std::result::Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut given: Vec<OsString> = line.iter().map(OsString::from).collect();
        given.extend(["--config".into(), file.path().into()]);
        let full = with_file(&Args::command(), given).map_err(|e| e.to_string())?;
        Ok(full.iter().map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| arg != "--config").collect())
    }

    #[test]
    fn keys_stand_for_flags_and_the_command_line_wins() {
        let text = "seed = 3\ncount = 9\nresume = true\nstrict = false\nformat = [\"yolo\", \"coco\"]\nquiet = true";
        let found = full(text, &["maphc2f", "synth", "--seed=5"]).unwrap();
        assert_eq!(found, ["maphc2f", "synth", "--count=9", "--format=yolo,coco", "--quiet", "--resume", "--seed=5"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_and_a_wrong_type_is_refused() {
        let line = ["maphc2f", "synth"];
        assert!(full("cuont = 3", &line).unwrap_err().contains("unknown key `cuont`: did you mean `count`?"));
        assert!(full("config = 'x'", &line).unwrap_err().contains("unknown key"));
        assert!(full("resume = 1", &line).unwrap_err().contains("`resume` must be true or false"));
        assert!(full("seed = [[1]]", &line).unwrap_err().contains("`seed`"));
    }
}
