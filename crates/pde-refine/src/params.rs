//! Getters and `with_` methods of the parameter types.

/// Adds a getter and a `with_` method for each private field of a parameter type. The documentation is the getter's.
macro_rules! accessors {
    ($type:ident { $($(#[$doc:meta])+ $field:ident, $with:ident: $value:ty;)+ }) => {
        impl $type { $(
            $(#[$doc])+
            #[must_use]
            pub fn $field(&self) -> $value {
                self.$field
            }

            #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $with(mut self, $field: $value) -> Self {
                self.$field = $field;
                self
            }
        )+ }
    };
}

pub(crate) use accessors;
