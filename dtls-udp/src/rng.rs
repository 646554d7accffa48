//! The random source of the operating system.

use dtls_core::{Rng, RngError};

/// Random bytes from the operating system; stateless.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemRng;

impl Rng for SystemRng {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the system for randomness")]
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}
