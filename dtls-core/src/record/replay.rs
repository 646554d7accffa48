//! The anti-replay window (RFC 6347 §4.1.2.6): checked before a record is opened, moved only after it authenticated.

use alloc::{boxed::Box, vec};

use crate::error::Discard;

/// Bits per word of the window.
const WORD: u64 = 64;

/// A sliding window over the sequence numbers of one epoch: a ring of bits, indexed by sequence number.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Window {
    /// One more than the highest number marked; 0 while nothing was marked.
    next: u64,
    bits: Bits,
}

/// The common width lives in the epoch itself; wider ones on the heap, allocated with the epoch.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
enum Bits {
    Inline([u64; 1]),
    Wide(Box<[u64]>),
}

impl Window {
    /// A window of `width` numbers, rounded up to a multiple of 64.
    pub(crate) fn new(width: u16) -> Self {
        let words = usize::from(width.div_ceil(64)).max(1);
        let bits = if words == 1 { Bits::Inline([0]) } else { Bits::Wide(vec![0; words].into_boxed_slice()) };
        Self { next: 0, bits }
    }

    /// One more than the highest number marked; 0 while nothing was marked.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether `seq` may be opened.
    ///
    /// # Errors
    /// [`Discard::Replay`] for a number already marked, [`Discard::TooOld`] for one left of the window.
    pub(crate) fn check(&self, seq: u64) -> Result<(), Discard> {
        if seq >= self.next {
            return Ok(());
        }
        if self.next.saturating_sub(seq) > self.width() {
            return Err(Discard::TooOld);
        }
        let (word, mask) = self.locate(seq);
        match self.words().get(word) {
            Some(bits) if bits & mask == 0 => Ok(()),
            _ => Err(Discard::Replay),
        }
    }

    /// Remembers `seq`. Must only be called after the record authenticated. Returns whether it is the newest so far.
    pub(crate) fn mark(&mut self, seq: u64) -> bool {
        let newest = seq >= self.next;
        if newest {
            if seq.saturating_sub(self.next) >= self.width() {
                self.words_mut().fill(0);
            } else {
                for skipped in self.next..seq {
                    self.set(skipped, false);
                }
            }
            self.next = seq.saturating_add(1);
        }
        self.set(seq, true);
        newest
    }

    fn set(&mut self, seq: u64, value: bool) {
        let (word, mask) = self.locate(seq);
        if let Some(bits) = self.words_mut().get_mut(word) {
            if value { *bits |= mask } else { *bits &= !mask }
        }
    }

    /// Word index and bit mask of `seq` in the ring.
    fn locate(&self, seq: u64) -> (usize, u64) {
        let slot = seq.checked_rem(self.width()).unwrap_or(0);
        let word = usize::try_from(slot.checked_div(WORD).unwrap_or(0)).unwrap_or(usize::MAX);
        (word, 1u64.rotate_left(u32::try_from(slot & 63).unwrap_or(0)))
    }

    fn width(&self) -> u64 {
        u64::try_from(self.words().len()).unwrap_or(1).saturating_mul(WORD)
    }

    fn words(&self) -> &[u64] {
        match &self.bits {
            Bits::Inline(words) => words,
            Bits::Wide(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.bits {
            Bits::Inline(words) => words,
            Bits::Wide(words) => words,
        }
    }
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The obvious model: every number ever marked, and the highest of them.
    fn model(seen: &BTreeSet<u64>, width: u64, seq: u64) -> Result<(), Discard> {
        match seen.last() {
            Some(&top) if top + 1 > seq && top + 1 - seq > width => Err(Discard::TooOld),
            _ if seen.contains(&seq) => Err(Discard::Replay),
            _ => Ok(()),
        }
    }

    proptest! {
        #[test]
        fn equals_a_set(width in prop::sample::select(std::vec![64u16, 128, 256, 1024]),
                        steps in prop::collection::vec((0u64..3, 0u64..2000), 1..400)) {
            let mut window = Window::new(width);
            let mut seen = BTreeSet::new();
            let mut base = 0u64;
            for (jump, offset) in steps {
                base += if jump == 0 { offset } else { 1 };
                let seq = if jump == 2 { base.saturating_sub(offset) } else { base };
                let expected = model(&seen, u64::from(width), seq);
                prop_assert_eq!(window.check(seq), expected);
                if expected.is_ok() {
                    let newest = window.mark(seq);
                    prop_assert_eq!(newest, seen.last().is_none_or(|top| seq > *top));
                    seen.insert(seq);
                }
            }
        }
    }

    #[test]
    fn a_check_alone_moves_nothing() {
        let mut window = Window::new(64);
        window.mark(5);
        assert_eq!(window.check(10_005), Ok(()));
        assert_eq!(window.check(4), Ok(()), "an unauthenticated jump must not push genuine records out");
        assert_eq!(window.check(5), Err(Discard::Replay));
    }

    #[test]
    fn the_last_number_of_an_epoch() {
        let mut window = Window::new(64);
        window.mark(crate::record::number::MAX_SEQ);
        assert_eq!(window.check(crate::record::number::MAX_SEQ), Err(Discard::Replay));
        assert_eq!(window.check(0), Err(Discard::TooOld));
    }
}
