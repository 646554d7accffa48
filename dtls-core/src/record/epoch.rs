//! Epochs as objects: each holds its own keys, numbers and replay window.

use super::{
    number::{MAX_SEQ, RecordNumber},
    protect::Protection,
    replay::Window,
};

/// Keys and replay window for receiving in one epoch.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ReadEpoch {
    pub(super) epoch: u16,
    pub(super) protection: Protection,
    pub(super) window: Window,
}

impl ReadEpoch {
    pub(crate) fn new(epoch: u16, protection: Protection, window: u16) -> Self {
        Self { epoch, protection, window: Window::new(window) }
    }
}

/// Keys and the next sequence number for sending in one epoch.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct WriteEpoch {
    pub(super) epoch: u16,
    pub(super) protection: Protection,
    /// The number of the next record; above [`MAX_SEQ`] the epoch is used up.
    pub(super) next_seq: u64,
}

impl WriteEpoch {
    pub(crate) const fn new(epoch: u16, protection: Protection, next_seq: u64) -> Self {
        Self { epoch, protection, next_seq }
    }

    /// Takes the next record number, which is never given out again, or `None` when all are used (RFC 6347 §4.1).
    pub(super) const fn take_number(&mut self) -> Option<RecordNumber> {
        if self.next_seq > MAX_SEQ {
            return None;
        }
        let number = RecordNumber::new(self.epoch, self.next_seq);
        self.next_seq = self.next_seq.saturating_add(1);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_end() {
        let mut epoch = WriteEpoch::new(3, Protection::Plain, MAX_SEQ - 1);
        assert_eq!(epoch.take_number(), Some(RecordNumber::new(3, MAX_SEQ - 1)));
        assert_eq!(epoch.take_number(), Some(RecordNumber::new(3, MAX_SEQ)));
        assert_eq!(epoch.take_number(), None);
        assert_eq!(epoch.take_number(), None, "no way back to a used number");
    }
}
