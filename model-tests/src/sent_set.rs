//! Every run over a network that is the set of everything ever sent: whatever was sent may arrive at any time, any number of
//! times, or never. Loss, duplication, reordering and replay are not bounded; only how often timers run out is.
//!
//! Real ends are cloned at each choice, and states that were seen before are followed once. From each of them the ends connect
//! when all that was sent until then is lost and the network behaves from then on, by their timers alone: whatever else may
//! arrive before that leads to a state of which the same is shown.
//!
//! # What counts as the same state
//!
//! A state is both ends, the listener, the set, and how often timers may still run out. Of these only what decides anything to
//! come counts, because much that grows for ever does not:
//! - *Record numbers* are names. The number of a record sent is the next one; what is received is looked up by its number, to
//!   tell copies and to acknowledge it; and an ACK refers to what its receiver has sent by number. So a number counts as what its
//!   sender would learn from its acknowledgement ([`dtls_core::Connection::awaited`]), as whether the receiver has it on its
//!   list to acknowledge, and as whether it still opens it. Two that would say the same to the sender are counted apart, so that
//!   a state is renamed one to one. Numbers of which nothing would be learned any more are all alike.
//! - *Datagrams* count as what their records say, and only those records that can still do anything. One is without effect for
//!   good if its number was taken in under keys, or if its epoch is over; an ACK also if it names nothing that is waited for and
//!   proves no keys that are not proven. A datagram of none but such records is left out of the set. So is one which says the
//!   same as another in it, where the one adds nothing to the other: an ACK, which after its like names nothing any more, or
//!   something in the clear whose number nobody asks for.
//! - *Time* counts from now: only differences decide, and time goes on with timers alone.
//! - *Bytes received* from an address that is not proven count up to what lets the server send all that it ever will there.
//!
//! All this holds as long as numbers stay below the widths of windows and header fields and lists have room, which is asserted of
//! every state explored.
//!
//! The reduction is checked while it is used, so that a wrong one fails the test:
//! - of many states, everything that was left out on the way there is delivered all the same, and does nothing, or what its like
//!   in the set does;
//! - of many states that are come to again, by whatever way, the choices are made again, and lead to the same states as the first
//!   time. What is the same thus stays the same one step further, from where that is asked again.

mod letter;
mod world;

use core::time::Duration;
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use simulated_network::Side;

use crate::{End, Ends, Setup};
use letter::{Letter, Names, hash};
pub use world::{With, World};

/// Delivering everything and letting timers run out so often ends every handshake that can end.
const ROUNDS: usize = 40;

/// Deadlines that are farther away never come: giving up, and forgetting last flights.
const FAR: Duration = Duration::from_secs(1_000);

/// More bytes than a server sends in any run to an address that is not proven.
const PLENTY: usize = 1_000;
/// As many received with a hello let that be sent (RFC 9147 §5.1), and any answer of a listener.
const PLENTY_RECEIVED: usize = PLENTY.div_ceil(3);

/// One in so many states has what was left out in it delivered all the same; and of so many times that a state is come to
/// again it is followed once more.
const CHECK_ONE_IN: usize = 32;

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
    /// States in which both ends are connected. From all others they were made to, by timers alone.
    pub connected: usize,
    /// Most datagrams that client and server have written at one moment, not counting those that only acknowledge.
    pub flights: [usize; 2],
    /// Most datagrams of one sender that could still do anything at one time.
    pub datagrams: usize,
    /// Datagrams left out that were delivered all the same, and did nothing new.
    pub left_out: usize,
    /// States followed a second time from another run that led there, and nothing else came of it.
    pub twins: usize,
}

/// Both ends, what was sent, and how often timers may still run out.
#[derive(Clone)]
struct State {
    ends: Ends,
    sent: Vec<Letter>,
    /// What was left out of the set.
    buried: Option<Rc<Grave>>,
    timers: [u8; 2],
    /// The key that the server's application has, if it is asked.
    psk: Option<Rc<[u8]>>,
    /// Datagrams that client and server have just written, without ACKs.
    written: [usize; 2],
    /// Bytes the server sent before the client's address was proven.
    unproven: usize,
    /// The hash of everything that matters.
    identity: u64,
}

/// A datagram that was left out, and those before it.
struct Grave {
    letter: Letter,
    before: Option<Rc<Self>>,
}

