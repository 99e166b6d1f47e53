//! Values of command-line options.

use std::str::FromStr;

use crate::program::Result;

/// Parses the number that follows an option.
///
/// # Errors
///
/// Nothing follows, or no number of this type does.
pub fn number<T: FromStr>(args: &mut lexopt::Parser, option: &str) -> Result<T> {
    let value = args.value()?;
    value.to_string_lossy().parse().map_err(|_| format!("--{option} {}: not a number", value.display()).into())
}

/// Splits the comma-separated names that follow an option, each of which must be among `known`.
///
/// # Errors
///
/// Nothing follows, or a name that is not known.
pub fn names<S: AsRef<str>>(args: &mut lexopt::Parser, option: &str, known: &[S]) -> Result<Vec<String>> {
    let names = list(args)?;
    match names.iter().find(|n| !known.iter().any(|k| k.as_ref() == *n)) {
        Some(unknown) => {
            let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
            Err(format!("--{option} {unknown}: choose among {}", known.join(", ")).into())
        }
        None => Ok(names),
    }
}

/// Splits the comma-separated words that follow an option.
///
/// # Errors
///
/// Nothing follows.
pub fn list(args: &mut lexopt::Parser) -> Result<Vec<String>> {
    Ok(args.value()?.to_string_lossy().split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(value: &str) -> lexopt::Parser {
        let mut args = lexopt::Parser::from_args(["--option", value]);
        assert!(args.next().is_ok_and(|a| a.is_some()));
        args
    }

    #[test]
    fn a_number_is_parsed_and_a_word_is_refused_by_the_options_name() {
        assert_eq!(number::<usize>(&mut parser("7"), "seeds").ok(), Some(7));
        let error = number::<usize>(&mut parser("seven"), "seeds").err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("--seeds seven: not a number"));
    }

    #[test]
    fn names_must_be_known() {
        let known = ["raw", "fine"];
        assert_eq!(names(&mut parser("fine,raw"), "variants", &known).ok(), Some(vec!["fine".into(), "raw".into()]));
        let error = names(&mut parser("raw,ruw"), "variants", &known).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("--variants ruw: choose among raw, fine"));
    }
}
