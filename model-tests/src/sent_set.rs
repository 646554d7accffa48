//! Every run over a network that is the set of everything ever sent: whatever was sent may arrive at any time, any number of
//! times, or never. Loss, duplication, reordering and replay are not bounded; only how often timers run out is.
//!
//! Real ends are cloned at each choice, and states that were seen before are followed once. A state is both ends with all they
//! know, the set, and the time. Then, backwards from the states in which both ends are connected: from every other state a
//! way leads there, inside what was explored or by letting the network behave from then on.

use core::{
    hash::{Hash as _, Hasher as _},
    time::Duration,
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::DefaultHasher,
    rc::Rc,
};

use simulated_network::Side;

use crate::{End, Ends, Setup};

/// Delivering everything and letting timers run out so often ends every handshake that can end.
const ROUNDS: usize = 40;

/// Deadlines that are farther away never come: giving up, and forgetting last flights.
const FAR: Duration = Duration::from_secs(1_000);

/// What was explored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Choices made.
    pub transitions: usize,
    /// Choices that changed nothing: copies and what comes too late.
    pub idle: usize,
    /// States in which both ends are connected.
    pub connected: usize,
    /// States from which no way inside leads to a connected one: there the network was made to behave.
    pub finished: usize,
    /// Most datagrams of one sender.
    pub datagrams: usize,
}

/// Both ends, what was sent, and how often timers may still run out.
#[derive(Clone)]
struct State {
    ends: Ends,
    sent: Vec<(Side, Rc<[u8]>)>,
    timers: [u8; 2],
}

/// Follows every run from the start of `setup`, in which each end's timers run out at most `timers` times.
///
/// # Panics
/// If a monitor does, if an end fails, or if there is a state from which the ends do not connect any more.
pub fn explore(setup: &Setup, timers: u8) -> Explored {
    let mut start = State { ends: Ends::new(setup), sent: Vec::new(), timers: [timers; 2] };
    start.post();
    let mut explored = Explored::default();
    let mut known = HashMap::from([(start.identity(), 0)]);
    // For each state, from where it was reached; and those to come back to.
    let mut before: Vec<Vec<u32>> = vec![Vec::new()];
    let mut connected = Vec::new();
    let mut ends: Vec<Option<Box<State>>> = vec![None];
    let mut open = vec![(0_u32, start)];
    while let Some((number, state)) = open.pop() {
        explored.states += 1;
        explored.datagrams = explored.datagrams.max(state.most_sent());
        if state.ends.connected() {
            connected.push(number);
        }
        let mut leaf = true;
        for next in state.choices() {
            explored.transitions += 1;
            let fresh = u32::try_from(before.len()).expect("fewer than 2^32 states");
            let at = *known.entry(next.identity()).or_insert(fresh);
            if at == number {
                explored.idle += 1;
                continue;
            }
            leaf = false;
            if at == fresh {
                before.push(Vec::new());
                ends.push(None);
                open.push((fresh, next));
            }
            before[at as usize].push(number);
        }
        if leaf && !state.ends.connected() {
            ends[number as usize] = Some(Box::new(state));
        }
    }
    explored.connected = connected.len();
    explored.finished = check_liveness(&before, &connected, ends);
    explored
}

/// From the states where nothing more happens within the bound the ends connect once the network behaves, and from every
/// state a way leads to one of those or to a connected one; returns how many were tried.
fn check_liveness(before: &[Vec<u32>], connected: &[u32], ends: Vec<Option<Box<State>>>) -> usize {
    let mut live = vec![false; before.len()];
    let mut queue: VecDeque<u32> = connected.iter().copied().collect();
    let mut tried = 0;
    for (number, state) in ends.into_iter().enumerate() {
        if let Some(state) = state {
            tried += 1;
            state.assert_finishes();
            queue.push_back(number as u32);
        }
    }
    queue.iter().for_each(|number| live[*number as usize] = true);
    while let Some(number) = queue.pop_front() {
        for from in &before[number as usize] {
            if !core::mem::replace(&mut live[*from as usize], true) {
                queue.push_back(*from);
            }
        }
    }
    assert!(live.iter().all(|live| *live), "L4: a state from which the ends never connect");
    tried
}

impl State {
    /// What may happen next: any datagram ever sent arrives, or a timer runs out.
    fn choices(&self) -> Vec<Self> {
        let mut choices = Vec::new();
        for (to, bytes) in &self.sent {
            let mut next = self.clone();
            next.deliver(*to, bytes);
            choices.push(next);
        }
        for (i, side) in Side::BOTH.into_iter().enumerate() {
            let next = self.ends.end(side).and_then(|end| end.connection().poll_timeout());
            let soon = next.is_some_and(|at| at.since(self.ends.now()) < FAR);
            if soon && self.timers[i] > 0 {
                let mut next = self.clone();
                next.timers[i] -= 1;
                next.ends.fire_next(side);
                next.post();
                choices.push(next);
            }
        }
        choices
    }

    fn deliver(&mut self, to: Side, bytes: &[u8]) {
        let told = self.ends.deliver(to, bytes);
        assert!(told.is_ok(), "an end failed among honest ends: {told:?}\n{:?}", self.ends);
        self.post();
    }

    /// Adds what was written to the set.
    fn post(&mut self) {
        for datagram in self.ends.take_outgoing() {
            let (to, bytes) = (datagram.from.peer(), datagram.bytes);
            if !self.sent.iter().any(|(other, known)| (*other, &known[..]) == (to, &bytes[..])) {
                self.sent.push((to, bytes.into()));
            }
        }
    }

    fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for side in Side::BOTH {
            let end = self.ends.end(side).map(|end| (end.fingerprint(), end.connected()));
            end.hash(&mut hasher);
        }
        let sent: BTreeSet<_> = self.sent.iter().map(|(to, bytes)| (*to, &bytes[..])).collect();
        (sent, self.ends.listener_fingerprint(), self.ends.now(), self.timers).hash(&mut hasher);
        hasher.finish()
    }

    fn most_sent(&self) -> usize {
        let of = |side| self.sent.iter().filter(|(to, _)| *to == side).count();
        Side::BOTH.into_iter().map(of).max().unwrap_or_default()
    }

    /// What was under way is lost, and from now on everything arrives in order.
    fn assert_finishes(mut self) {
        for _ in 0..ROUNDS {
            if self.ends.connected() {
                return;
            }
            let known = self.sent.len();
            let fresh: Vec<_> = self.ends.take_outgoing();
            for datagram in fresh {
                self.deliver(datagram.from.peer(), &datagram.bytes);
            }
            if self.sent.len() == known {
                self.ends.next_timer().into_iter().for_each(|at| self.ends.set_now(at));
                self.ends.fire();
            }
        }
        let states =
            Side::BOTH.map(|side| self.ends.end(side).map(|end: &End| end.connection().state_name()));
        panic!("L4: the ends do not connect any more, and stay in {states:?}");
    }
}
