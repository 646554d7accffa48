//! Reassembly (RFC 6347 §4.2.2, §4.2.3): whole messages in order of message_seq, out of fragments in any order.
//!
//! Memory is proportional to bytes received: a message's bytes are kept dense, in order of offset, and the holes say where
//! they belong. What does not fit into the limits is refused and counted, never stored in part.

use alloc::{collections::VecDeque, vec::Vec};

use super::ranges::Holes;
use crate::{
    error::Discard,
    wire::{
        enums::HandshakeType,
        handshake::{Fragment, Message},
    },
};

/// Bounds of one inbox.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct InboxLimits {
    /// Bytes of message bodies held at one time.
    pub(crate) bytes: usize,
    /// Longest single message.
    pub(crate) message: usize,
    /// How many messages ahead are kept: message_seq from the next one up to this many.
    pub(crate) window: u16,
    /// Missing ranges per message.
    pub(crate) holes: usize,
}

/// What became of a fragment that was not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Inserted {
    /// It brought new bytes.
    Stored,
    /// It was known already.
    Known,
}

/// Messages being put together.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Inbox {
    /// `None` after the last number there is: the count does not wrap, so nothing can follow (RFC 9147 §5.2).
    next_seq: Option<u16>,
    limits: InboxLimits,
    /// Slot `i` belongs to message_seq `next_seq + i`.
    slots: VecDeque<Option<Partial>>,
    /// The message before `next_seq`, without its body if that is longer than [`LAST_KEPT`].
    last: Option<Partial>,
}

/// Bytes of the longest body that is kept to tell a message that comes again from another one: any Finished (RFC 5246 §7.4.9,
/// RFC 8446 §4.4.4).
const LAST_KEPT: usize = 64;

#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Partial {
    typ: HandshakeType,
    epoch: u16,
    length: usize,
    holes: Holes,
    /// The bytes present, in order of offset.
    data: Vec<u8>,
}

impl Inbox {
    /// Expects `next_seq` first, or nothing.
    pub(crate) const fn new(next_seq: Option<u16>, limits: InboxLimits) -> Self {
        Self { next_seq, limits, slots: VecDeque::new(), last: None }
    }

    /// The message_seq of the message expected next, if any can come.
    pub(crate) const fn next_seq(&self) -> Option<u16> {
        self.next_seq
    }

    /// Whether the message with this number was taken in, or can never be.
    pub(crate) fn is_old(&self, message_seq: u16) -> bool {
        self.next_seq.is_none_or(|next| message_seq < next)
    }

    /// Whether this is the number of the message that was taken in last.
    pub(crate) fn is_last(&self, message_seq: u16) -> bool {
        message_seq.checked_add(1) == self.next_seq
    }

    /// Takes in a fragment received in `epoch`. Of contradicting fragments the newer counts in epoch 0, where either may be
    /// forged and the genuine one comes again. `keep` says that what was taken in is acknowledged and must not be given up
    /// (RFC 9147 §7); the next message then always finds room.
    ///
    /// # Errors
    /// [`Discard`] if it is old, too far ahead, contradicts an earlier fragment or exceeds a limit. Nothing has changed then.
    pub(crate) fn insert(
        &mut self,
        fragment: &Fragment<'_>,
        epoch: u16,
        keep: bool,
    ) -> Result<Inserted, Discard> {
        let header = &fragment.header;
        // message_seq never wraps, so the distance is plain.
        let ahead = self.next_seq.and_then(|next| header.message_seq.checked_sub(next));
        let ahead = ahead.ok_or(Discard::OldMessage)?;
        if ahead >= self.limits.window {
            return Err(Discard::OutsideWindow);
        }
        let length = to_usize(header.length);
        if length > self.limits.message {
            return Err(Discard::FragmentTooLarge);
        }
        let slot = usize::from(ahead);
        let start = to_usize(header.fragment_offset);
        let end = start.saturating_add(fragment.body.len());
        let fits =
            |known: &Partial| known.typ == header.typ && known.length == length && known.epoch == epoch;
        let (new_bytes, old_bytes) = match self.slots.get(slot).and_then(Option::as_ref) {
            Some(known) if fits(known) => {
                if known.holes.count_after(start, end) > self.limits.holes {
                    return Err(Discard::NoRoom);
                }
                (known.holes.missing_in(start, end), 0)
            }
            Some(known) if known.epoch == 0 && epoch == 0 => (fragment.body.len(), known.data.len()),
            Some(_) => return Err(Discard::FragmentMismatch),
            None => (fragment.body.len(), 0),
        };
        self.make_room(slot, new_bytes, old_bytes, keep)?;
        while self.slots.len() <= slot {
            self.slots.push_back(None);
        }
        let entry = self.slots.get_mut(slot).ok_or(Discard::NoRoom)?;
        entry.take_if(|known| !fits(known));
        let known = entry.is_some();
        let partial = entry.get_or_insert_with(|| Partial {
            typ: header.typ,
            epoch,
            length,
            holes: Holes::whole(length),
            data: Vec::new(),
        });
        partial.store(start, fragment.body);
        Ok(if known && new_bytes == 0 { Inserted::Known } else { Inserted::Stored })
    }

