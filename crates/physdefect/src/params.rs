//! Parameter structs with checks.

use crate::Error;

/// Refuses NaN, infinities and anything outside `lo..=hi`.
pub(crate) fn within(
    model: &'static str,
    name: &'static str,
    value: f64,
    (lo, hi): (f64, f64),
    expected: &'static str,
) -> Result<(), Error> {
    if value >= lo && value <= hi { Ok(()) } else { Err(Error::Parameter { model, name, value, expected }) }
}

/// Refuses a severity outside \[0, 1\].
pub(crate) fn severity(model: &'static str, value: f64) -> Result<(), Error> {
    within(model, "severity", value, (0.0, 1.0), "in [0, 1]")
}

/// Refuses a range of severities unless 0 <= low <= high <= 1.
pub(crate) fn severity_range(model: &'static str, (low, high): (f64, f64)) -> Result<(), Error> {
    severity(model, low)?;
    within(model, "severity", high, (low, 1.0), "at least the lower bound and at most 1")
}

/// Declares a parameter struct: private fields with their defaults, and for each a setter `with_*` and a getter of its name.
macro_rules! parameters {
    (
        $(#[$outer:meta])*
        pub struct $Name:ident {
            $( $(#[$doc:meta])* $field:ident / $with:ident: $ty:ty = $default:expr ),* $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
        pub struct $Name {
            $($field: $ty,)*
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        #[allow(clippy::clone_on_copy)] // some parameters are no `Copy`
        impl $Name {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $with(mut self, $field: $ty) -> Self {
                    self.$field = $field;
                    self
                }

                $(#[$doc])*
                #[must_use]
                pub fn $field(&self) -> $ty {
                    self.$field.clone()
                }
            )*
        }
    };
}
pub(crate) use parameters;

/// Ties a model to its parameters: `try_from` for serde, and for replay.
macro_rules! built_from {
    ($Model:ident, $Params:ty) => {
        impl TryFrom<$Params> for $Model {
            type Error = crate::Error;
            fn try_from(params: $Params) -> Result<Self, crate::Error> {
                Self::new(params)
            }
        }

        impl From<$Model> for $Params {
            fn from(model: $Model) -> Self {
                model.params
            }
        }
    };
}
pub(crate) use built_from;
