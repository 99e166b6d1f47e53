//! See [`settings::parameters`].
#![no_main]

mod settings;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| settings::parameters(data));
