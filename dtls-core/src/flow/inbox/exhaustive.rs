//! Every state of a small inbox with every fragment, against messages kept as arrays of bytes that are there or not.
//!
//! A step is right if it leads from the form that stands for one state to the form that stands for the next. As each state that
//! can be reached is tried with each fragment, all orders of any number of fragments are.

use std::{collections::BTreeSet, println, vec, vec::Vec};

use super::*;
use crate::wire::handshake::FragmentHeader;

/// A message of the model: every byte, if it is there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Bytes {
    kind: Kind,
    bytes: Vec<Option<u8>>,
}

/// What fragments of one message have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind {
    typ: u8,
    epoch: u16,
    length: usize,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Model {
    next_seq: u16,
    /// From `next_seq` on; the last one is there.
    messages: Vec<Option<Bytes>>,
}

/// One fragment.
#[derive(Clone, Debug)]
struct Input {
    seq: u16,
    kind: Kind,
    start: usize,
    body: Vec<u8>,
}

impl Bytes {
    fn held(&self) -> usize {
        self.bytes.iter().flatten().count()
    }

    fn missing_ranges(&self) -> usize {
        let gaps = self.bytes.split(Option::is_some);
        gaps.filter(|gap| !gap.is_empty()).count()
    }

    fn fill(&mut self, start: usize, body: &[u8]) {
        for (byte, new) in self.bytes[start..].iter_mut().zip(body) {
            // What was there first stays.
            *byte = byte.or(Some(*new));
        }
    }

    /// The form of an inbox that stands for it.
    fn partial(&self) -> Partial {
        let mut holes = Holes::whole(self.kind.length);
        for at in (0..self.bytes.len()).filter(|at| self.bytes[*at].is_some()) {
            holes.fill(at, at + 1);
        }
        Partial {
            typ: HandshakeType(self.kind.typ),
            epoch: self.kind.epoch,
            length: self.kind.length,
            holes,
            data: self.bytes.iter().flatten().copied().collect(),
        }
    }
}

impl Model {
    fn held(&self) -> usize {
        self.messages.iter().flatten().map(Bytes::held).sum()
    }

    /// What an inbox has to make of a fragment.
    fn insert(&mut self, input: &Input, limits: InboxLimits, keep: bool) -> Result<Inserted, Discard> {
        if input.seq < self.next_seq {
            return Err(Discard::OldMessage);
        }
        let at = usize::from(input.seq - self.next_seq);
        if at >= limits.window.into() {
            return Err(Discard::OutsideWindow);
        }
        if input.kind.length > limits.message {
            return Err(Discard::FragmentTooLarge);
        }
        let mut after = self.clone();
        after.messages.resize(after.messages.len().max(at + 1), None);
        // Where anyone may forge, the newer counts.
        let may_be_forged = |known: &Bytes| known.kind.epoch == 0 && input.kind.epoch == 0;
        match &after.messages[at] {
            Some(known) if known.kind == input.kind => {}
            Some(known) if !may_be_forged(known) => return Err(Discard::FragmentMismatch),
            _ => after.messages[at] = None,
        }
        let was_known = after.messages[at].is_some();
        let nothing = Bytes { kind: input.kind, bytes: vec![None; input.kind.length] };
        let message = after.messages[at].get_or_insert(nothing);
        let held_before = message.held();
        message.fill(input.start, &input.body);
        let is_new = message.held() > held_before;
        if was_known && message.missing_ranges() > limits.holes {
            return Err(Discard::NoRoom);
        }
        while after.held() > limits.bytes {
            // The next message always finds room where nothing may be given up; otherwise the last ones give way.
            match keep {
                true if at == 0 || !is_new => break,
                false if after.messages.len() > at + 1 => after.messages.truncate(after.messages.len() - 1),
                _ => return Err(Discard::NoRoom),
            }
        }
        after.trim();
        *self = after;
        Ok(if was_known && !is_new { Inserted::Known } else { Inserted::Stored })
    }

    /// The next message, if it is whole.
    fn front(&self) -> Option<(u8, u16, Vec<u8>)> {
        let message = self.messages.first()?.as_ref()?;
        let body: Option<Vec<u8>> = message.bytes.iter().copied().collect();
        Some((message.kind.typ, message.kind.epoch, body?))
    }

    fn pop(&mut self) {
        self.messages.drain(..1.min(self.messages.len()));
        self.next_seq += 1;
        self.trim();
    }

    fn trim(&mut self) {
        while self.messages.last() == Some(&None) {
            self.messages.pop();
        }
    }

    /// Whether there is a byte before which one is missing.
    fn has_gap(&self) -> bool {
        let first_gap = self.messages.first().and_then(Option::as_ref).is_some_and(|message| {
            let end = message.bytes.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
            message.bytes[..end].iter().any(Option::is_none)
        });
        first_gap || self.messages.len() > 1
    }

    /// The form of an inbox that stands for it.
    fn inbox(&self, limits: InboxLimits) -> Inbox {
        let slots = self.messages.iter().map(|message| message.as_ref().map(Bytes::partial)).collect();
        Inbox { next_seq: Some(self.next_seq), limits, slots, last: None }
    }

