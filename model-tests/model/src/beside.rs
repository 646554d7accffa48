//! The machine beside a real end: what a real network brings to it.
//!
//! The alphabet has one message a record, time in whole deadlines, and one copy. Between two real ends several messages share a
//! record, the clock is the same for both, and anything comes again. Nothing is decided here: it is taken apart into what the
//! layers know.

use crate::alphabet::*;
use crate::handshake::Control;
use crate::machine::{Arrival, Machine, Step, Turn};
use crate::reliability::Place;

/// A handshake message, or a piece of one, of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which message.
    pub message: Message,
    /// How much of it. What is not processed next comes whole.
    pub piece: Piece,
    /// Where it stood before the record came.
    pub arrival: Arrival,
}

/// What an end waits for, if nothing comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Deadline {
    /// So many quarters of a retransmission timeout.
    Quarters(u8),
    /// Until it forgets what the peer's last flight would be answered with, four minutes after that came.
    Forgets,
}

impl Machine {
    /// An authentic record with these messages arrives: a fresh one, or in plaintext a copy.
    pub fn receive(&mut self, epoch: u8, parts: &[Part], copy: bool) -> Step {
        self.turn(|machine, turn| {
            turn.copy = copy;
            for part in parts {
                machine.on_part(epoch, *part, turn);
            }
            machine.repeat_close(turn);
        })
    }

    /// What comes next by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let next = self.flow.ack.into_iter().chain(self.flow.timer).min();
        next.map(Deadline::Quarters).or_else(|| self.flow.kept.then_some(Deadline::Forgets))
    }

    /// So many quarters of a retransmission timeout pass, fewer than to the next deadline.
    pub fn pass(&mut self, quarters: u8) {
        self.flow.timer = self.flow.timer.map(|left| left.saturating_sub(quarters));
        self.flow.ack = self.flow.ack.map(|left| left.saturating_sub(quarters));
    }

    /// The state, whatever [`Input::Replay`] would be a copy of.
    #[must_use]
    pub fn without_copy(&self) -> Self {
        Self { last_record: None, ..self.clone() }
    }

    fn on_part(&mut self, epoch: u8, part: Part, turn: &mut Turn) {
        let Part { message, piece, arrival } = part;
        let ahead = matches!(arrival, Arrival::Ahead(distance) if distance > usize::from(turn.processed));
        let seq = if ahead { Seq::Ahead } else { Seq::Next };
        let handshake = Handshake { message, seq, piece };
        let record = Record { epoch, seal: Seal::Genuine, content: Content::Handshake(handshake) };
        if self.control == Control::Closed
            && (self.failure.is_some() || !matches!(arrival, Arrival::Again(_)))
        {
            return self.on_record_after_end(record, turn);
        }
        match (arrival, self.records.open(&self.setting, record)) {
            // Whether plaintext is heard depends on the place.
            (Arrival::Again(place), _) => self.on_repeated(epoch, place, turn),
            (_, Err(rules)) => turn.rule(rules),
            (Arrival::Before, Ok(_)) => {}
            (Arrival::Ahead(distance), Ok(_)) => match distance.checked_sub(usize::from(turn.processed)) {
                // What stood in front of it in the record has brought an older copy of it to its turn.
                None if turn.answered || turn.connected => self.on_repeated(epoch, Place::FlightEnd, turn),
                None => self.on_repeated(epoch, Place::Current, turn),
                Some(_) if self.refuses(handshake, epoch, turn) => {}
                Some(0) => self.on_next(handshake, epoch, turn),
                Some(distance) => self.on_ahead(distance, message, epoch, turn),
            },
        }
    }
}
