//! Two real ends over a hostile network, and beside each the reference model, told the same.
//!
//! A [`Tandem`] plays a schedule like a [`Script`](crate::Script), with the same monitors. Whatever happens to an end is also
//! told to its reference machine, in the machine's words, and what the end sends, tells its application and waits for must be
//! what the machine says. The first difference ends the run.
//!
//! What is told to the machine is never taken from the end that it stands beside. Bytes that the peer has sent are known with
//! their plaintext from the ideal provider; a protected record of other bytes has a broken seal; which record numbers and
//! messages have come before, what an ACK covers, whose cookie a hello has and from which address it comes is kept here, and how
//! many messages are processed is the machine's own word. Of the ends only this is believed: the record numbers that a *sender*
//! says it has used, where they are masked, and when a deadline of four minutes is due.
//!
//! # What is left out
//!
//! The network here does less than a network could, where the model has no word for it:
//! - one record that does anything in a datagram, noise around it; at a listener, and at an end that is over, one record at all:
//!   the model answers each record, an end may answer a datagram, and one that has failed looks at no second record;
//! - messages in one or two pieces, always cut in the same place, and pieces only of the message that is next: three pieces,
//!   or a piece ahead, are held back, and so is an ACK of a part of a message. Clients' hellos to a listener are whole;
//! - plaintext handshake messages that somebody changed or made up are held back, except those without a meaning, HelloRequests,
//!   and whole ones of another connection (what they change in the keys is known: from then on no seal fits);
//! - fewer warnings than end a connection, and no limit of what goes to an unproven address: a server without cookies gets noise
//!   before each of its steps;
//! - time in quarters of a retransmission timeout, and initial timeout = longest timeout, so no back-off and no giving up;
//! - behind a record with an impossible first byte or version, or a connection id, nothing comes in its datagram.
//!
//! What was held back is counted ([`Tandem::held_back`]).
//!
//! # That it bites
//!
//! `tests/tandem.rs` holds the same ends against references with another choice or without a guard, and has to tell them apart.
//! What it found first: a hello sent again because a ServerHello had come twice in mid-flight. Without the repair nearly
//! every pair shows a difference of that kind, in eight steps (`tests/schedules/server-hello-again-in-mid-flight.txt`). With an end
//! that hurries its flight for every copy nearly every pair shows it, with one that does not acknowledge gaps at once many do. Of
//! the planted bugs (`model-tests/planted`) on-after-close-notify, window-before-authentication, early-finished and
//! cookie-of-anyone are differences; never-again shows before the first schedule, where a server that looks its key up late needs
//! the client's flight twice; the others run into a monitor first. A wrong binder nobody on the path can make, so wrong-binder is
//! not seen.

mod coverage;
mod generate;
mod ledger;
mod pairs;
mod reference;

use std::sync::Arc;

use dtls_core::{CloseReason, Error, HandshakeType, Instant};
use reference_model::{
    Step as Stepped,
    alphabet::{App, Event, Input, Output},
    beside::Deadline,
    handshake::Control,
    outputs_to_string,
};
use scripted_peer::codec::{ServerHello, extension, get, vector};
use simulated_network::Side;

pub use coverage::{Coverage, Reachable};
pub use generate::random;
pub use pairs::Plan;

use crate::{
    ends::Ends,
    mailbox::{Letter, Mailbox},
    schedule::{Schedule, Step},
    wire::{RawRecord, records},
};
use ledger::{Fragment, Said};
use reference::{Known, Meaning, Reference};

/// A quarter of the retransmission timeout of every end, in microseconds.
const QUARTER: u64 = 250_000;
/// Deadlines that are farther away never come.
const FAR: u64 = 1_000_000_000_000;
/// What a server gets to see before each of its steps, as long as it must not send more than three times what it got.
const NOISE: [u8; 4000] = [0; 4000];

/// Two real ends, the network between them, and a reference machine beside each.
#[derive(Debug)]
pub struct Tandem<'c> {
    ends: Ends,
    mailbox: Mailbox,
    references: [Reference; 2],
    known: Known,
    plan: Plan,
    messages: u16,
    coverage: Option<&'c mut Coverage>,
    /// What was held back, because the model has no word for it.
    held_back: usize,
}

