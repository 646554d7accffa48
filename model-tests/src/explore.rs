//! Every run within a budget of faults, by cloning both ends at each choice.
//!
//! A run is a sequence of choices: which live datagram arrives, is lost or is doubled, or that a timer runs out. Runs that
//! lead to the same state of ends and datagrams are followed once.

use core::hash::{Hash as _, Hasher as _};
use std::{
    collections::{BTreeSet, HashSet},
    hash::DefaultHasher,
};

use simulated_network::Side;

use crate::{
    End, Script,
    schedule::{Schedule, Step},
};

/// How often each kind of fault may happen in one run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings")]
pub struct Budget {
    /// Datagrams lost.
    pub drops: u8,
    /// Datagrams doubled.
    pub duplicates: u8,
    /// Times that timers run out.
    pub timers: u8,
}

/// What was explored.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explored {
    /// Different states of both ends and all datagrams.
    pub states: usize,
    /// Choices made.
    pub transitions: usize,
    /// The states each end was in.
    pub kinds: BTreeSet<(Side, &'static str)>,
}

/// Follows every run from `start` within `budget`, and lets `check` look at each state with the schedule that led there.
pub fn explore(start: &Script, budget: Budget, mut check: impl FnMut(&Script, &Schedule)) -> Explored {
    let mut explored = Explored::default();
    let mut seen = HashSet::new();
    let mut open = vec![(start.clone(), budget, Schedule::default())];
    while let Some((script, budget, path)) = open.pop() {
        if !seen.insert(identity(&script, budget)) {
            continue;
        }
        explored.states += 1;
        for (side, end) in ends(&script) {
            explored.kinds.insert((side, end.connection().state_name()));
        }
        check(&script, &path);
        for (step, left) in choices(&script, budget) {
            explored.transitions += 1;
            let mut next = script.clone();
            let mut path = path.clone();
            next.apply(&step);
            path.0.push(step);
            open.push((next, left, path));
        }
    }
    explored
}

/// What may happen next, and what is left of the budget then.
fn choices(script: &Script, budget: Budget) -> Vec<(Step, Budget)> {
    let mut choices = Vec::new();
    for i in 0..script.mailbox.live().len() as u8 {
        choices.push((Step::Deliver(i), budget));
        if let Some(drops) = budget.drops.checked_sub(1) {
            choices.push((Step::Drop(i), Budget { drops, ..budget }));
        }
        if let Some(duplicates) = budget.duplicates.checked_sub(1) {
            choices.push((Step::Duplicate(i), Budget { duplicates, ..budget }));
        }
    }
    let waits = ends(script).any(|(_, end)| !end.connected() && end.closed().is_none());
    if let Some(timers) = budget.timers.checked_sub(1).filter(|_| waits) {
        choices.push((Step::NextTimer, Budget { timers, ..budget }));
    }
    choices
}

fn ends(script: &Script) -> impl Iterator<Item = (Side, &End)> {
    Side::BOTH.into_iter().filter_map(|side| Some((side, script.ends.end(side)?)))
}

/// Two states with the same identity have the same future; the order of live datagrams does not matter, since any may be
/// next.
fn identity(script: &Script, budget: Budget) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (side, end) in ends(script) {
        (side, end.fingerprint(), end.connected(), end.closed().is_some()).hash(&mut hasher);
    }
    let mut live: Vec<_> = script.mailbox.live().iter().map(|letter| (letter.to, &letter.bytes)).collect();
    live.sort();
    (script.ends.listener_fingerprint(), live, script.ends.now(), budget).hash(&mut hasher);
    hasher.finish()
}
