//! Pseudo-random numbers from a seed. Deterministic on every platform and of no cryptographic use.

use dtls_core::{Rng, RngError};

/// SplitMix64: a full-period generator with 64 bits of state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Prng {
    state: u64,
}

impl Prng {
    /// The generator that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// Whether an event of this `probability` (0 to 1) happens now.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 random bits make every double in [0, 1) that is a multiple of 2^-53.
        ((self.next_u64() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    /// Another generator, independent of what this one yields from now on.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self::new(self.next_u64())
    }
}

impl Rng for Prng {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

/// A source that works for a number of calls and fails from then on.
#[derive(Clone, Debug)]
pub struct FailingRng {
    inner: Prng,
    calls_left: usize,
}

impl FailingRng {
    /// A source that fails after `calls` successful ones.
    pub const fn after(calls: usize) -> Self {
        Self { inner: Prng::new(0), calls_left: calls }
    }
}

impl Rng for FailingRng {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or(RngError)?;
        self.inner.try_fill(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_outputs_are_those_of_the_published_generator() {
        // Seed 1234567 in Vigna's splitmix64.c.
        let mut prng = Prng::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317_u64,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| prng.next_u64()), expected);
    }

    #[test]
    fn chances_are_as_probable_as_asked() {
        let mut prng = Prng::new(1);
        let mut hits = |probability| (0..10_000).filter(|_| prng.chance(probability)).count();
        assert_eq!((hits(0.0), hits(1.0)), (0, 10_000));
        assert!((2_800..3_200).contains(&hits(0.3)));
    }

    #[test]
    fn a_failing_source_fails_when_told() {
        let mut rng = FailingRng::after(2);
        let mut out = [0; 4];
        assert_eq!([(); 4].map(|()| rng.try_fill(&mut out).is_ok()), [true, true, false, false]);
        assert_eq!(Prng::new(1).below(0), 0);
    }
}
