//! Schedules from a fuzzer's bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use simulated_network::Side;

use super::Schedule;

/// More steps than this only make each execution slower.
const MOST: usize = 256;

impl<'a> Arbitrary<'a> for Schedule {
    /// As many steps as the bytes give; a derived list would end at each step with a probability of one half.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < MOST {
            steps.push(u.arbitrary()?);
        }
        Ok(Self(steps))
    }
}

/// A side, whose crate knows no fuzzers.
pub(super) fn arbitrary_side(u: &mut Unstructured<'_>) -> Result<Side> {
    u.choose(&Side::BOTH).copied()
}
