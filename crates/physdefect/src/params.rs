//! Parameter structs with checks.

use crate::Error;

/// Refuses a value for which `ok` is false, NaN and infinities.
pub(crate) fn require(
    ok: bool,
    model: &'static str,
    name: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<(), Error> {
    Ok(imgkit::ensure(ok && value.is_finite(), model, name, value, expected)?)
}

/// Refuses NaN, infinities and anything outside `low..=high`.
pub(crate) fn within(
    model: &'static str,
    name: &'static str,
    value: f64,
    (low, high): (f64, f64),
    expected: &'static str,
) -> Result<(), Error> {
    require(value >= low && value <= high, model, name, value, expected)
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

/// Refuses images of more than 2^32 pixels: larger ones are mistakes, and their arrays could not be allocated.
pub(crate) fn check_size(what: &'static str, (height, width): (usize, usize)) -> Result<(), Error> {
    let pixels = height.checked_mul(width).filter(|&n| n as u64 <= 1 << 32);
    if pixels.is_some() {
        return Ok(());
    }
    let size = imgkit::Size { height, width };
    Err(imgkit::ParameterError::new(what, "size", size, "at most 2^32 pixels").into())
}

/// Declares a parameter struct: private fields with their defaults, and for each a setter `with_*` and a getter of its
/// name.
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
            $(pub(super) $field: $ty,)*
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

/// Ties a model, a struct with the one field `params`, to its parameters: construction, serde and replay.
macro_rules! built_from {
    ($Model:ident, $Params:ident) => {
        impl $Model {
            /// Builds the model, every parameter checked.
            ///
            /// # Errors
            /// [`Error::Parameter`](crate::Error::Parameter) naming the first value out of range and its range.
            pub fn new(params: $Params) -> Result<Self, crate::Error> {
                params.check()?;
                Ok(Self { params })
            }

            /// Parameters of the model.
            #[must_use]
            pub fn params(&self) -> &$Params {
                &self.params
            }
        }

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
    ($Model:ident, $Params:ident, mechanism $name:expr) => {
        crate::params::built_from!($Model, $Params);

        #[cfg(feature = "serde")]
        impl crate::replay::FromParams for $Model {
            const NAME: &'static str = $name;
            type Params = $Params;
            fn from_params(params: $Params) -> Result<Self, crate::Error> {
                Self::new(params)
            }
        }
    };
}
pub(crate) use built_from;