/// What is known of the states found so far.
#[derive(Default)]
struct Explorer {
    explored: Explored,
    numbers: HashMap<u64, u32>,
    /// What each state leads to, once that is known.
    successors: Vec<u64>,
    /// States come to again.
    again: usize,
}

/// Follows every run from the start of `setup`, in which the timers of client and server run out at most `timers` times.
///
/// # Panics
/// If a monitor does, if an end fails, if there is a state from which the ends do not connect any more, or if what was taken
/// for the same is not.
pub fn explore(setup: &Setup, timers: [u8; 2]) -> Explored {
    let mut explorer = Explorer::default();
    // The application answers when it likes.
    let ends = Ends::new(&Setup { psk: None, ..setup.clone() });
    let mut start = State {
        ends,
        sent: Vec::new(),
        buried: None,
        timers,
        psk: setup.psk.as_deref().map(Rc::from),
        written: [0; 2],
        unproven: 0,
        identity: 0,
    };
    start.post();
    let mut open = vec![(explorer.number(&start).0, start)];
    while let Some((number, state)) = open.pop() {
        explorer.follow(number, state, &mut open);
    }
    explorer.explored
}

impl Explorer {
    /// The number of a state, and whether it is new.
    fn number(&mut self, state: &State) -> (u32, bool) {
        let fresh = u32::try_from(self.successors.len()).expect("fewer than 2^32 states");
        let number = *self.numbers.entry(state.identity).or_insert(fresh);
        if number == fresh {
            self.successors.push(0);
        }
        (number, number == fresh)
    }

    fn follow(&mut self, number: u32, state: State, open: &mut Vec<(u32, State)>) {
        self.explored.states += 1;
        self.explored.datagrams = self.explored.datagrams.max(state.most_sent());
        for (most, written) in self.explored.flights.iter_mut().zip(state.written) {
            *most = written.max(*most);
        }
        if self.explored.states.is_multiple_of(CHECK_ONE_IN) {
            self.explored.left_out += state.check_buried();
        }
        match state.ends.connected() {
            true => self.explored.connected += 1,
            false => state.clone().assert_finishes(),
        }
        let choices = state.choices();
        self.successors[number as usize] = successors(&choices);
        for next in choices {
            self.explored.transitions += 1;
            if next.identity == state.identity {
                self.explored.idle += 1;
                continue;
            }
            let (at, fresh) = self.number(&next);
            if fresh {
                open.push((at, next));
            } else {
                self.check_twin(at, &next);
            }
        }
    }

    /// A state that is taken for one known before must lead to the same ones.
    fn check_twin(&mut self, number: u32, twin: &State) {
        self.again += 1;
        let known = self.successors[number as usize];
        if self.again.is_multiple_of(CHECK_ONE_IN) && known != 0 {
            self.explored.twins += 1;
            assert_eq!(
                successors(&twin.choices()),
                known,
                "states that were taken for the same part: {twin:?}"
            );
        }
    }
}

/// What a state leads to, whatever number of ways.
fn successors(choices: &[State]) -> u64 {
    let mut identities: Vec<_> = choices.iter().map(|state| state.identity).collect();
    identities.sort_unstable();
    identities.dedup();
    hash(identities)
}

impl State {
    /// What may happen next: any datagram ever sent arrives, a timer runs out, or the application answers.
    fn choices(&self) -> Vec<Self> {
        let mut choices: Vec<_> = self.sent.iter().map(|letter| self.after(letter)).collect();
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
        if let Some(psk) = self.psk.as_deref().filter(|_| self.wants_psk()) {
            let mut next = self.clone();
            next.ends.provide_psk(Some(psk)).expect("it was asked for");
            next.post();
            choices.push(next);
        }
        choices
    }

    fn wants_psk(&self) -> bool {
        self.ends.end(Side::Server).is_some_and(End::wants_psk)
    }

    /// The state after the arrival of a datagram.
    fn after(&self, letter: &Letter) -> Self {
        let mut next = self.clone();
        next.deliver(letter.to, &letter.bytes);
        next.post();
        next
    }

    fn deliver(&mut self, to: Side, bytes: &[u8]) {
        let told = self.ends.deliver(to, bytes);
        assert!(told.is_ok(), "an end failed among honest ends: {told:?}\n{:?}", self.ends);
    }

