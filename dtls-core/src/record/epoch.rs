//! Epochs as objects: each holds its own keys, numbers, replay window and counters.

use super::{
    number::{MAX_SEQ, RecordNumber},
    protect::Protection,
    replay::Window,
};
use crate::{
    error::Discard,
    wire::{
        enums::ContentType,
        record::{RawRecord, RecordHeader},
    },
};

/// Keys and replay window for receiving in one epoch.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct ReadEpoch {
    epoch: u16,
    protection: Protection,
    window: Window,
    /// Records that did not authenticate under this key (RFC 9147 §4.5.3).
    failures: u64,
}

/// An authentic record.
#[derive(Debug)]
pub(crate) struct Opened<'d> {
    pub(crate) typ: ContentType,
    pub(crate) number: RecordNumber,
    pub(crate) body: &'d mut [u8],
    /// No record with a higher number was received in this epoch before.
    pub(crate) newest: bool,
}

impl ReadEpoch {
    pub(crate) fn new(epoch: u16, protection: Protection, window: u16) -> Self {
        Self { epoch, protection, window: Window::new(window), failures: 0 }
    }

    pub(crate) const fn number(&self) -> u16 {
        self.epoch
    }

    pub(super) const fn is_plain(&self) -> bool {
        self.protection.is_plain()
    }

    /// Whether records with a unified header and these epoch bits may belong here.
    pub(super) fn takes_unified(&self, bits: u8) -> bool {
        matches!(self.protection, Protection::V13(_)) && self.epoch & 3 == u16::from(bits)
    }

    pub(super) const fn alert_levels_count(&self) -> bool {
        self.protection.alert_levels_count()
    }

    /// Whether so many forgeries were tried that the key must not be used any more.
    pub(super) const fn is_worn_out(&self) -> bool {
        self.failures > self.protection.integrity_limit()
    }

    /// Whether the record authenticates under these keys and is new. Its bytes are of no use afterwards; nothing else changes.
    pub(super) fn authenticates(&self, record: RawRecord<'_>) -> bool {
        match record {
            RawRecord::Legacy { header, body } => {
                let is_new = self.window.check(header.number.seq()).is_ok();
                is_new && self.protection.open_legacy(&header, body).is_ok()
            }
            RawRecord::Unified { header, body } => {
                let Protection::V13(keys) = &self.protection else { return false };
                let opened = keys.open(self.epoch, self.window.next(), header, body);
                opened.is_ok_and(|inner| self.window.check(inner.seq).is_ok())
            }
        }
    }

    /// Opens a record with the 13-byte header: replay check, then authentication, then marking (RFC 6347 §4.1.2.6).
    pub(super) fn open_legacy<'d>(
        &mut self,
        header: &RecordHeader,
        body: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        let RecordHeader { typ, number, .. } = *header;
        // In epoch 0 nothing authenticates a number: a window there would let any forger shut out genuine records. Repeated
        // messages are recognised by message_seq instead.
        if self.is_plain() {
            let body = self.protection.open_legacy(header, body)?;
            return Ok(Opened { typ, number, body, newest: true });
        }
        self.window.check(number.seq())?;
        let body = count_failure(&mut self.failures, self.protection.open_legacy(header, body))?;
        Ok(Opened { typ, number, body, newest: self.window.mark(number.seq()) })
    }

    /// Opens a record with a unified header: authentication first, then replay check and marking (RFC 9147 §4.5.1).
    pub(crate) fn open_unified<'d>(
        &mut self,
        header: &mut [u8],
        body: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        let Protection::V13(keys) = &self.protection else { return Err(Discard::WrongVersion) };
        let opened = keys.open(self.epoch, self.window.next(), header, body);
        let inner = count_failure(&mut self.failures, opened)?;
        self.window.check(inner.seq)?;
        let newest = self.window.mark(inner.seq);
        Ok(Opened {
            typ: inner.typ,
            number: RecordNumber::new(self.epoch, inner.seq),
            body: inner.body,
            newest,
        })
    }
}

fn count_failure<T>(failures: &mut u64, opened: Result<T, Discard>) -> Result<T, Discard> {
    if matches!(opened, Err(Discard::BadTag)) {
        *failures = failures.saturating_add(1);
    }
    opened
}

/// How many records were forged is no part of a connection's behaviour until the limit ends it.
#[cfg(feature = "__model")]
impl core::hash::Hash for ReadEpoch {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.epoch, &self.protection, &self.window, self.is_worn_out()).hash(state);
    }
}

#[cfg(feature = "__model")]
impl ReadEpoch {
    /// Whether a record of this number is looked at. Unprotected ones always are.
    pub(super) fn takes(&self, seq: u64) -> bool {
        self.is_plain() || self.window.check(seq).is_ok()
    }

    /// As if no record had been taken in.
    pub(super) fn forget_numbers(&mut self) {
        self.window = Window::new(0);
    }
}

/// Keys and the next sequence number for sending in one epoch.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct WriteEpoch {
    pub(super) epoch: u16,
    pub(super) protection: Protection,
    /// The number of the next record; above [`MAX_SEQ`] or the key's limit the epoch is used up.
    pub(super) next_seq: u64,
}

impl WriteEpoch {
    pub(crate) const fn new(epoch: u16, protection: Protection, next_seq: u64) -> Self {
        Self { epoch, protection, next_seq }
    }

    pub(crate) const fn number(&self) -> u16 {
        self.epoch
    }

    /// Takes the next record number, which is never given out again, or `None` when all but `reserve` are used (RFC 6347 §4.1)
    /// or the key has protected as many records as it may (RFC 9147 §4.5.3).
    pub(super) fn take_number(&mut self, reserve: u64) -> Option<RecordNumber> {
        let end = self.protection.confidentiality_limit().min(MAX_SEQ.saturating_add(1));
        if self.next_seq >= end.saturating_sub(reserve) {
            return None;
        }
        let number = RecordNumber::new(self.epoch, self.next_seq);
        self.next_seq = self.next_seq.saturating_add(1);
        Some(number)
    }

    /// Opens one of the last records sent; its bytes are of no use afterwards.
    #[cfg(feature = "__model")]
    pub(super) fn reveal<'d>(&self, record: RawRecord<'d>) -> Option<Opened<'d>> {
        match (record, &self.protection) {
            (RawRecord::Legacy { header, body }, protection) => {
                let body = protection.open_legacy(&header, body).ok()?;
                Some(Opened { typ: header.typ, number: header.number, body, newest: true })
            }
            (RawRecord::Unified { header, body }, Protection::V13(keys)) => {
                let inner = keys.open(self.epoch, self.next_seq, header, body).ok()?;
                let number = RecordNumber::new(self.epoch, inner.seq);
                Some(Opened { typ: inner.typ, number, body: inner.body, newest: true })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_end() {
        let mut epoch = WriteEpoch::new(3, Protection::Plain, MAX_SEQ - 1);
        assert_eq!(epoch.take_number(2), None, "the last two are for something else");
        assert_eq!(epoch.take_number(1), Some(RecordNumber::new(3, MAX_SEQ - 1)));
        assert_eq!(epoch.take_number(1), None);
        assert_eq!(epoch.take_number(0), Some(RecordNumber::new(3, MAX_SEQ)));
        assert_eq!(epoch.take_number(0), None);
        assert_eq!(epoch.take_number(0), None, "no way back to a used number");
    }
}
