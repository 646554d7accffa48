//! Reassembly of ClientHellos that come in fragments from addresses not yet validated: a fixed number of fixed slots,
//! allocated with the listener, so that no flood makes the heap grow. The oldest slot gives way.

use alloc::{boxed::Box, vec, vec::Vec};

use super::address::MAX_ADDRESS_LEN;
use crate::{
    flow::ranges::Holes,
    wire::handshake::{Fragment, HEADER_LEN},
};

/// Missing ranges tracked per hello, in memory allocated with the slot.
const MAX_HOLES: usize = 8;

/// All slots.
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(super) struct HelloPool {
    slots: Vec<Slot>,
    /// Counts insertions, to find the oldest slot.
    clock: u64,
}

#[cfg_attr(feature = "__model", derive(Clone, Hash))]
struct Slot {
    /// When the slot was last given to a hello; 0 while it is free.
    used: u64,
    address: [u8; MAX_ADDRESS_LEN],
    address_len: usize,
    message_seq: u16,
    length: usize,
    received: usize,
    holes: Holes,
    data: Box<[u8]>,
}

/// A hello that became whole, borrowed from its slot.
pub(super) struct Whole<'p> {
    pub(super) body: &'p [u8],
    /// Bytes received for it: its fragments with their headers, repeated ones too.
    pub(super) received: usize,
}

impl HelloPool {
    pub(super) fn new(slots: usize, bytes: usize) -> Self {
        let slots = (0..slots).map(|_| Slot::empty(bytes)).collect();
        Self { slots, clock: 0 }
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes in a fragment and returns the whole hello if it completes one; its slot is free then. Fragments that fit nowhere
    /// or contradict an earlier one start the hello anew or are lost.
    pub(super) fn insert(&mut self, address: &[u8], fragment: &Fragment<'_>) -> Option<Whole<'_>> {
        let header = &fragment.header;
        let length = usize::try_from(header.length).ok()?;
        let start = usize::try_from(header.fragment_offset).ok()?;
        self.clock = self.clock.saturating_add(1);
        let clock = self.clock;
        let index = self.slot_for(address, header.message_seq, length)?;
        let slot = self.slots.get_mut(index)?;
        if length > slot.data.len() || address.len() > MAX_ADDRESS_LEN {
            return None;
        }
        if !slot.holds(address, header.message_seq, length) {
            slot.begin(address, header.message_seq, length);
        }
        slot.used = clock;
        slot.received = slot.received.saturating_add(HEADER_LEN).saturating_add(fragment.body.len());
        slot.store(start, fragment.body);
        if !slot.holes.is_empty() {
            return None;
        }
        slot.used = 0;
        Some(Whole { body: slot.data.get(..length)?, received: slot.received })
    }

    /// Without what decides nothing: stale bytes, and counters above `plenty`. The order of slots counts only once one has to
    /// give way.
    #[cfg(feature = "__model")]
    pub(super) fn forget_counts(&mut self, plenty: usize) {
        self.clock = 0;
        self.slots.retain(|slot| slot.used > 0);
        self.slots.sort_by_key(|slot| (slot.message_seq, slot.length));
        for slot in &mut self.slots {
            slot.used = 1;
            slot.received = slot.received.min(plenty);
            for (from, to) in slot.holes.ranges() {
                slot.data.get_mut(*from..*to).unwrap_or_default().fill(0);
            }
        }
    }

    /// The slot that holds this hello, else a free one, else the oldest.
    fn slot_for(&self, address: &[u8], message_seq: u16, length: usize) -> Option<usize> {
        let known = self.slots.iter().position(|s| s.holds(address, message_seq, length));
        let oldest = || self.slots.iter().enumerate().min_by_key(|(_, s)| s.used).map(|(i, _)| i);
        known.or_else(oldest)
    }
}

impl Slot {
    fn empty(bytes: usize) -> Self {
        Self {
            used: 0,
            address: [0; MAX_ADDRESS_LEN],
            address_len: 0,
            message_seq: 0,
            length: 0,
            received: 0,
            holes: Holes::with_capacity(MAX_HOLES),
            data: vec![0; bytes].into_boxed_slice(),
        }
    }

    fn holds(&self, address: &[u8], message_seq: u16, length: usize) -> bool {
        self.used > 0
            && self.message_seq == message_seq
            && self.length == length
            && self.address.get(..self.address_len) == Some(address)
    }

    fn begin(&mut self, address: &[u8], message_seq: u16, length: usize) {
        self.address_len = address.len();
        for (to, from) in self.address.iter_mut().zip(address) {
            *to = *from;
        }
        self.message_seq = message_seq;
        self.length = length;
        self.received = 0;
        self.holes.reset(length);
    }

    /// Copies `body` in, unless that would leave more holes than can be kept.
    fn store(&mut self, start: usize, body: &[u8]) {
        let end = start.saturating_add(body.len());
        if self.holes.count_after(start, end) > MAX_HOLES {
            return;
        }
        let Some(target) = self.data.get_mut(start..end) else { return };
        for (to, from) in target.iter_mut().zip(body) {
            *to = *from;
        }
        self.holes.fill(start, end);
    }
}
