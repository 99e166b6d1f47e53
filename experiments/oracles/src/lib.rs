//! Textbook statistics and closed forms that tests and reports compare with.
//!
//! Nothing here comes from the crates under test. A crate that uses this package names it by path alone under
//! `[dev-dependencies]`, so that it is left out when the crate is published.

pub mod fracture;
pub mod optics;
pub mod plates;
pub mod statistics;
mod xorshift;

pub use xorshift::Xorshift;
