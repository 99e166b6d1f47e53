//! See [`texts::recipe`].
#![no_main]
#![allow(dead_code)] // each target uses its part

#[path = "../../src/bin/maphc2f/args.rs"]
mod args;
mod common;
#[path = "../../src/bin/maphc2f/config.rs"]
mod config;
#[path = "../../src/bin/maphc2f/recipe.rs"]
mod recipe;
mod texts;

use libfuzzer_sys::fuzz_target;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fuzz_target!(|data: &[u8]| texts::recipe(common::scratch(), data));