/// Where an end and the reference part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Difference {
    /// The end.
    pub side: Side,
    /// What happened to it.
    pub input: String,
    /// The reference's state of the handshake before it.
    pub state: String,
    /// What the reference does.
    pub model: String,
    /// What the end did.
    pub end: String,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { side, input, state, model, end } = self;
        write!(f, "the {side} in {state}, given {input}: the model {model}, the end {end}")
    }
}

/// What an end has told its application.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Told {
    connected: bool,
    closed: Option<CloseReason>,
    wants_psk: bool,
    delivered: usize,
}

impl Difference {
    fn during(self, what: &Meaning) -> Self {
        Self { input: what.to_string(), ..self }
    }
}

impl<'c> Tandem<'c> {
    /// Both ends, just started; the first ClientHello is live.
    pub fn new(plan: &Plan) -> Self {
        let mut ends = pairs::begin(plan);
        ends.listen();
        for side in Side::BOTH {
            // From now on there is a trace.
            ends.take_trace(side);
        }
        let references = Side::BOTH.map(|side| Reference::new(side, plan.pairing));
        let known = Known { foreign: plan.foreign_messages(), ..Known::default() };
        let mut tandem = Self {
            ends,
            mailbox: Mailbox::default(),
            references,
            known,
            plan: plan.clone(),
            messages: 0,
            coverage: None,
            held_back: 0,
        };
        tandem.collect();
        tandem
    }

    /// The same, with a note of where it gets.
    #[must_use]
    pub fn covering(mut self, coverage: &'c mut Coverage) -> Self {
        self.coverage = Some(coverage);
        self
    }

    /// Both ends.
    pub const fn ends(&self) -> &Ends {
        &self.ends
    }

    /// How many records were held back, because the model has no word for them.
    pub const fn held_back(&self) -> usize {
        self.held_back
    }

    /// Lets every step happen in turn.
    ///
    /// # Errors
    /// The first difference between an end and its reference.
    pub fn play(&mut self, schedule: &Schedule) -> Result<(), Difference> {
        schedule.0.iter().try_for_each(|step| self.apply(step))
    }

