//! A macro for parameter structs: private fields, defaults, one getter and one `with_*` method per field.

macro_rules! parameters {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $( $(#[$doc:meta])* $field:ident, $with:ident: $type:ty = $default:expr; )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name {
            $( $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $name {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(&self) -> $type {
                    self.$field
                }

                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $with(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}
pub(crate) use parameters;

use imgkit::{ParameterError, ensure};

/// Refuses a count of 0.
pub(crate) fn at_least_one(what: &'static str, name: &'static str, value: usize) -> Result<(), ParameterError> {
    ensure(value > 0, what, name, value, "at least 1")
}

/// Refuses a count of 0, and one so large that products of counts could overflow.
pub(crate) fn moderate_count(what: &'static str, name: &'static str, value: usize) -> Result<(), ParameterError> {
    ensure((1..=100_000).contains(&value), what, name, value, "in 1 to 100 000")
}

/// Refuses a share of held-out images outside (0, 0.4].
pub(crate) fn held_out_share(what: &'static str, value: f64) -> Result<(), ParameterError> {
    ensure(value > 0.0 && value <= 0.4, what, "held_out", value, "in (0, 0.4]")
}

/// Refuses a smoothing outside \[0, 64\] px.
pub(crate) fn smoothing(what: &'static str, value: f64) -> Result<(), ParameterError> {
    ensure((0.0..=64.0).contains(&value), what, "smoothing", value, "in [0, 64] px")
}

/// Refuses a share of the pooled covariance outside (0, 1].
pub(crate) fn shrinkage(what: &'static str, value: f64) -> Result<(), ParameterError> {
    ensure(value > 0.0 && value <= 1.0, what, "shrinkage", value, "in (0, 1]")
}
