//! Lists that are written as one text, items separated by commas: on the command line as in `run.json`.

use std::borrow::Cow;

use imgkit::ParameterError;

use super::error::Error;

/// Items of a list.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An error that refuses `value` of a parameter of a data set.
pub(super) fn refuse<T>(
    name: &'static str,
    value: impl std::fmt::Display,
    expected: impl Into<Cow<'static, str>>,
) -> Result<T, Error> {
    Err(ParameterError::new("data set", name, value, expected).into())
}

/// Conversions of a list to and from its text, for serde.
macro_rules! as_text {
    ($($list:ty),*) => {$(
        impl From<$list> for String {
            fn from(list: $list) -> Self {
                list.to_string()
            }
        }
        impl TryFrom<String> for $list {
            type Error = $crate::factory::error::Error;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}
pub(super) use as_text;
