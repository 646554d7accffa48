//! Which records of the peer to acknowledge, and when (RFC 9147 §7).

use alloc::vec::Vec;
use core::time::Duration;

use crate::record::number::RecordNumber;

/// Most record numbers in one ACK; older ones give way.
pub(crate) const MAX_ACKS: usize = 32;
/// Bytes of one record number in an ACK: epoch and sequence number, 64 bits each.
const ENTRY_LEN: usize = 16;
/// Bytes of the list's length.
const PREFIX_LEN: usize = 2;

/// When to acknowledge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum AckPolicy {
    /// At once when a gap shows that something was lost and at the end of the peer's last flight, else after a quarter of the
    /// retransmission timeout (RFC 9147 §7.1).
    #[default]
    Prompt,
    /// At once only at the end of the peer's last flight, else after a quarter of the retransmission timeout.
    Delayed,
}

/// The records of the peer's current flight that were taken in.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Acks {
    /// Sorted, without duplicates.
    numbers: Vec<RecordNumber>,
    /// Whether an ACK is to be sent now.
    due: bool,
    /// How often these numbers were written while nothing more came in.
    written: u8,
}

impl Acks {
    /// Every handshake message in this record was processed, is kept, or was known already. Returns whether the record is
    /// news.
    pub(crate) fn note(&mut self, number: RecordNumber) -> bool {
        let at = self.numbers.partition_point(|n| *n < number);
        if self.numbers.get(at) == Some(&number) {
            return false;
        }
        self.numbers.insert(at, number);
        if self.numbers.len() > MAX_ACKS {
            self.numbers.remove(0);
        }
        self.written = 0;
        true
    }

    /// Whether these numbers were written, and will be again.
    pub(crate) const fn is_repeated(&self) -> bool {
        self.written > 0
    }

    /// How long to wait for more before the ACK that was just written is written again: the retransmission timeout, doubled
    /// each time.
    pub(crate) fn repeat_after(&mut self, timeout: Duration, max: Duration) -> Duration {
        let doublings = u32::from(self.written);
        self.written = self.written.saturating_add(1);
        timeout.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(max)
    }

    /// The own next flight acknowledges everything (RFC 9147 §7.1).
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Sends an ACK at the next opportunity, if there is anything to acknowledge.
    pub(crate) const fn request(&mut self) {
        self.due = !self.numbers.is_empty();
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.due
    }

    /// Writes the newest numbers that fit, in rising order, and returns the body's length. Nothing is due afterwards.
    pub(crate) fn write(&mut self, out: &mut [u8]) -> usize {
        self.due = false;
        let fits = out.len().saturating_sub(PREFIX_LEN).checked_div(ENTRY_LEN).unwrap_or(0);
        let skip = self.numbers.len().saturating_sub(fits);
        let count = self.numbers.len().saturating_sub(skip);
        let bytes = count.saturating_mul(ENTRY_LEN);
        let prefix = u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
        let entries = self
            .numbers
            .iter()
            .skip(skip)
            .flat_map(|n| u64::from(n.epoch()).to_be_bytes().into_iter().chain(n.seq().to_be_bytes()));
        for (to, from) in out.iter_mut().zip(prefix.into_iter().chain(entries)) {
            *to = from;
        }
        PREFIX_LEN.saturating_add(bytes)
    }

    #[cfg(feature = "__model")]
    pub(crate) fn numbers(&self) -> &[RecordNumber] {
        &self.numbers
    }

    /// The numbers are told apart by whoever asks for [`Self::numbers`].
    #[cfg(feature = "__model")]
    pub(crate) fn forget_numbers(&mut self) {
        self.numbers = Vec::new();
    }

    /// The least room an ACK with one number needs.
    pub(crate) const MIN_LEN: usize = PREFIX_LEN + ENTRY_LEN;
}

/// The record numbers in the body of an ACK.
///
/// # Errors
/// `None` if the list's length is not that of whole entries, or bytes are missing or left.
pub(crate) fn parse(body: &[u8]) -> Option<impl Iterator<Item = (u64, u64)> + Clone> {
    let (prefix, entries) = body.split_first_chunk::<PREFIX_LEN>()?;
    let (entries, rest) = entries.as_chunks::<ENTRY_LEN>();
    let length = usize::from(u16::from_be_bytes(*prefix));
    if !rest.is_empty() || length != entries.len().saturating_mul(ENTRY_LEN) {
        return None;
    }
    Some(entries.iter().map(|entry| {
        let [e0, e1, e2, e3, e4, e5, e6, e7, seq @ ..] = *entry;
        (u64::from_be_bytes([e0, e1, e2, e3, e4, e5, e6, e7]), u64::from_be_bytes(seq))
    }))
}

#[cfg(test)]
mod exhaustive;