    /// Asserts that `inbox` is in this state.
    fn assert_is(&self, inbox: &Inbox) {
        assert_eq!((inbox.next_seq(), inbox.held()), (Some(self.next_seq), self.held()));
        let filled = inbox.slots.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
        assert_eq!(filled, self.messages.len(), "{inbox:?} {self:?}");
        for (partial, message) in inbox.slots.iter().zip(&self.messages) {
            assert_eq!(partial.is_some(), message.is_some());
            if let (Some(partial), Some(message)) = (partial, message) {
                let expected = message.partial();
                assert_eq!(
                    (partial.typ, partial.epoch, partial.length),
                    (expected.typ, expected.epoch, expected.length)
                );
                assert_eq!((&partial.holes, &partial.data), (&expected.holes, &expected.data));
            }
        }
        let front = inbox.front().map(|(m, epoch)| (m.typ.0, epoch, m.body.to_vec()));
        assert_eq!(front, self.front());
        if filled == inbox.slots.len() {
            assert_eq!((inbox.has_gap(), inbox.is_empty()), (self.has_gap(), self.messages.is_empty()));
        }
    }
}

impl Input {
    fn insert_into(&self, inbox: &mut Inbox, keep: bool) -> Result<Inserted, Discard> {
        let header = FragmentHeader {
            typ: HandshakeType(self.kind.typ),
            length: self.kind.length as u32,
            message_seq: self.seq,
            fragment_offset: self.start as u32,
            fragment_length: self.body.len() as u32,
        };
        inbox.insert(&Fragment { header, body: &self.body }, self.kind.epoch, keep)
    }
}

/// All fragments of a message. Its bytes differ with their place and with what is given.
fn fragments(seq: u16, kind: Kind) -> Vec<Input> {
    let byte = |at: usize| (at as u8) ^ kind.typ << 4 ^ (seq as u8) << 6 ^ (kind.epoch as u8) << 3;
    let body: Vec<u8> = (0..kind.length).map(byte).collect();
    if kind.length == 0 {
        return vec![Input { seq, kind, start: 0, body }];
    }
    let ranges = (0..kind.length).flat_map(|start| (start + 1..=kind.length).map(move |end| (start, end)));
    ranges.map(|(start, end)| Input { seq, kind, start, body: body[start..end].to_vec() }).collect()
}

/// Goes to every state that can be reached from an empty inbox, tries every input in each, and counts them.
fn explore(inputs: &[Input], limits: InboxLimits, keep: bool, last_seq: u16) -> (usize, u64) {
    let start = Model { next_seq: 0, messages: vec![] };
    let mut seen = BTreeSet::from([start.clone()]);
    let mut ahead = vec![start];
    let mut cases = 0;
    while let Some(state) = ahead.pop() {
        let mut nexts = vec![];
        for input in inputs {
            let (mut inbox, mut model) = (state.inbox(limits), state.clone());
            let expected = model.insert(input, limits, keep);
            assert_eq!(input.insert_into(&mut inbox, keep), expected, "{input:?} in {state:?}");
            assert!(expected.is_ok() || model == state, "the model itself");
            model.assert_is(&inbox);
            nexts.push(model);
            cases += 1;
        }
        let mut cleared = state.inbox(limits);
        cleared.clear();
        Model { messages: vec![], ..state }.assert_is(&cleared);
        if state.next_seq < last_seq && state.front().is_some() {
            let (mut inbox, mut model) = (state.inbox(limits), state.clone());
            inbox.pop();
            model.pop();
            model.assert_is(&inbox);
            nexts.push(model);
        }
        for next in nexts {
            // No more than what is allowed, and one message more that is needed to go on.
            let most = limits.bytes + if keep { limits.message } else { 0 };
            assert!(next.held() <= most, "{next:?}");
            if seen.insert(next.clone()) {
                ahead.push(next);
            }
        }
    }
    (seen.len(), cases)
}

const FINISHED: Kind = Kind { typ: 4, epoch: 0, length: 2 };

#[test]
fn every_state_of_one_message_with_every_fragment() {
    let (mut states, mut cases) = (0, 0);
    for length in 0..=10 {
        for holes in 0..=4 {
            let limits = InboxLimits { bytes: 16, message: 10, window: 1, holes };
            let inputs = fragments(0, Kind { length, ..FINISHED });
            let (s, c) = explore(&inputs, limits, holes % 2 == 0, 0);
            states += s;
            cases += c;
        }
    }
    println!("reassembly of one message: {states} states, {cases} cases");
}

#[test]
fn every_state_of_several_messages_with_every_fragment() {
    let (mut states, mut cases) = (0, 0);
    // The genuine message, longer, of another type, without a body, and protected; one too long.
    let kinds = [
        FINISHED,
        Kind { length: 3, ..FINISHED },
        Kind { typ: 5, ..FINISHED },
        Kind { length: 0, ..FINISHED },
        Kind { epoch: 1, ..FINISHED },
        Kind { length: 5, ..FINISHED },
    ];
    for (window, last_seq, bytes) in [(2, 1, 4), (3, 0, 3)] {
        let limits = InboxLimits { bytes, message: 4, window, holes: 1 };
        let seqs = 0..=last_seq + window;
        let inputs: Vec<Input> =
            seqs.flat_map(|seq| kinds.into_iter().flat_map(move |k| fragments(seq, k))).collect();
        for keep in [false, true] {
            let (s, c) = explore(&inputs, limits, keep, last_seq);
            states += s;
            cases += c;
        }
    }
    println!("reassembly of several messages: {states} states, {cases} cases");
}
