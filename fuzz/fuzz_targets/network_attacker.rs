//! See `fuzz_bodies::network_attacker`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_bodies::network_attacker(data);
});