    /// Adds what was written to the set, and leaves out of it what can do nothing any more.
    fn post(&mut self) {
        self.written = [0; 2];
        for datagram in self.ends.take_outgoing() {
            let server = self.ends.end(Side::Server).filter(|_| datagram.from == Side::Server);
            if server.is_some_and(|server| !server.connection().is_address_proven()) {
                self.unproven += datagram.bytes.len();
                assert!(self.unproven <= PLENTY, "more than plenty is sent to an address that is not proven");
            }
            let is_answer = datagram.from == Side::Server && server.is_none();
            assert!(
                !is_answer || datagram.bytes.len() <= PLENTY_RECEIVED,
                "an answer needs more than plenty"
            );
            let letter = Letter::new(datagram.from, &datagram.bytes, &self.ends);
            self.written[datagram.from as usize] += usize::from(!letter.only_acknowledges());
            if !self.sent.iter().any(|known| (known.to, &known.bytes) == (letter.to, &letter.bytes)) {
                self.sent.push(letter);
            }
        }
        let (names, plenty) = (Names::new(&self.ends), self.plenty());
        names.assert_room(&self.ends);
        let mut labels = Vec::new();
        let Self { ends, sent, buried, .. } = self;
        sent.retain(|letter| {
            let label = letter.label(ends, &names, plenty);
            let is_double = label.is_some_and(|label| label.merges && labels.contains(&label));
            if label.is_none() || is_double {
                *buried = Some(Rc::new(Grave { letter: letter.clone(), before: buried.take() }));
                return false;
            }
            labels.extend(label);
            true
        });
        labels.sort_unstable();
        self.identity = hash((labels, names.label(), self.behaviour(), self.timers));
    }

    /// The allowance with which all is sent that the server will send in this run to an address that is not proven.
    const fn plenty(&self) -> usize {
        PLENTY.saturating_sub(self.unproven)
    }

    fn behaviour(&self) -> impl core::hash::Hash + use<> {
        let (now, plenty) = (self.ends.now(), self.plenty());
        let ends = Side::BOTH.map(|side| {
            self.ends.end(side).map(|end| {
                let is_limited = end.connection().allowance() < plenty;
                (end.behaviour(now, plenty, FAR), end.connected(), is_limited.then_some(plenty))
            })
        });
        // The listener is asked no more once there is a server.
        let listener = ends[1].is_none().then(|| self.ends.listener_behaviour(PLENTY_RECEIVED));
        (ends, listener)
    }

    /// What was left out does nothing, or the same as what says the same; returns how many datagrams that are.
    fn check_buried(&self) -> usize {
        let (names, plenty) = (Names::new(&self.ends), self.plenty());
        let label = |letter: &Letter| letter.label(&self.ends, &names, plenty);
        let mut count = 0;
        let mut next = self.buried.as_ref();
        while let Some(grave) = next {
            let says = label(&grave.letter);
            let like = |known: &&Letter| label(known) == says;
            let same = says.map(|_| self.sent.iter().find(like).expect("what says the same is in the set"));
            let expected = same.map_or(self.identity, |same| self.after(same).identity);
            assert_eq!(self.after(&grave.letter).identity, expected, "left out in error: {:?}", grave.letter);
            count += 1;
            next = grave.before.as_ref();
        }
        count
    }

    fn most_sent(&self) -> usize {
        let of = |side| self.sent.iter().filter(|letter| letter.to == side).count();
        Side::BOTH.into_iter().map(of).max().unwrap_or_default()
    }

    /// What was under way is lost, and from now on everything arrives in order.
    fn assert_finishes(mut self) {
        let mut under_way = VecDeque::new();
        for _ in 0..ROUNDS {
            if self.ends.connected() {
                return;
            }
            match self.psk.as_deref().filter(|_| self.wants_psk()) {
                Some(psk) => self.ends.provide_psk(Some(psk)).expect("it was asked for"),
                None => {
                    self.ends.next_timer().into_iter().for_each(|at| self.ends.set_now(at));
                    self.ends.fire();
                }
            }
            under_way.extend(self.ends.take_outgoing());
            while let Some(datagram) = under_way.pop_front() {
                self.deliver(datagram.from.peer(), &datagram.bytes);
                under_way.extend(self.ends.take_outgoing());
            }
        }
        panic!("L4: the ends do not connect any more, and stay in {self:?}");
    }
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = |side| self.ends.end(side).map(|end: &End| end.connection().state_name());
        f.debug_struct("State")
            .field("ends", &Side::BOTH.map(names))
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
