//! Bugs that other implementations had, as small automata over what one end does.

mod table;

use dtls_core::{HandshakeType, TraceEvent};

use crate::Role;

pub(crate) use table::COUNT;
pub use table::patterns;

/// A bug, as something that must never happen in a certain order.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Pattern {
    /// What it is called.
    pub name: &'static str,
    /// Whose bug it is; `None` for both.
    pub role: Option<Role>,
    shape: Shape,
}

/// What a pattern is made of.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there are two")]
pub enum Step {
    /// A message of this type has its turn. It may still be refused.
    Came(HandshakeType),
    /// Anything of the trace; of messages only those that did not end the connection.
    Did(TraceEvent),
}

/// Tells patterns of messages only once it is known whether they were accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Messages {
    /// The message that had its turn last, until something else happens.
    pending: Option<TraceEvent>,
}

impl Messages {
    /// What `event` is to a pattern. A message that ends the connection was not accepted.
    pub(crate) fn steps(&mut self, event: &TraceEvent) -> impl Iterator<Item = Step> + use<> {
        let refused = matches!(event, TraceEvent::Failed { .. });
        let accepted = self.last().filter(|_| !refused);
        let now = match event {
            TraceEvent::MessageProcessed { typ, .. } => {
                self.pending = Some(*event);
                Step::Came(*typ)
            }
            _ => Step::Did(*event),
        };
        accepted.into_iter().chain([now])
    }

    /// The message that had its turn last, if nothing has happened since: it was accepted if nothing is yet to be told.
    pub(crate) fn last(&mut self) -> Option<Step> {
        self.pending.take().map(Step::Did)
    }
}

type Event = fn(&Step) -> bool;

/// What happens in which order.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// It happens at all.
    Ever(Event),
    /// The first happens after the second.
    After(Event, Event),
    /// The first happens without the second before it.
    Without(Event, Event),
    /// It happens again.
    Twice(Event),
    /// The first happens again without the second in between.
    Again(Event, Event),
    /// The first happens, the second having happened since the third and since the beginning.
    Since(Event, Event, Event),
    /// Any other, at first in 0, which leads to [`FOUND`] where the bug shows.
    States(fn(u8, &Step) -> u8),
}

/// The state of an automaton that has found its bug.
const FOUND: u8 = u8::MAX;

impl Pattern {
    /// Whether the bug shows with `step`. `state` is the automaton's, at first 0.
    pub fn step(&self, state: &mut u8, step: &Step) -> bool {
        let armed = *state == 1;
        match self.shape {
            Shape::Ever(bad) => bad(step),
            Shape::After(then, first) => {
                *state = u8::from(armed || first(step));
                armed && then(step)
            }
            Shape::Without(then, needed) => {
                *state = u8::from(armed || needed(step));
                !armed && then(step)
            }
            Shape::Twice(one) => {
                let now = one(step);
                *state |= u8::from(now);
                armed && now
            }
            Shape::Again(one, unless) => {
                let now = one(step);
                *state = u8::from((armed && !unless(step)) || now);
                armed && now
            }
            Shape::Since(then, first, unless) => {
                let bad = armed && then(step);
                *state = u8::from((armed && !unless(step)) || first(step));
                bad
            }
            Shape::States(next) => {
                *state = next(*state, step);
                *state == FOUND
            }
        }
    }
}

#[cfg(test)]
mod tests;
