//! See `fuzz_bodies::record_parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_bodies::record_parse(data));
