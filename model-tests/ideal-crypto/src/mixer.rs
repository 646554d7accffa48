//! The one non-cryptographic mixing function under every primitive of this crate.

/// What a mixer is used for; different domains give unrelated outputs for the same input.
#[derive(Clone, Copy)]
pub(crate) enum Domain {
    Hash,
    Hmac,
    AeadKey,
    Keystream,
    Tag,
    PublicKey,
    SharedSecret,
    Released,
    Mask,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;

/// A running 128-bit digest of a byte string; how the string is cut into updates does not matter.
#[derive(Clone)]
pub(crate) struct Mixer {
    a: u64,
    b: u64,
    pending: u64,
    total: u64,
}

impl Mixer {
    /// An empty string in `domain`, for one of its algorithms.
    pub(crate) const fn new(domain: Domain, algorithm: u64) -> Self {
        let seed = ((domain as u64) << 32) | algorithm;
        Self { a: finalize(seed ^ K0), b: finalize(seed ^ K1), pending: 0, total: 0 }
    }

    /// Appends `data`.
    pub(crate) fn update(&mut self, data: &[u8]) {
        let mut rest = data;
        while !self.total.is_multiple_of(8) {
            let Some((first, tail)) = rest.split_first() else { return };
            self.byte(*first);
            rest = tail;
        }
        let (words, tail) = rest.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        self.total = self.total.wrapping_add(8 * words.len() as u64);
        for byte in tail {
            self.byte(*byte);
        }
    }

    /// Appends a number, as eight bytes.
    pub(crate) fn update_number(&mut self, number: u64) {
        self.update(&number.to_le_bytes());
    }

    /// The digest so far.
    pub(crate) fn digest(&self) -> u128 {
        let mut end = self.clone();
        end.word(self.pending);
        end.word(self.total ^ GOLDEN);
        let high = finalize(end.a ^ end.b.rotate_left(32));
        let low = finalize(end.b.wrapping_add(high));
        (u128::from(high) << 64) | u128::from(low)
    }

    /// Fills `out` from the digest so far.
    pub(crate) fn expand(&self, out: &mut [u8]) {
        let seed = self.digest();
        for (chunk, word) in out.chunks_mut(8).zip(stream(seed)) {
            for (to, from) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *to = from;
            }
        }
    }

    const fn byte(&mut self, byte: u8) {
        self.pending |= (byte as u64) << (8 * (self.total % 8));
        self.total = self.total.wrapping_add(1);
        if self.total.is_multiple_of(8) {
            let word = self.pending;
            self.word(word);
            self.pending = 0;
        }
    }

    const fn word(&mut self, word: u64) {
        self.a = fold(self.a ^ word, K0).wrapping_add(word.rotate_left(17)) ^ GOLDEN;
        self.b = fold(self.b ^ word.rotate_left(32), K1).wrapping_add(self.a);
    }
}

/// An endless stream of words that depend on all of `seed`.
pub(crate) fn stream(seed: u128) -> impl Iterator<Item = u64> {
    let high = (seed >> 64) as u64;
    let low = seed as u64;
    (1_u64..).map(move |i| finalize(low.wrapping_add(i.wrapping_mul(GOLDEN)) ^ high))
}

/// Both halves of the 128-bit product, combined.
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A bijection in which every output bit depends on every input bit.
const fn finalize(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_do_not_matter_and_lengths_do() {
        let text: Vec<u8> = (0..100).collect();
        let mut whole = Mixer::new(Domain::Hash, 1);
        whole.update(&text);
        for cut in 0..text.len() {
            let mut parts = Mixer::new(Domain::Hash, 1);
            parts.update(&text[..cut]);
            parts.update(&text[cut..]);
            assert_eq!(parts.digest(), whole.digest(), "cut at {cut}");
        }
        let mut digests = std::collections::HashSet::new();
        for len in 0..100 {
            let mut zeros = Mixer::new(Domain::Hash, 1);
            zeros.update(&vec![0; len]);
            assert!(digests.insert(zeros.digest()), "zeros of length {len}");
        }
    }

    #[test]
    fn every_bit_matters() {
        let mut digests = std::collections::HashSet::new();
        for bit in 0..64 * 8 {
            let mut text = [0_u8; 64];
            text[bit / 8] ^= 1 << (bit % 8);
            let mut mixer = Mixer::new(Domain::Tag, 0);
            mixer.update(&text);
            assert!(digests.insert(mixer.digest() as u64), "bit {bit}");
        }
    }
}
