//! The record layer of one connection: finds the epoch, checks, opens, marks; numbers and seals.

use alloc::boxed::Box;

use super::{
    epoch::{ReadEpoch, WriteEpoch},
    number::RecordNumber,
    protect::{Overhead, Protection},
};
use crate::{
    error::{Discard, Error, SendError},
    wire::{
        enums::{ContentType, ProtocolVersion},
        record::{MAX_PLAINTEXT, RawRecord, RecordHeader},
    },
};

/// All epochs of a connection. DTLS 1.2 reads in one epoch at a time; the write epoch before the current one is kept while
/// its messages may have to be sent again.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct RecordLayer {
    read: ReadEpoch,
    write: WriteEpoch,
    old_write: Option<Box<WriteEpoch>>,
    /// The version field of records sent.
    version: ProtocolVersion,
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

/// A record that was written to the front of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed {
    pub(crate) len: usize,
    pub(crate) number: RecordNumber,
}

impl RecordLayer {
    /// Epoch 0 in both directions; the first record sent gets the number `first_seq`.
    pub(crate) fn new(version: ProtocolVersion, first_seq: u64) -> Self {
        Self {
            read: ReadEpoch::new(0, Protection::Plain, 64),
            write: WriteEpoch::new(0, Protection::Plain, first_seq),
            old_write: None,
            version,
        }
    }

    /// The version to write into record headers from now on.
    pub(crate) const fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    pub(crate) const fn read_epoch(&self) -> u16 {
        self.read.epoch
    }

    pub(crate) const fn write_epoch(&self) -> u16 {
        self.write.epoch
    }

    /// Reads in `epoch` from now on. Nothing of the epoch before can be read any more.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        self.read = epoch;
    }

    /// Writes in `epoch` from now on; the epoch before stays for retransmission until [`Self::retire_old_write`].
    pub(crate) fn install_write(&mut self, epoch: WriteEpoch) {
        let old = core::mem::replace(&mut self.write, epoch);
        self.old_write = Some(Box::new(old));
    }

    /// Forgets the previous write epoch.
    pub(crate) fn retire_old_write(&mut self) {
        self.old_write = None;
    }

    /// Opens one record in place: epoch, then replay check, then authentication, then marking. One function, so that
    /// nothing can be reordered or skipped (RFC 6347 §4.1.2.6).
    ///
    /// # Errors
    /// [`Discard`] with the reason. Nothing has changed then.
    pub(crate) fn open<'d>(&mut self, record: RawRecord<'d>) -> Result<Opened<'d>, Discard> {
        let RawRecord { header, body } = record;
        let RecordHeader { typ, number, .. } = header;
        let read = &mut self.read;
        if number.epoch() != read.epoch {
            let plain = number.epoch() == 0;
            return Err(if plain { Discard::PlaintextAfterKeys } else { Discard::UnknownEpoch });
        }
        // In epoch 0 nothing authenticates a number: a window there would let any forger shut out genuine records.
        // Repeated messages are recognised by message_seq instead.
        if read.protection.is_plain() {
            let body = read.protection.open(&header, body)?;
            return Ok(Opened { typ, number, body, newest: true });
        }
        read.window.check(number.seq())?;
        let body = read.protection.open(&header, body)?;
        let newest = read.window.mark(number.seq());
        Ok(Opened { typ, number, body, newest })
    }

    /// What a record of the current write epoch adds to its plaintext.
    pub(crate) const fn overhead(&self) -> Overhead {
        self.write.protection.overhead()
    }

    /// How much plaintext a record of `epoch` can carry if the record may take `room` bytes; `None` if not even an empty
    /// one fits or the epoch is gone.
    pub(crate) fn plaintext_room(&self, epoch: u16, room: usize) -> Option<usize> {
        let overhead = self.writer(epoch)?.protection.overhead();
        room.checked_sub(overhead.total()).map(|n| n.min(MAX_PLAINTEXT))
    }

    /// Writes one record of `epoch` to the front of `out`: `fill` puts the plaintext into the slice it is given and returns
    /// its length.
    ///
    /// # Errors
    /// [`Error::SequenceExhausted`], [`Error::Crypto`], or [`Error::Internal`] if the epoch is gone or nothing fits.
    pub(crate) fn seal_with(
        &mut self,
        epoch: u16,
        typ: ContentType,
        out: &mut [u8],
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Sealed, Error> {
        let room = self.plaintext_room(epoch, out.len()).ok_or(Error::Internal("no room for a record"))?;
        let head = self.writer(epoch).map_or(0, |w| w.protection.overhead().head);
        let body =
            out.get_mut(head..head.saturating_add(room)).ok_or(Error::Internal("no room for a record"))?;
        let length = fill(body).min(room);
        self.seal(epoch, typ, out, length)
    }

    /// Seals `length` bytes of application data that already stand at `overhead().head` of `out`.
    pub(crate) fn seal_application_data(
        &mut self,
        out: &mut [u8],
        length: usize,
    ) -> Result<Sealed, SendError> {
        let epoch = self.write.epoch;
        self.seal(epoch, ContentType::APPLICATION_DATA, out, length).map_err(|e| match e {
            Error::SequenceExhausted => SendError::SequenceExhausted,
            _ => SendError::Crypto,
        })
    }

    fn seal(&mut self, epoch: u16, typ: ContentType, out: &mut [u8], length: usize) -> Result<Sealed, Error> {
        let version = self.version;
        let writer = self.writer_mut(epoch).ok_or(Error::Internal("no such write epoch"))?;
        let number = writer.take_number().ok_or(Error::SequenceExhausted)?;
        let len = writer.protection.seal(&RecordHeader { typ, version, number }, out, length)?;
        Ok(Sealed { len, number })
    }

    fn writer(&self, epoch: u16) -> Option<&WriteEpoch> {
        if self.write.epoch == epoch {
            return Some(&self.write);
        }
        self.old_write.as_deref().filter(|w| w.epoch == epoch)
    }

    fn writer_mut(&mut self, epoch: u16) -> Option<&mut WriteEpoch> {
        if self.write.epoch == epoch {
            return Some(&mut self.write);
        }
        self.old_write.as_deref_mut().filter(|w| w.epoch == epoch)
    }
}
