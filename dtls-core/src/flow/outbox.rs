//! Flights (RFC 6347 §4.2.4, RFC 9147 §5.7): kept as plaintext messages, cut into fragments only while a datagram is being
//! written.
//!
//! Nothing encrypted is queued. A retransmission rewinds the cursor and skips what was acknowledged; a smaller MTU needs no
//! special code.

use alloc::{collections::VecDeque, vec::Vec};

use super::ranges::Holes;
use crate::{
    error::Error,
    record::{
        layer::{NewRecord, RecordLayer, Sealed},
        number::RecordNumber,
    },
    wire::{
        enums::{ContentType, HandshakeType},
        handshake::{FragmentHeader, HEADER_LEN},
    },
};

/// Fragments sent that an acknowledgement can still refer to; the oldest is forgotten, and simply sent again if need be.
const MAX_SENT: usize = 64;

/// When a flight is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Delivery {
    /// By timer, until the peer's next flight arrives.
    UntilReply,
    /// Only when the peer shows that it missed it: the last flight of DTLS 1.2 (RFC 6347 §4.2.4).
    OnDemand,
    /// By timer, until every byte is acknowledged (RFC 9147 §7).
    UntilAcked,
}

/// One thing of a flight.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
enum Item {
    Message(Outgoing),
    /// ChangeCipherSpec, in epoch 0; part of the flight like any message (RFC 6347 §4.2.5).
    Ccs,
}

#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Outgoing {
    epoch: u16,
    typ: HandshakeType,
    seq: u16,
    body: Vec<u8>,
    /// What the peer has not acknowledged. A message without a body has one imaginary byte, so that it can be.
    unacked: Holes,
}

/// A fragment that went out in a record.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
struct Sent {
    /// `None` while its record is being written.
    number: Option<RecordNumber>,
    item: usize,
    range: (usize, usize),
    /// Which transmission of the flight it was part of.
    transmission: u16,
}

/// What a record sent said: which item of the flight, which range of its bytes, and whether in the latest transmission.
#[cfg(feature = "__model")]
pub(crate) type Awaited = (usize, (usize, usize), bool);

/// What an acknowledged record says about the flight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Acked {
    /// Nothing that was not known.
    Nothing,
    /// Part of an earlier transmission arrived. What was sent again since is on its way.
    Earlier,
    /// Part of the latest transmission arrived. What is left of it was lost, or will be acknowledged next.
    Latest,
}

/// The flight being sent, or waiting for its answer.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Outbox {
    items: Vec<Item>,
    delivery: Delivery,
    /// First item not yet wholly written in this round, and how much of it is.
    cursor: (usize, usize),
    sent: VecDeque<Sent>,
    /// Records written in this round.
    round: u16,
    /// How often the flight was begun anew.
    transmission: u16,
    next_seq: u16,
    packing: Packing,
}

/// How flights are put into records and datagrams.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Packing {
    /// Whether several messages may share an unprotected record.
    pub(crate) plain: bool,
    /// Most records in one round of a flight that is acknowledged (RFC 9147 §5.8.3); 0 for no limit.
    pub(crate) burst: u16,
}

/// The next piece of the flight to write: an unacknowledged range of one item.
#[derive(Clone, Copy)]
struct Piece {
    item: usize,
    from: usize,
    to: usize,
}

impl Outgoing {
    /// Bytes that can be acknowledged: the body's, or one for an empty body.
    fn extent(&self) -> usize {
        self.body.len().max(1)
    }
}

impl Outbox {
    /// Empty; the first message gets the message_seq `next_seq`.
    pub(crate) const fn new(next_seq: u16, packing: Packing) -> Self {
        Self {
            items: Vec::new(),
            delivery: Delivery::OnDemand,
            cursor: (0, 0),
            sent: VecDeque::new(),
            round: 0,
            transmission: 0,
            next_seq,
            packing,
        }
    }

    /// Forgets the flight before, which the peer has answered, and starts a new one.
    pub(crate) fn begin_flight(&mut self, delivery: Delivery) {
        self.clear();
        self.delivery = delivery;
    }

    /// Forgets the flight.
    pub(crate) fn clear(&mut self) {
        self.items = Vec::new();
        self.sent = VecDeque::new();
        self.rewind();
    }

