//! What the fuzz targets do with their input.
//!
//! `fuzz/` wraps each function here for libFuzzer; `cargo test` replays the corpora of `fuzz/corpus` through them on the
//! stable compiler with no fuzzer present. Each function panics if what must hold does not.

mod dolev_yao;
#[cfg(feature = "model")]
mod network_attacker;
mod record_parse;
mod script;
mod server_unauth;

pub use dolev_yao::{Met, dolev_yao};
#[cfg(feature = "model")]
pub use network_attacker::{Ran, network_attacker};
pub use record_parse::record_parse;
pub use script::{Script, Step};
pub use server_unauth::{IDENTITY, Reached, server_unauth};
