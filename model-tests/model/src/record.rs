//! The record layer: which epochs are keyed, and which records get through.
//!
//! It knows no messages. The replay window has no state of its own here: the only record that can come twice is the last
//! one, and once an end has a connection its number is taken, unless nothing could read it yet.

use crate::alphabet::{Content, Record, Seal};
use crate::guard::Guard;
use crate::handshake::{Rules, Setting};

/// Keys and epochs of one end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RecordLayer {
    /// One bit for each epoch above 0 with keys for reading.
    read: u8,
    /// The epoch of alerts, ACKs and application data.
    write: u8,
}

impl RecordLayer {
    /// The epoch is keyed for reading; the epoch before stays so, until it is forgotten.
    pub fn read(&mut self, epoch: u8) {
        self.read |= 1 << epoch;
    }

    /// Drops the keys of an old epoch.
    pub fn forget(&mut self, epoch: u8) {
        self.read &= !(1 << epoch);
    }

    /// Drops the keys of all epochs but the newest.
    pub fn forget_old(&mut self) {
        self.read = self.read.checked_ilog2().map_or(0, |newest| 1 << newest);
    }

    /// Whether no newer epoch is keyed for reading.
    #[must_use]
    pub fn is_newest(&self, epoch: u8) -> bool {
        self.read.checked_ilog2().unwrap_or(0) == u32::from(epoch)
    }

    /// Sets the epoch of what belongs to no flight.
    pub fn write(&mut self, epoch: u8) {
        self.write = epoch;
    }

    /// The epoch of what belongs to no flight.
    #[must_use]
    pub fn sending(&self) -> u8 {
        self.write
    }

    /// Whether there are keys to read an epoch.
    #[must_use]
    pub fn has(&self, epoch: u8) -> bool {
        self.read & (1 << epoch) != 0
    }

    /// Whether plaintext is still listened to: until the first epoch is keyed for reading.
    #[must_use]
    pub fn hears_plaintext(&self, setting: &Setting) -> bool {
        self.read == 0 || !setting.holds(Guard::PlaintextAfterKeys)
    }

    /// The record's content, or why the record is dropped. Nothing else changes by a record that is dropped.
    pub fn open(&self, setting: &Setting, record: Record) -> Result<Content, Rules> {
        if record.epoch == 0 {
            self.open_plaintext(setting, record.content)
        } else if !self.has(record.epoch) {
            Err(&["9147-6.1-epoch-2", "9147-4.5.2-inv-2", "6347-4.1-early-1", "6347-4.1-oldepoch-1"])
        } else if record.seal == Seal::Broken && setting.holds(Guard::SealChecked) {
            Err(&["9147-4.5.2-inv-3", "6347-4.1.2.1-mac-2", "6347-4.1.2.7-invalid-1"])
        } else if record.content == Content::Unknown {
            Err(&["9147-4.1-demux-4", "6347-4.1.2.7-invalid-1"])
        } else {
            Ok(record.content)
        }
    }

    fn open_plaintext(&self, setting: &Setting, content: Content) -> Result<Content, Rules> {
        match content {
            Content::Unknown => Err(&["9147-4.1-demux-3", "6347-4.1.2.7-invalid-1"]),
            Content::Data if setting.holds(Guard::DataUnderKeys) => {
                Err(&["9147-4-plain-5", "6347-4.1-early-2"])
            }
            // The ChangeCipherSpec of 1.2 is itself what keys epoch 1; a second one meets the next line.
            _ if !self.hears_plaintext(setting) && content != Content::Data => {
                Err(&["6347-4.2.7-alert-4", "9147-4-plain-5"])
            }
            other => Ok(other),
        }
    }
}