    /// Appends a message to the flight and returns the message_seq it got.
    pub(crate) fn push_message(&mut self, epoch: u16, typ: HandshakeType, body: Vec<u8>) -> u16 {
        let seq = self.next_seq;
        self.next_seq = self.next_seq.saturating_add(1);
        let unacked = Holes::whole(body.len().max(1));
        self.items.push(Item::Message(Outgoing { epoch, typ, seq, body, unacked }));
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

    /// Bytes of message bodies held.
    pub(crate) fn held(&self) -> usize {
        self.items.iter().fold(0, |sum, item| match item {
            Item::Message(message) => sum.saturating_add(message.body.len()),
            Item::Ccs => sum,
        })
    }

    /// Whether something of the flight is still to be written in this round.
    pub(crate) fn has_pending(&self) -> bool {
        self.piece().is_some() || self.at_ccs()
    }

    /// Whether enough was sent for one round: the rest waits for an acknowledgement or the timer.
    pub(crate) fn is_paused(&self) -> bool {
        self.delivery == Delivery::UntilAcked && self.packing.burst > 0 && self.round >= self.packing.burst
    }

    /// Goes on with what a burst has left over, if it has: nobody has acknowledged anything of it, as a listener cannot that
    /// keeps nothing of a hello it has not got in full.
    pub(crate) fn goes_on(&mut self) -> bool {
        let goes_on = self.is_paused() && self.has_pending();
        if goes_on {
            self.round = 0;
        }
        goes_on
    }

    /// Whether nothing of the flight was written in this round.
    pub(crate) const fn is_at_start(&self) -> bool {
        self.round == 0
    }

    /// Sends what is unacknowledged of the flight again.
    pub(crate) const fn rewind(&mut self) {
        self.cursor = (0, 0);
        self.round = 0;
        self.transmission = self.transmission.wrapping_add(1);
    }

    /// Takes everything for lost again.
    pub(crate) fn forget_acks(&mut self) {
        for item in &mut self.items {
            if let Item::Message(message) = item {
                message.unacked = Holes::whole(message.extent());
            }
        }
    }

    /// The peer has received the record `number` (RFC 9147 §7.2).
    pub(crate) fn on_ack(&mut self, number: RecordNumber) -> Acked {
        let Self { items, sent, .. } = self;
        let mut news = Acked::Nothing;
        for Sent { item, range, transmission, .. } in sent.iter().filter(|s| s.number == Some(number)) {
            if let Some(Item::Message(message)) = items.get_mut(*item) {
                if message.unacked.missing_in(range.0, range.1) > 0 {
                    let latest = *transmission == self.transmission;
                    news = news.max(if latest { Acked::Latest } else { Acked::Earlier });
                }
                message.unacked.fill(range.0, range.1);
            }
        }
        sent.retain(|s| s.number != Some(number));
        news
    }

    /// The peer has the keys that the plaintext part of the flight leads to, and so all of that part.
    pub(crate) fn on_keys_proven(&mut self) -> Acked {
        let mut news = Acked::Nothing;
        for item in &mut self.items {
            if let Item::Message(message) = item
                && message.epoch == 0
                && !message.unacked.is_empty()
            {
                message.unacked.fill(0, message.extent());
                news = Acked::Latest;
            }
        }
        news
    }

    /// The records that an ACK can still say something new about, each with what it would say. With `forgetful`, what was
    /// acknowledged may be forgotten.
    #[cfg(feature = "__model")]
    pub(crate) fn awaited(&self, forgetful: bool) -> impl Iterator<Item = (RecordNumber, Awaited)> {
        self.sent.iter().filter_map(move |Sent { number, item, range, transmission }| {
            let message = self.message(*item)?;
            let is_news = forgetful || message.unacked.missing_in(range.0, range.1) > 0;
            let latest = *transmission == self.transmission;
            number.filter(|_| is_news).map(|number| (number, (*item, *range, latest)))
        })
    }

    /// Whether it would be news that the peer has the keys of the protected part.
    #[cfg(feature = "__model")]
    pub(crate) fn awaits_proof(&self) -> bool {
        (0..self.items.len()).filter_map(|i| self.message(i)).any(|m| m.epoch == 0 && !m.unacked.is_empty())
    }

    /// The numbers are told apart by whoever asks for [`Self::awaited`].
    #[cfg(feature = "__model")]
    pub(crate) fn forget_numbers(&mut self) {
        self.sent = VecDeque::new();
        self.transmission = 0;
    }

    /// Whether nothing of the flight is left unacknowledged.
    pub(crate) fn is_acked(&self) -> bool {
        self.items.iter().all(|item| match item {
            Item::Message(message) => message.unacked.is_empty(),
            Item::Ccs => true,
        })
    }

    /// Writes as much of the flight as fits into `out`, one datagram, and returns its length; reports each record. With
    /// `more`, something else will follow in the same datagram if it has room.
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
        more: bool,
        mut sealed: impl FnMut(ContentType, Sealed),
    ) -> Result<usize, Error> {
        let mut used = 0usize;
        while !self.is_paused() {
            let rest = out.get_mut(used..).unwrap_or_default();
            let Some((record, least)) = self.next_record(records, rest.len(), more) else { break };
            if records.plaintext_room(record, rest.len()).is_none_or(|room| room < least) {
                break;
            }
            let written = records.seal_with(record, rest, |body| match record.typ {
                ContentType::CHANGE_CIPHER_SPEC => self.write_ccs(body),
                _ => self.write_fragments(record.epoch, body),
            })?;
            for sent in self.sent.iter_mut().filter(|s| s.number.is_none()) {
                sent.number = Some(written.number);
            }
            sealed(record.typ, written);
            self.round = self.round.saturating_add(1);
            used = used.saturating_add(written.len);
        }
        Ok(used)
    }

