//! Textbook statistics and closed forms that tests and reports compare with, and property tests that must see both
//! outcomes.
//!
//! Nothing here comes from the crates under test. A crate that uses this package names it by path alone under
//! `[dev-dependencies]`, so that it is left out when the crate is published.

pub mod fields;
pub mod fracture;
pub mod optics;
pub mod plates;
mod property;
pub mod statistics;
mod xorshift;

pub use property::both_ways;
pub use xorshift::Xorshift;
