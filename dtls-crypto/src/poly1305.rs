//! The one-time authenticator Poly1305 (RFC 8439 §2.5), in scalar arithmetic modulo 2^130 - 5 on 64-bit words.
//!
//! It exists because the AVX2 code that the `poly1305` crate selects at run time costs about a microsecond before the
//! first byte, which for short messages is several times the cost of everything else.
//!
//! Constant time: no branch and no index depends on the key or on the message's content.

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

/// Key length in bytes.
pub(crate) const KEY_LEN: usize = 32;
/// Tag length in bytes.
pub(crate) const TAG_LEN: usize = 16;

const BLOCK_LEN: usize = 16;

/// The bits of r that are kept (RFC 8439 §2.5.1), per 64-bit word.
const CLAMP: [u64; 2] = [0x0fff_fffc_0fff_ffff, 0x0fff_fffc_0fff_fffc];

/// An authenticator for one message under one key.
pub(crate) struct Poly1305 {
    r: [u64; 2],
    s: [u64; 2],
    accumulator: Accumulator,
}

/// A number below 2^131, partly reduced modulo 2^130 - 5: `low` + 2^128 `high`.
struct Accumulator {
    low: u128,
    high: u64,
}

impl Poly1305 {
    /// Starts with the one-time `key`: r, then s.
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        let (words, _) = key.as_chunks::<8>();
        let word = |i: usize| words.get(i).copied().map_or(0, u64::from_le_bytes);
        Self {
            r: [word(0) & CLAMP[0], word(1) & CLAMP[1]],
            s: [word(2), word(3)],
            accumulator: Accumulator { low: 0, high: 0 },
        }
    }

    /// Appends `data` and zeros up to the next multiple of 16 bytes (RFC 8439 §2.8, "pad16").
    pub(crate) fn update_padded(&mut self, data: &[u8]) {
        let (blocks, tail) = data.as_chunks::<BLOCK_LEN>();
        for block in blocks {
            self.accumulator.absorb(u128::from_le_bytes(*block), 1, &self.r);
        }
        if !tail.is_empty() {
            self.accumulator.absorb(little_endian(tail), 1, &self.r);
        }
    }

    /// The tag over all that was appended.
    pub(crate) fn tag(&self) -> [u8; TAG_LEN] {
        let Accumulator { low, high } = self.accumulator;
        // The accumulator is below 2p, so p = 2^130 - 5 has to be subtracted once or never: once exactly if adding 5
        // reaches 2^130. Above 2^128 nothing matters for the tag.
        let (plus_5, carry) = low.overflowing_add(5);
        let reaches = ((high + u64::from(carry)) >> 2).ct_ne(&0);
        let reduced = u128::conditional_select(&low, &plus_5, reaches);
        reduced.wrapping_add(wide(self.s)).to_le_bytes()
    }
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        self.r.zeroize();
        self.s.zeroize();
        self.accumulator.low.zeroize();
        self.accumulator.high.zeroize();
    }
}

impl Accumulator {
    /// a = (a + block + 2^128 top) r, partly reduced (RFC 8439 §2.5.1).
    #[inline(always)]
    fn absorb(&mut self, block: u128, top: u64, &[r0, r1]: &[u64; 2]) {
        let (low, carry) = self.low.overflowing_add(block);
        let h2 = self.high + u64::from(carry) + top; // at most 4 + 1 + 1
        let (h0, h1) = (low as u64, (low >> 64) as u64);

        // 2^128 r1 = 2^130 (r1 / 4) = 5 (r1 / 4) modulo p, and r1 is a multiple of 4: s1 = 5 (r1 / 4).
        // With r0, r1 < 2^60 and s1 < 1.25 * 2^60 each sum below stays under 2^126.
        let s1 = r1 + (r1 >> 2);
        let d0 = mul(h0, r0) + mul(h1, s1);
        let d1 = mul(h0, r1) + mul(h1, r0) + u128::from(h2 * s1) + (d0 >> 64);
        let d2 = h2 * r0 + (d1 >> 64) as u64; // at most 6 * 2^60 + 2 * 2^60 + a little

        // Bits 130 and up come back times 5: (d2 >> 2) + 4 (d2 >> 2).
        let folded = (d2 >> 2) + (d2 & !3);
        let (low, carry) = wide([d0 as u64, d1 as u64]).overflowing_add(u128::from(folded));
        self.low = low;
        self.high = (d2 & 3) + u64::from(carry); // at most 4
    }
}

fn mul(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

fn wide([low, high]: [u64; 2]) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// Up to 16 bytes as a number.
fn little_endian(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

#[cfg(test)]
mod tests;