    /// Lets one step happen. Timers that are due by it fire.
    ///
    /// # Errors
    /// The difference between an end and its reference.
    pub fn apply(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Delay(i, micros) => {
                // Whatever comes back comes back when a timer could fire.
                let micros = u64::from(*micros).next_multiple_of(QUARTER).min(u64::from(u32::MAX));
                self.mailbox.apply(&Step::Delay(*i, micros as u32), self.ends.now());
            }
            Step::NextTimer => {
                let timer =
                    self.ends.next_timer().filter(|at| at.since(self.ends.now()).as_micros() < FAR.into());
                if let Some(next) = timer.into_iter().chain(self.mailbox.next_wake()).min() {
                    self.pass(next)?;
                }
            }
            Step::Advance(micros) => {
                let micros = u64::from(*micros) / QUARTER * QUARTER;
                self.pass(Instant::from_micros(self.ends.now().as_micros() + micros))?;
            }
            Step::Send(side, len) => self.send(*side, usize::from(*len))?,
            Step::Close(side) => self.call(*side, App::Close, |ends| ends.close(*side))?,
            Step::Psk(found) => {
                let app = if *found { App::PskFound } else { App::PskNotFound };
                self.call(Side::Server, app, |ends| {
                    // Whoever was not asked has no use for it.
                    let _refused = ends.provide_psk(found.then_some(crate::KEY));
                })?;
            }
            Step::Rebind => {
                self.ends.rebind();
                self.known.address = self.known.address.wrapping_add(1);
            }
            Step::Foreign(k) => {
                let foreign = self.plan.foreign();
                if let Some(index) = usize::from(*k).checked_rem(foreign.len()) {
                    let (to, bytes) = foreign[index].clone();
                    self.deliver(to, &bytes)?;
                }
            }
            _ => {
                if let Some(Letter { to, bytes, .. }) = self.mailbox.apply(step, self.ends.now()) {
                    self.deliver(to, &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Delivers everything in order, and lets timers fire when nothing is left, until both ends are connected or one
    /// is over. Bounded by `rounds`.
    ///
    /// # Errors
    /// The first difference between an end and its reference.
    pub fn finish(&mut self, rounds: usize) -> Result<(), Difference> {
        for _ in 0..rounds {
            let ends = || Side::BOTH.into_iter().filter_map(|side| self.ends.end(side));
            if self.ends.connected() || ends().any(|end| end.closed().is_some()) {
                return Ok(());
            }
            if ends().any(crate::End::wants_psk) {
                self.apply(&Step::Psk(true))?;
            }
            let idle = self.mailbox.live().is_empty();
            self.apply(if idle { &Step::NextTimer } else { &Step::Deliver(0) })?;
        }
        Ok(())
    }

    /// A datagram arrives. Of the records that do anything only one is in a datagram at a time: the network cuts it there.
    fn deliver(&mut self, to: Side, datagram: &[u8]) -> Result<(), Difference> {
        let mut group = Group::default();
        let mut used = 0;
        for record in records(datagram) {
            used += record.bytes.len();
            let said = self.known.ledger.find(to.peer(), record.bytes).cloned();
            let meaning = self.judge(to, &record, said.as_deref());
            if group.acts && !matches!(meaning, Some(Meaning::Noise)) {
                self.flush(to, &mut group)?;
            }
            let Some(meaning) = self.judge(to, &record, said.as_deref()) else {
                self.held_back += 1;
                continue;
            };
            let control = self.reference(to).machine.control();
            let alone = matches!(control, Control::Listening | Control::Closed) || !is_known_form(&record);
            if alone {
                self.flush(to, &mut group)?;
            }
            let before = self.reference(to).machine.clone();
            let what = meaning.clone();
            let number =
                said.map_or_else(|| (0, record.sequence().unwrap_or(0)), |said| (said.epoch, said.number));
            let stepped = self.references[to as usize].take(meaning, number, &mut self.known);
            self.check_same_hello(to, &stepped, &before.control());
            self.cover(to, &before, &stepped);
            let acts = self.reference(to).machine != before || !stepped.outputs.is_empty();
            if acts || matches!(group.what, Meaning::Noise) {
                (group.what, group.state) = (what, Some(before.control()));
            }
            if acts {
                (group.acts, group.expected) = (true, stepped.outputs);
            }
            group.bytes.extend_from_slice(record.bytes);
            if alone || record.is_last() {
                self.flush(to, &mut group)?;
            }
        }
        group.bytes.extend_from_slice(&datagram[used..]);
        group.is_open = used < datagram.len();
        self.flush(to, &mut group)
    }

    fn reference(&self, side: Side) -> &Reference {
        &self.references[side as usize]
    }

    fn judge(&self, to: Side, record: &RawRecord<'_>, said: Option<&Said>) -> Option<Meaning> {
        let reference = self.reference(to);
        match said {
            Some(said) if said.epoch > 0 => reference.judge_protected(said, &self.known),
            Some(said) => reference.judge(0, &said.content, &self.known),
            None if record.is_unified() || record.epoch() > 0 => Some(reference.judge_broken(record.epoch())),
            None => {
                let content = ledger::content(record.content_type()?, record.body());
                (record.bytes[1..3] == [0xfe, 0xfd]).then(|| reference.judge(0, &content, &self.known))?
            }
        }
    }

    /// The client takes in a ServerHello that answers another hello than its own last one.
    fn check_same_hello(&mut self, to: Side, stepped: &Stepped, before: &Control) {
        let [client, server] = &self.references;
        let waited = to == Side::Client && matches!(before, Control::ServerHello { .. });
        if waited && stepped.processed > 0 && !matches!(client.machine.control(), Control::ServerHello { .. })
        {
            self.known.hellos_differ |= client.hello != server.hello;
        }
    }

    fn flush(&mut self, to: Side, group: &mut Group) -> Result<(), Difference> {
        let Group { mut bytes, what, state, expected, is_open, .. } = core::mem::take(group);
        if bytes.is_empty() {
            return Ok(());
        }
        let mut before = self.before();
        if let Some(state) = state {
            before.states[to as usize] = state;
        }
        self.feed(to);
        let new = to == Side::Server && self.ends.end(to).is_none();
        if new && !self.plan.pairing.server.cookie && !is_open {
            bytes.extend_from_slice(&NOISE);
        }
        // A fatal error stays with the end, and is told as an event.
        let _told = self.ends.deliver(to, &bytes);
        let mut both = [Vec::new(), Vec::new()];
        both[to as usize] = expected;
        self.compare(&before, both).map_err(|parted| parted.during(&what))
    }

    /// Lets the server send as much as it likes.
    fn feed(&mut self, to: Side) {
        let server = self.ends.end(Side::Server).filter(|_| to == Side::Server);
        if server.is_some_and(|server| !server.connection().is_address_proven()) {
            // A fatal error stays with the end, and is told as an event.
            let _told = self.ends.deliver(to, &NOISE);
        }
    }

    /// An application calls.
    fn call(&mut self, side: Side, app: App, call: impl FnOnce(&mut Ends)) -> Result<(), Difference> {
        let before = self.before();
        self.feed(side);
        let mut both = [Vec::new(), Vec::new()];
        both[side as usize] = self.step(side, Input::App(app));
        call(&mut self.ends);
        self.compare(&before, both).map_err(|parted| parted.during(&Meaning::Input(Input::App(app))))
    }

    fn send(&mut self, side: Side, len: usize) -> Result<(), Difference> {
        self.messages = self.messages.wrapping_add(1);
        let data: Vec<u8> = self.messages.to_be_bytes().into_iter().cycle().take(len).collect();
        self.call(side, App::Send, |ends| {
            // Before the handshake has completed, and after the end, nothing can be sent.
            let _refused = ends.send(side, &data);
        })
    }

    /// What the machine beside `side` does.
    fn step(&mut self, side: Side, input: Input) -> Vec<Output> {
        let reference = &mut self.references[side as usize];
        let before = reference.machine.clone();
        let stepped = reference.step(input);
        self.cover(side, &before, &stepped);
        stepped.outputs
    }

    /// Time passes; timers fire when they are due.
    fn pass(&mut self, until: Instant) -> Result<(), Difference> {
        loop {
            let now = self.ends.now();
            let next = self.ends.next_timer().filter(|at| *at <= until);
            let at = next.unwrap_or(until);
            let before = self.before();
            let mut expected = [Vec::new(), Vec::new()];
            for side in Side::BOTH {
                let due = self.ends.end(side).and_then(|end| end.connection().poll_timeout());
                if due.is_some_and(|due| due <= at) {
                    self.feed(side);
                    expected[side as usize] = self.step(side, Input::Timer);
                } else {
                    let quarters = at.since(now).as_micros() / u128::from(QUARTER);
                    self.references[side as usize].machine.pass(quarters.min(255) as u8);
                }
            }
            self.ends.set_now(at);
            self.mailbox.wake(at);
            if next.is_some() {
                self.ends.fire();
            }
            let what = Meaning::Input(Input::Timer);
            self.compare(&before, expected).map_err(|parted| parted.during(&what))?;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn before(&self) -> Before {
        let states = Side::BOTH.map(|side| self.reference(side).machine.control());
        Before { told: self.told(), states }
    }

    fn told(&self) -> [Told; 2] {
        Side::BOTH.map(|side| {
            let told = self.ends.end(side).map(|end| Told {
                connected: end.connected(),
                closed: end.closed(),
                wants_psk: end.wants_psk(),
                delivered: end.delivered().len(),
            });
            told.unwrap_or_default()
        })
    }

    /// Holds what both ends have done since `before` against what was expected of them.
    fn compare(&mut self, before: &Before, expected: [Vec<Output>; 2]) -> Result<(), Difference> {
        let after = self.told();
        let sent = self.collect();
        for ((side, mut end), mut model) in Side::BOTH.into_iter().zip(sent).zip(expected) {
            end.extend(events(before.told[side as usize], after[side as usize]));
            // The order of what is told at the same time is of no interest.
            let first = model.iter().position(|output| matches!(output, Output::Event(_)));
            if let Some(first) = first {
                model[first..].sort_unstable();
            }
            let [model, end] = [model, end].map(|outputs| outputs_to_string(&outputs));
            let difference = |model, end| {
                let state = format!("{:?}", before.states[side as usize]);
                Err(Difference { side, input: String::new(), state, model, end })
            };
            if model != end {
                return difference(model, end);
            }
            let [model, end] = self.deadlines(side);
            if model != end {
                return difference(model, end);
            }
        }
        Ok(())
    }

    /// When the machine and the end will do something by themselves.
    fn deadlines(&self, side: Side) -> [String; 2] {
        let now = self.ends.now();
        let due = self.ends.end(side).and_then(|end| end.connection().poll_timeout());
        let left = due.map(|due| due.since(now).as_micros() as u64).filter(|left| *left < FAR);
        let deadline = self.reference(side).machine.deadline();
        let model = match deadline {
            None => "waits for nothing".to_owned(),
            Some(Deadline::Quarters(quarters)) => format!("waits {} us", u64::from(quarters) * QUARTER),
            Some(Deadline::Forgets) => "forgets its flight".to_owned(),
        };
        let end = match (left, deadline) {
            (None, _) => "waits for nothing".to_owned(),
            (Some(left), Some(Deadline::Forgets)) if left <= 240_000_000 => "forgets its flight".to_owned(),
            (Some(left), _) => format!("waits {left} us"),
        };
        [model, end]
    }

    /// Puts what the ends have written on the network, and says what it is.
    fn collect(&mut self) -> [Vec<Output>; 2] {
        let mut said = [Vec::new(), Vec::new()];
        for side in Side::BOTH {
            let trace = self.ends.take_trace(side);
            self.known.ledger.note_numbers(side, &trace);
        }
        for datagram in self.ends.take_outgoing() {
            let from = datagram.from;
            self.mailbox.send(from, &datagram.bytes);
            let records = self.known.ledger.note(from, &datagram.bytes, &self.ends);
            records.iter().for_each(|record| self.note_hellos(from, record));
            said[from as usize].extend(records);
        }
        Side::BOTH.map(|side| self.known.ledger.outputs(side, &said[side as usize]))
    }

    /// Takes note of cookies, and of the client's hellos.
    fn note_hellos(&mut self, from: Side, said: &Arc<Said>) {
        let ledger::Content::Handshake(fragments) = &said.content else { return };
        for Fragment { typ, seq, bytes, .. } in fragments {
            let cookie = match (from, *typ) {
                (Side::Client, HandshakeType::CLIENT_HELLO) => {
                    self.references[0].hello = Some(*seq);
                    None
                }
                (Side::Server, HandshakeType::HELLO_VERIFY_REQUEST) => {
                    let cookie = bytes.get(2..).and_then(|mut rest| vector(&mut rest, 1));
                    cookie.map(|cookie| (cookie, false))
                }
                (Side::Server, HandshakeType::SERVER_HELLO) => {
                    ServerHello::parse(bytes).filter(ServerHello::is_retry).and_then(|hello| {
                        let mut body = get(&hello.extensions, extension::COOKIE)?;
                        let group = get(&hello.extensions, extension::KEY_SHARE).is_some();
                        Some((vector(&mut body, 2)?, group))
                    })
                }
                _ => None,
            };
            if let Some((cookie, group)) = cookie {
                self.known.cookies.insert(cookie, (self.known.address, group));
            }
        }
    }

    fn cover(&mut self, side: Side, before: &reference_model::Machine, stepped: &Stepped) {
        if let Some(coverage) = &mut self.coverage {
            coverage.note(before, &self.references[side as usize].machine, &stepped.outputs);
        }
    }
}

/// Whether what follows the record in its datagram is looked at (RFC 9147 §4.1).
fn is_known_form(record: &RawRecord<'_>) -> bool {
    match record.content_type() {
        Some(typ) => (20..=26).contains(&typ) && record.bytes[1] == 0xfe,
        // With a connection id nobody knows how long that is.
        None => record.bytes[0] & 0x10 == 0,
    }
}

/// Records that arrive in one datagram.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// Whether one of them does anything.
    acts: bool,
    /// The last one is cut off: what came behind it would be part of it.
    is_open: bool,
    what: Meaning,
    /// The reference's state before that.
    state: Option<Control>,
    expected: Vec<Output>,
}

/// What an end has done and where its reference stood before something happened.
struct Before {
    told: [Told; 2],
    states: [Control; 2],
}

/// What an end has told its application since.
fn events(before: Told, after: Told) -> Vec<Output> {
    let mut events = vec![Event::Delivered; after.delivered - before.delivered];
    if after.connected && !before.connected {
        events.push(Event::Connected);
    }
    if after.wants_psk && !before.wants_psk {
        events.push(Event::NeedPsk);
    }
    match after.closed.filter(|_| before.closed.is_none()) {
        None | Some(CloseReason::Local) => {}
        Some(CloseReason::CloseNotify) => events.push(Event::ClosedByPeer),
        Some(CloseReason::Failed(Error::PeerAlert(_))) => events.push(Event::FatalAlert),
        Some(_) => events.push(Event::Failed),
    }
    events.sort_unstable();
    events.into_iter().map(Output::Event).collect()
}
