//! The record layer of one connection: finds the epoch, opens, numbers, seals. Asks the epoch for everything else.

use alloc::{boxed::Box, vec::Vec};

use super::{
    epoch::{Opened, ReadEpoch, WriteEpoch},
    number::RecordNumber,
    protect::{Form, Overhead, Protection},
};
use crate::{
    error::{Discard, Error, SendError},
    wire::{
        enums::{ContentType, ProtocolVersion},
        record::{MAX_PLAINTEXT, RawRecord, RecordHeader, UnifiedFlags},
    },
};

/// Records of an epoch whose number fits into eight bits whatever was lost: the receiver takes the number closest to what it
/// expects, and it may expect 0 (RFC 9147 §4.2.2).
const SHORT_NUMBERS: u64 = 128;

/// Record numbers that application data leaves over, so that there is always one for close_notify, ACKs and alerts.
const CLOSING_RECORDS: u64 = 16;

/// All epochs of a connection: one to read and the one before it, which late and repeated records still come in; one to write
/// and those whose messages may have to be sent again.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct RecordLayer {
    read: ReadEpoch,
    old_read: Option<Box<ReadEpoch>>,
    write: WriteEpoch,
    old_writes: Vec<WriteEpoch>,
    /// The version field of records that have one.
    version: ProtocolVersion,
    /// Whether record numbers always take 16 bits.
    wide_numbers: bool,
}

/// A record that was written to the front of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed {
    pub(crate) len: usize,
    pub(crate) number: RecordNumber,
}

/// Which record to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRecord {
    pub(crate) epoch: u16,
    pub(crate) typ: ContentType,
    /// Nothing will follow it in its datagram.
    pub(crate) last: bool,
}

impl RecordLayer {
    /// Epoch 0 in both directions; the first record sent gets the number `first_seq`.
    pub(crate) fn new(version: ProtocolVersion, first_seq: u64, wide_numbers: bool) -> Self {
        Self {
            read: ReadEpoch::new(0, Protection::Plain, 64),
            old_read: None,
            write: WriteEpoch::new(0, Protection::Plain, first_seq),
            old_writes: Vec::new(),
            version,
            wide_numbers,
        }
    }

    /// The version to write into record headers from now on.
    pub(crate) const fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    pub(crate) const fn read_epoch(&self) -> u16 {
        self.read.number()
    }

    pub(crate) const fn write_epoch(&self) -> u16 {
        self.write.number()
    }

    /// Reads in `epoch` from now on, and in no other.
    pub(crate) fn replace_read(&mut self, epoch: ReadEpoch) {
        self.read = epoch;
        self.old_read = None;
    }

    /// Reads in `epoch` from now on, and in the epoch before it until [`Self::retire_old`]. Unprotected records are not read
    /// any more once there are keys: the ACKs that may still come in them (rfc9147bis §7 lets a receiver pass over them) are
    /// not worth what a forger could do.
    pub(crate) fn advance_read(&mut self, epoch: ReadEpoch) {
        let old = core::mem::replace(&mut self.read, epoch);
        self.old_read = if old.is_plain() { None } else { Some(Box::new(old)) };
    }

    /// Writes in `epoch` from now on; the epochs before stay for retransmission until [`Self::retire_old`].
    pub(crate) fn advance_write(&mut self, epoch: WriteEpoch) {
        let old = core::mem::replace(&mut self.write, epoch);
        self.old_writes.push(old);
    }

    /// Forgets all epochs but the current ones.
    pub(crate) fn retire_old(&mut self) {
        self.old_read = None;
        self.old_writes = Vec::new();
    }

    /// Whether records of an epoch before the current one are still read.
    pub(crate) const fn reads_old(&self) -> bool {
        self.old_read.is_some()
    }

    /// Whether the level of an alert says whether it is fatal.
    pub(crate) const fn alert_levels_count(&self) -> bool {
        self.read.alert_levels_count()
    }