    /// The next message, once it is whole, and the epoch it came in.
    pub(crate) fn front(&self) -> Option<(Message<'_>, u16)> {
        let partial = self.slots.front()?.as_ref()?;
        if !partial.holes.is_empty() {
            return None;
        }
        Some((Message { typ: partial.typ, seq: self.next_seq?, body: &partial.data }, partial.epoch))
    }

    /// Drops the front message and goes on to the next.
    pub(crate) fn pop(&mut self) {
        self.last = self.slots.pop_front().flatten();
        if let Some(last) = self.last.as_mut().filter(|last| last.data.len() > LAST_KEPT) {
            last.data = Vec::new();
        }
        self.next_seq = self.next_seq.and_then(|next| next.checked_add(1));
        if self.slots.is_empty() {
            self.slots = VecDeque::new();
        }
    }

    /// Whether a fragment received in `epoch` has the number of the last message that was taken in, and is not of it.
    pub(crate) fn contradicts_last(&self, fragment: &Fragment<'_>, epoch: u16) -> bool {
        let header = &fragment.header;
        let Some(last) = &self.last else { return false };
        if !self.is_last(header.message_seq) {
            return false;
        }
        let start = to_usize(header.fragment_offset);
        let known = last.data.get(start..start.saturating_add(fragment.body.len()));
        let same_body = last.data.len() < last.length || known == Some(fragment.body);
        let same_kind = (last.typ, last.length, last.epoch) == (header.typ, to_usize(header.length), epoch);
        !(same_kind && same_body)
    }

    /// Whether something was received while something before it is missing.
    pub(crate) fn has_gap(&self) -> bool {
        let front_has_gap = match self.slots.front() {
            Some(Some(partial)) => {
                partial.holes.first_in(0, partial.length).is_some_and(|(_, to)| to < partial.length)
            }
            _ => false,
        };
        front_has_gap || self.slots.len() > 1
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Forgets everything received in part or ahead; called when the read epoch changes, so that no message spans it.
    pub(crate) fn clear(&mut self) {
        self.slots = VecDeque::new();
    }

    /// Bytes of message bodies held.
    pub(crate) fn held(&self) -> usize {
        self.slots.iter().flatten().fold(0, |sum, p| sum.saturating_add(p.data.len()))
    }

    /// Makes room for `new` bytes in `slot` in place of `old` ones, by giving up messages further ahead, which the peer will
    /// send again, unless they are to be kept.
    fn make_room(&mut self, slot: usize, new: usize, old: usize, keep: bool) -> Result<(), Discard> {
        let mut held = self.held().saturating_sub(old).saturating_add(new);
        if keep {
            let fits = slot == 0 || new == 0 || held <= self.limits.bytes;
            return if fits { Ok(()) } else { Err(Discard::NoRoom) };
        }
        let mut last = self.slots.len();
        let mut victims = last;
        while held > self.limits.bytes {
            last = last.checked_sub(1).filter(|i| *i > slot).ok_or(Discard::NoRoom)?;
            held = held
                .saturating_sub(self.slots.get(last).and_then(Option::as_ref).map_or(0, |p| p.data.len()));
            victims = last;
        }
        self.slots.truncate(victims);
        Ok(())
    }
}

impl Partial {
    /// Inserts the bytes of `body` that are still missing.
    fn store(&mut self, start: usize, body: &[u8]) {
        let end = start.saturating_add(body.len());
        while let Some((from, to)) = self.holes.first_in(start, end) {
            let at = self.holes.present_before(from);
            if let Some(new) = body.get(from.saturating_sub(start)..to.saturating_sub(start)) {
                self.data.reserve_exact(new.len());
                self.data.splice(at..at, new.iter().copied());
            }
            self.holes.fill(from, to);
        }
    }
}

const fn to_usize(n: u32) -> usize {
    #[allow(clippy::as_conversions, reason = "24-bit wire lengths fit every supported usize; const context")]
    {
        n as usize
    }
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
