//! See [`models::bytes`].
#![no_main]
#![allow(dead_code)] // each target uses its part

mod common;
mod models;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| models::bytes(common::scratch(), data));