    /// Whether so many forgeries were tried under a key that the connection must end (RFC 9147 §4.5.3).
    pub(crate) fn is_worn_out(&self) -> bool {
        self.read.is_worn_out() || self.old_read.as_ref().is_some_and(|e| e.is_worn_out())
    }

    /// The epoch that a record claims to be of, if it is read.
    pub(crate) fn reader_of(&self, record: &RawRecord<'_>) -> Option<&ReadEpoch> {
        let wanted = |epoch: &&ReadEpoch| match record {
            RawRecord::Legacy { header, .. } => epoch.number() == header.number.epoch(),
            RawRecord::Unified { header, .. } => {
                header.first().is_some_and(|first| epoch.takes_unified(UnifiedFlags(*first).epoch_bits()))
            }
        };
        core::iter::once(&self.read).chain(self.old_read.as_deref()).find(wanted)
    }

    /// Whether a record authenticates and is new. Its bytes are of no use afterwards; nothing else changes.
    pub(crate) fn authenticates(&self, record: RawRecord<'_>) -> bool {
        self.reader_of(&record).is_some_and(|epoch| epoch.authenticates(record))
    }

    /// Opens one record in place.
    ///
    /// # Errors
    /// [`Discard`] with the reason. Nothing has changed then but the count of failures.
    pub(crate) fn open<'d>(&mut self, record: RawRecord<'d>) -> Result<Opened<'d>, Discard> {
        match record {
            RawRecord::Legacy { header, body } => {
                let plain = header.number.epoch() == 0;
                let missing = if plain { Discard::PlaintextAfterKeys } else { Discard::UnknownEpoch };
                let epoch = self.reader(|e| e.number() == header.number.epoch()).ok_or(missing)?;
                epoch.open_legacy(&header, body)
            }
            RawRecord::Unified { header, body } => {
                let flags = UnifiedFlags(*header.first().ok_or(Discard::Malformed)?);
                let bits = flags.epoch_bits();
                let epoch = self.reader(|e| e.takes_unified(bits)).ok_or(Discard::UnknownEpoch)?;
                epoch.open_unified(header, body)
            }
        }
    }

    /// What a record of the current write epoch adds to its plaintext when it is the last of its datagram.
    pub(crate) fn overhead(&self) -> Overhead {
        self.write.protection.overhead(self.form(&self.write, true))
    }

    /// How much plaintext a record can carry if it may take `room` bytes; `None` if not even an empty one fits or the epoch is
    /// gone.
    pub(crate) fn plaintext_room(&self, record: NewRecord, room: usize) -> Option<usize> {
        let writer = self.writer(record.epoch)?;
        let form = self.form(writer, record.last);
        if room < writer.protection.record_len(form, 0) {
            return None;
        }
        room.checked_sub(writer.protection.overhead(form).total()).map(|n| n.min(MAX_PLAINTEXT))
    }

    /// The length of a record of application data with `length` bytes of plaintext, alone in its datagram.
    pub(crate) fn record_len(&self, length: usize) -> usize {
        self.write.protection.record_len(self.form(&self.write, true), length)
    }

    /// Writes one record to the front of `out`: `fill` puts the plaintext into the slice it is given and returns its length.
    ///
    /// # Errors
    /// [`Error::SequenceExhausted`], [`Error::Crypto`], or [`Error::Internal`] if the epoch is gone or nothing fits.
    pub(crate) fn seal_with(
        &mut self,
        record: NewRecord,
        out: &mut [u8],
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Sealed, Error> {
        const NO_ROOM: Error = Error::Internal("no room for a record");
        let room = self.plaintext_room(record, out.len()).ok_or(NO_ROOM)?;
        let writer = self.writer(record.epoch).ok_or(NO_ROOM)?;
        let head = writer.protection.overhead(self.form(writer, record.last)).head;
        let body = out.get_mut(head..head.saturating_add(room)).ok_or(NO_ROOM)?;
        let length = fill(body).min(room);
        self.seal(record, out, length)
    }

    /// Seals `length` bytes of application data that already stand at `overhead().head` of `out`.
    pub(crate) fn seal_application_data(
        &mut self,
        out: &mut [u8],
        length: usize,
    ) -> Result<Sealed, SendError> {
        let record = NewRecord { epoch: self.write.number(), typ: ContentType::APPLICATION_DATA, last: true };
        self.seal(record, out, length).map_err(|e| match e {
            Error::SequenceExhausted => SendError::SequenceExhausted,
            _ => SendError::Crypto,
        })
    }

    fn seal(&mut self, record: NewRecord, out: &mut [u8], length: usize) -> Result<Sealed, Error> {
        const GONE: Error = Error::Internal("no such write epoch");
        let NewRecord { epoch, typ, last } = record;
        let version = self.version;
        let form = self.form(self.writer(epoch).ok_or(GONE)?, last);
        let writer = self.writer_mut(epoch).ok_or(GONE)?;
        let reserve = if typ == ContentType::APPLICATION_DATA { CLOSING_RECORDS } else { 0 };
        let number = writer.take_number(reserve).ok_or(Error::SequenceExhausted)?;
        let len = writer.protection.seal(&RecordHeader { typ, version, number }, form, out, length)?;
        Ok(Sealed { len, number })
    }

    /// Leaves the next `count` numbers of the write epoch unused.
    #[cfg(feature = "__model")]
    pub(crate) const fn skip_numbers(&mut self, count: u64) {
        self.write.next_seq = self.write.next_seq.saturating_add(count);
    }

    /// Whether a record of this number is looked at now, or will be once there are keys for it.
    #[cfg(feature = "__model")]
    pub(crate) fn will_open(&self, number: RecordNumber) -> bool {
        let mut epochs = core::iter::once(&self.read).chain(self.old_read.as_deref());
        number.epoch() > self.read.number()
            || epochs.any(|e| e.number() == number.epoch() && e.takes(number.seq()))
    }

    /// Opens one of the last records sent; its bytes are of no use afterwards.
    #[cfg(feature = "__model")]
    pub(crate) fn reveal<'d>(&self, record: RawRecord<'d>) -> Option<Opened<'d>> {
        let wanted = |writer: &&WriteEpoch| match &record {
            RawRecord::Legacy { header, .. } => writer.number() == header.number.epoch(),
            RawRecord::Unified { header, .. } => header
                .first()
                .is_some_and(|first| u16::from(UnifiedFlags(*first).epoch_bits()) == writer.number() & 3),
        };
        core::iter::once(&self.write).chain(&self.old_writes).find(wanted)?.reveal(record)
    }

    /// As if no record had been sent or taken in.
    #[cfg(feature = "__model")]
    pub(crate) fn forget_numbers(&mut self) {
        core::iter::once(&mut self.read)
            .chain(self.old_read.as_deref_mut())
            .for_each(ReadEpoch::forget_numbers);
        core::iter::once(&mut self.write).chain(&mut self.old_writes).for_each(|w| w.next_seq = 0);
    }

    /// The shortest safe form of the writer's next record.
    const fn form(&self, writer: &WriteEpoch, last: bool) -> Form {
        Form { last, wide: self.wide_numbers || writer.next_seq >= SHORT_NUMBERS }
    }

    fn reader(&mut self, wanted: impl Fn(&ReadEpoch) -> bool) -> Option<&mut ReadEpoch> {
        if wanted(&self.read) {
            return Some(&mut self.read);
        }
        self.old_read.as_deref_mut().filter(|e| wanted(e))
    }

    fn writer(&self, epoch: u16) -> Option<&WriteEpoch> {
        core::iter::once(&self.write).chain(&self.old_writes).find(|w| w.number() == epoch)
    }

    fn writer_mut(&mut self, epoch: u16) -> Option<&mut WriteEpoch> {
        core::iter::once(&mut self.write).chain(&mut self.old_writes).find(|w| w.number() == epoch)
    }
}

#[cfg(test)]
mod exhaustive;