    /// Whether what comes next need not be cut to fit into a datagram of `room` bytes.
    pub(crate) fn fits_uncut(&self, records: &RecordLayer, room: usize) -> bool {
        let Some((record, least)) = self.next_record(records, room, false) else { return true };
        let whole = self.piece().and_then(|p| Some(piece_len(p, self.message(p.item)?))).unwrap_or(least);
        records.plaintext_room(record, room).is_some_and(|n| n >= whole)
    }

    /// The record to write next into `room` bytes, and the least plaintext worth one.
    fn next_record(&self, records: &RecordLayer, room: usize, more: bool) -> Option<(NewRecord, usize)> {
        if self.at_ccs() {
            let typ = ContentType::CHANGE_CIPHER_SPEC;
            return Some((NewRecord { epoch: 0, typ, last: false }, 1));
        }
        let first = self.piece()?;
        let epoch = self.message(first.item)?.epoch;
        let mut record = NewRecord { epoch, typ: ContentType::HANDSHAKE, last: true };
        // It is the last of its datagram if it fills it, or if nothing is left to be sent afterwards.
        let (run, goes_on) = self.run(first, epoch);
        let filled = records.plaintext_room(record, room).is_none_or(|n| run > n);
        record.last = filled || !(goes_on || more);
        let body = usize::from(!self.message(first.item)?.body.is_empty());
        Some((record, HEADER_LEN.saturating_add(body)))
    }

    /// Plaintext bytes of what one record of `epoch` would take from `first` on if it had room, and whether something of the
    /// flight would be left.
    fn run(&self, first: Piece, epoch: u16) -> (usize, bool) {
        let mut total = 0usize;
        let mut next = Some(first);
        while let Some(piece) = next {
            let Some(message) = self.message(piece.item).filter(|m| m.epoch == epoch) else { break };
            total = total.saturating_add(piece_len(piece, message));
            next = self.piece_after((piece.item, piece.to));
        }
        (total, next.is_some())
    }

    /// Whether the cursor stands at a ChangeCipherSpec.
    fn at_ccs(&self) -> bool {
        matches!(self.items.get(self.cursor.0), Some(Item::Ccs))
    }

    fn message(&self, item: usize) -> Option<&Outgoing> {
        match self.items.get(item)? {
            Item::Message(message) => Some(message),
            Item::Ccs => None,
        }
    }

    /// The piece at the cursor.
    fn piece(&self) -> Option<Piece> {
        self.piece_after(self.cursor)
    }

    /// The first unacknowledged range from a position on, up to the next ChangeCipherSpec.
    fn piece_after(&self, (item, offset): (usize, usize)) -> Option<Piece> {
        let mut offset = offset;
        for (index, entry) in self.items.iter().enumerate().skip(item) {
            let Item::Message(message) = entry else { return None };
            if let Some((from, to)) = message.unacked.first_in(offset, message.extent()) {
                return Some(Piece { item: index, from, to });
            }
            offset = 0;
        }
        None
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
        while let Some(piece) = self.piece() {
            let Some(message) = self.message(piece.item).filter(|m| m.epoch == epoch) else { break };
            let rest = out.get_mut(used..).unwrap_or_default();
            let left = message.body.get(piece.from..piece.to.min(message.body.len())).unwrap_or_default();
            let room = rest.len().checked_sub(HEADER_LEN);
            let Some(room) = room.filter(|room| *room > 0 || left.is_empty()) else { break };
            let length = left.len().min(room);
            let header = FragmentHeader {
                typ: message.typ,
                length: to_u24(message.body.len()),
                message_seq: message.seq,
                fragment_offset: to_u24(piece.from),
                fragment_length: to_u24(length),
            };
            for (to, from) in rest.iter_mut().zip(header.encode().iter().chain(left.iter().take(length))) {
                *to = *from;
            }
            used = used.saturating_add(HEADER_LEN).saturating_add(length);
            let end = piece.from.saturating_add(length.max(usize::from(message.body.is_empty())));
            self.advance(piece, end);
            if epoch == 0 && !self.packing.plain {
                break;
            }
        }
        used
    }

    /// Moves the cursor behind what was written of `piece` and remembers it.
    fn advance(&mut self, piece: Piece, end: usize) {
        let done = self.message(piece.item).is_none_or(|m| end >= m.extent());
        self.cursor = if done { (piece.item.saturating_add(1), 0) } else { (piece.item, end) };
        if self.delivery != Delivery::UntilAcked {
            return;
        }
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        let (range, transmission) = ((piece.from, end), self.transmission);
        self.sent.push_back(Sent { number: None, item: piece.item, range, transmission });
    }
}

/// Bytes of a piece of `message` with its header.
fn piece_len(piece: Piece, message: &Outgoing) -> usize {
    HEADER_LEN.saturating_add(piece.to.min(message.body.len()).saturating_sub(piece.from))
}

/// Message bodies are far below 2^24 bytes: they are made here, bounded by configuration.
fn to_u24(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
