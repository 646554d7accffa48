//! See `fuzz_bodies::dolev_yao`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_bodies::dolev_yao(data);
});
