//! Flights (RFC 6347 §4.2.4): kept as plaintext messages, cut into fragments only while a datagram is being written.
//!
//! Nothing encrypted is queued. A retransmission rewinds the cursor; a smaller MTU needs no special code.

use alloc::vec::Vec;

use crate::{
    error::Error,
    record::layer::{RecordLayer, Sealed},
    wire::{
        enums::{ContentType, HandshakeType},
        handshake::{FragmentHeader, HEADER_LEN},
    },
};

/// When a flight is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Delivery {
    /// By timer, until the peer's next flight arrives.
    UntilReply,
    /// Only when the peer shows that it missed it: the last flight (RFC 6347 §4.2.4).
    OnDemand,
}

/// One thing of a flight.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
enum Item {
    Message {
        epoch: u16,
        typ: HandshakeType,
        seq: u16,
        body: Vec<u8>,
    },
    /// ChangeCipherSpec, in epoch 0; part of the flight like any message (RFC 6347 §4.2.5).
    Ccs,
}

/// The flight being sent, or waiting for its answer.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Outbox {
    items: Vec<Item>,
    delivery: Delivery,
    /// First item not yet wholly written in this round, and how much of it is.
    cursor: (usize, usize),
    next_seq: u16,
    /// Whether several messages may share an unprotected record.
    pack_plain: bool,
}

impl Outbox {
    /// Empty; the first message gets the message_seq `next_seq`.
    pub(crate) const fn new(next_seq: u16, pack_plain: bool) -> Self {
        Self { items: Vec::new(), delivery: Delivery::OnDemand, cursor: (0, 0), next_seq, pack_plain }
    }

    /// Forgets the flight before, which the peer has answered, and starts a new one.
    pub(crate) fn begin_flight(&mut self, delivery: Delivery) {
        self.clear();
        self.delivery = delivery;
    }

    /// Forgets the flight.
    pub(crate) fn clear(&mut self) {
        self.items = Vec::new();
        self.cursor = (0, 0);
    }

    /// Appends a message to the flight and returns the message_seq it got.
    pub(crate) fn push_message(&mut self, epoch: u16, typ: HandshakeType, body: Vec<u8>) -> u16 {
        let seq = self.next_seq;
        self.next_seq = self.next_seq.saturating_add(1);
        self.items.push(Item::Message { epoch, typ, seq, body });
        seq
    }

    /// The message_seq the next message will get.
    pub(crate) const fn next_seq(&self) -> u16 {
        self.next_seq
    }

    /// Appends a ChangeCipherSpec to the flight.
    pub(crate) fn push_ccs(&mut self) {
        self.items.push(Item::Ccs);
    }

    pub(crate) const fn delivery(&self) -> Delivery {
        self.delivery
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something of the flight is still to be written in this round.
    pub(crate) fn has_pending(&self) -> bool {
        self.cursor.0 < self.items.len()
    }

    /// Whether nothing of the flight was written in this round.
    pub(crate) const fn is_at_start(&self) -> bool {
        matches!(self.cursor, (0, 0))
    }

    /// Sends the whole flight again.
    pub(crate) const fn rewind(&mut self) {
        self.cursor = (0, 0);
    }

    /// Writes as much of the flight as fits into `out`, one datagram, and returns its length; reports each record.
    ///
    /// Packing is greedy: a fragment is cut only where the datagram is full, and in protected epochs consecutive messages
    /// share a record.
    ///
    /// # Errors
    /// [`Error`] if a record cannot be sealed.
    pub(crate) fn fill(
        &mut self,
        records: &mut RecordLayer,
        out: &mut [u8],
        mut sealed: impl FnMut(ContentType, Sealed),
    ) -> Result<usize, Error> {
        let mut used = 0usize;
        while let Some(item) = self.items.get(self.cursor.0) {
            let rest = out.get_mut(used..).unwrap_or_default();
            let (typ, epoch, least) = match item {
                Item::Ccs => (ContentType::CHANGE_CIPHER_SPEC, 0, 1),
                Item::Message { epoch, .. } => (
                    ContentType::HANDSHAKE,
                    *epoch,
                    self.least_fragment().ok_or(Error::Internal("flight cursor"))?,
                ),
            };
            match records.plaintext_room(epoch, rest.len()) {
                Some(room) if room >= least => {}
                _ => break,
            }
            let record = records.seal_with(epoch, typ, rest, |body| match typ {
                ContentType::CHANGE_CIPHER_SPEC => self.write_ccs(body),
                _ => self.write_fragments(epoch, body),
            })?;
            sealed(typ, record);
            used = used.saturating_add(record.len);
        }
        Ok(used)
    }

    /// The fewest bytes worth a fragment at the cursor: its header and one byte of body, if there is any.
    fn least_fragment(&self) -> Option<usize> {
        match self.items.get(self.cursor.0)? {
            Item::Message { body, .. } => Some(HEADER_LEN.saturating_add(usize::from(!body.is_empty()))),
            Item::Ccs => None,
        }
    }

    fn write_ccs(&mut self, body: &mut [u8]) -> usize {
        let Some(byte) = body.first_mut() else { return 0 };
        *byte = 1;
        self.cursor = (self.cursor.0.saturating_add(1), 0);
        1
    }

    /// Writes fragments of consecutive messages of `epoch` until `out` is full.
    fn write_fragments(&mut self, epoch: u16, out: &mut [u8]) -> usize {
        let mut used = 0usize;
        loop {
            let least = self.least_fragment();
            let (index, offset) = self.cursor;
            let Some(Item::Message { epoch: e, typ, seq, body }) = self.items.get(index) else { break };
            let rest = out.get_mut(used..).unwrap_or_default();
            if *e != epoch || least.is_none_or(|n| rest.len() < n) {
                break;
            }
            let left = body.get(offset..).unwrap_or_default();
            let length = left.len().min(rest.len().saturating_sub(HEADER_LEN));
            let header = FragmentHeader {
                typ: *typ,
                length: to_u24(body.len()),
                message_seq: *seq,
                fragment_offset: to_u24(offset),
                fragment_length: to_u24(length),
            };
            for (to, from) in rest.iter_mut().zip(header.encode().iter().chain(left.iter().take(length))) {
                *to = *from;
            }
            used = used.saturating_add(HEADER_LEN).saturating_add(length);
            let done = offset.saturating_add(length);
            self.cursor = if done >= body.len() { (index.saturating_add(1), 0) } else { (index, done) };
            if epoch == 0 && !self.pack_plain {
                break;
            }
        }
        used
    }
}

/// Message bodies are far below 2^24 bytes: they are made here, bounded by configuration.
fn to_u24(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
