//! The deadlines of all connections in one order.

use alloc::collections::BTreeSet;

use super::arena::ConnectionHandle;
use crate::time::Instant;

/// At most one deadline per connection. Every step takes time logarithmic in their number.
#[derive(Debug, Default)]
pub(super) struct Agenda(BTreeSet<(Instant, ConnectionHandle)>);

impl Agenda {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Moves the deadline of a connection from `known`, which is kept with the connection, to `new`.
    pub(super) fn set(
        &mut self,
        handle: ConnectionHandle,
        known: &mut Option<Instant>,
        new: Option<Instant>,
    ) {
        if *known == new {
            return;
        }
        if let Some(at) = known {
            self.0.remove(&(*at, handle));
        }
        if let Some(at) = new {
            self.0.insert((at, handle));
        }
        *known = new;
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The connection with the earliest deadline, if that has passed at `now`.
    pub(super) fn first_due(&self, now: Instant) -> Option<ConnectionHandle> {
        self.0.first().filter(|(at, _)| *at <= now).map(|(_, handle)| *handle)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::{super::arena::Arena, *};

    proptest! {
        #[test]
        fn agrees_with_a_scan(
            steps in prop::collection::vec((0..8usize, prop::option::of(0..20u64)), 1..200),
            now in 0..20u64,
        ) {
            let mut arena = Arena::new();
            let handles: Vec<_> = (0..8).map(|_| arena.insert(()).unwrap()).collect();
            let mut known = [None; 8];
            let mut model = [None; 8];
            let mut agenda = Agenda::new();
            for (i, at) in steps {
                let at = at.map(Instant::from_micros);
                agenda.set(handles[i], &mut known[i], at);
                model[i] = at;
                prop_assert_eq!(agenda.next(), model.iter().flatten().min().copied());
                prop_assert_eq!(agenda.len(), model.iter().flatten().count());
            }
            let now = Instant::from_micros(now);
            let mut due = Vec::new();
            while let Some(handle) = agenda.first_due(now) {
                let i = handles.iter().position(|h| *h == handle).unwrap();
                due.push(model[i].unwrap());
                agenda.set(handle, &mut known[i], None);
            }
            let mut expected: Vec<_> = model.into_iter().flatten().filter(|at| *at <= now).collect();
            expected.sort();
            prop_assert_eq!(due, expected);
        }
    }
}
