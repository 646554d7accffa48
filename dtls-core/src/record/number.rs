//! Record numbers: 16-bit epoch and 48-bit sequence number (RFC 6347 §4.1).

/// Largest sequence number of an epoch; it must never wrap (RFC 6347 §4.1).
pub(crate) const MAX_SEQ: u64 = (1 << 48) - 1;

/// The epoch and sequence number of one record, ordered by epoch first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber(u64);

impl RecordNumber {
    /// Joins an epoch and a sequence number, of which only the low 48 bits count.
    pub const fn new(epoch: u16, seq: u64) -> Self {
        let [_, _, s0, s1, s2, s3, s4, s5] = seq.to_be_bytes();
        let [e0, e1] = epoch.to_be_bytes();
        Self(u64::from_be_bytes([e0, e1, s0, s1, s2, s3, s4, s5]))
    }

    /// The epoch.
    pub const fn epoch(self) -> u16 {
        let [e0, e1, ..] = self.0.to_be_bytes();
        u16::from_be_bytes([e0, e1])
    }

    /// The sequence number within the epoch.
    pub const fn seq(self) -> u64 {
        self.0 & MAX_SEQ
    }

    /// The eight bytes used as explicit nonce and in the AAD of DTLS 1.2 (RFC 6347 §4.1.2.1).
    pub(crate) const fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// The sequence number whose low `bits` bits are `low` and which is closest to `expected` (RFC 9147 §4.2.2).
///
/// A number exactly half a period away is taken to be the later one.
pub(crate) const fn reconstruct(expected: u64, low: u64, bits: u32) -> u64 {
    let period = 1u64.rotate_left(bits);
    let half = period.wrapping_shr(1);
    let mask = period.wrapping_sub(1);
    let near = (expected & !mask) | (low & mask);
    if near.saturating_add(half) <= expected {
        near.saturating_add(period)
    } else if near > expected.saturating_add(half) && near >= period {
        near.saturating_sub(period)
    } else {
        near
    }
}

impl core::fmt::Debug for RecordNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", self.epoch(), self.seq())
    }
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_survive() {
        for epoch in [0, 1, 0x0102, u16::MAX] {
            for seq in [0, 1, 0x0102_0304_0506, MAX_SEQ] {
                let number = RecordNumber::new(epoch, seq);
                assert_eq!((number.epoch(), number.seq()), (epoch, seq));
            }
        }
        assert_eq!(RecordNumber::new(0x0102, 0x0304_0506_0708).to_be_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn an_epoch_outranks_any_sequence_number() {
        assert!(RecordNumber::new(1, 0) > RecordNumber::new(0, MAX_SEQ));
    }
}
