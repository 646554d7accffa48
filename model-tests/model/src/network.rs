//! A model client and a model server with a bad network between them: every state they can get into.
//!
//! The network is the set of everything that was ever sent; delivery does not remove. A transmission that is delivered
//! again stands for a later one of the same message (a byte-identical copy is dropped by any end that has a
//! connection). So loss, duplication, reordering, delay and replay are covered without a bound.
//!
//! That every state can complete is checked the hard way: everything on the network is lost, and from then on nothing
//! is. Timers and the deliveries they cause have to connect both ends, or to close them where one of the applications
//! has closed.

use std::collections::{BTreeMap, HashSet};

use crate::alphabet::*;
use crate::choices::Choices;
use crate::guard::Guard;
use crate::handshake::Control;
use crate::machine::{Arrival, Machine, Step};
use crate::mode::{Mode, Role, Versions};
use crate::reliability::Place;

/// More rounds of timers than any handshake needs.
const ROUNDS: usize = 12;

/// Who talks to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pairing {
    /// The client.
    pub client: Mode,
    /// The server.
    pub server: Mode,
    /// The client's first hello has a share for the server's group (1.3 with a Diffie-Hellman exchange).
    pub share: bool,
    /// A guard that both leave out.
    pub without: Option<Guard>,
    /// The choices of both.
    pub choices: Choices,
}

impl Pairing {
    /// All pairs of modes that have a version and an exchange in common.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let (clients, servers): (Vec<_>, Vec<_>) =
            Mode::all().into_iter().partition(|mode| mode.role == Role::Client);
        let mut pairings = Vec::new();
        for client in clients {
            for server in &servers {
                let common = client.has_12() && server.has_12() || client.has_13() && server.has_13();
                if common && client.ephemeral == server.ephemeral {
                    let is_13 = client.has_13() && server.has_13();
                    pairings.push(Self {
                        client,
                        server: *server,
                        share: true,
                        without: None,
                        choices: Choices::DEFAULT,
                    });
                    if is_13 && client.ephemeral {
                        pairings.push(Self {
                            client,
                            server: *server,
                            share: false,
                            without: None,
                            choices: Choices::DEFAULT,
                        });
                    }
                }
            }
        }
        pairings
    }
}

impl core::fmt::Display for Pairing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let retry = if self.share { "" } else { ", without a share" };
        write!(f, "{} x {}{retry}", self.client, self.server)
    }
}

/// A record on the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Packet {
    to: Role,
    epoch: u8,
    sent: Sent,
    /// Handshake messages: their `message_seq`. ACKs: one bit for each `message_seq` they cover.
    detail: u16,
}

/// An end, and what the network has to know of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct End {
    machine: Machine,
    /// The handshake messages it has sent, by `message_seq`.
    sent: Vec<Sent>,
    /// How many messages it has processed.
    processed: u16,
    /// What it keeps of later ones, by `message_seq`.
    ahead: u16,
    /// It has sent application data, once.
    wrote: bool,
    /// It was given application data.
    got: bool,
    /// It gave up, or was told to.
    failed: bool,
}

/// Both ends and the network.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    client: End,
    server: End,
    network: Vec<Packet>,
}

/// What the walk over all states found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// States.
    pub states: usize,
    /// Transitions.
    pub transitions: usize,
    /// States of the two ends, whatever is on the network.
    pub ends: usize,
    /// After everything was lost in the worst state: how many rounds of timers until both ends are connected.
    pub rounds: usize,
    /// Violations of the properties, each with the number of states it was seen in.
    pub violations: BTreeMap<&'static str, usize>,
}

/// Walks over all states of a pairing.
#[must_use]
pub fn explore(pairing: Pairing) -> Report {
    let mut queue = vec![World::new(pairing)];
    let mut seen: HashSet<World> = queue.iter().cloned().collect();
    let mut ends: HashSet<(End, End)> = HashSet::new();
    let mut report = Report::default();
    while let Some(world) = queue.pop() {
        if ends.insert((world.client.clone(), world.server.clone())) {
            let mut found = world.violations(pairing);
            match world.rounds_to_complete(pairing) {
                Some(rounds) => report.rounds = report.rounds.max(rounds),
                None => found.push("L4: a state from which the handshake can't complete"),
            }
            for violation in found {
                *report.violations.entry(violation).or_insert(0) += 1;
            }
        }
        for next in world.successors(pairing) {
            report.transitions += 1;
            if !seen.contains(&next) {
                seen.insert(next.clone());
                queue.push(next);
            }
        }
    }
    (report.states, report.ends) = (seen.len(), ends.len());
    report
}

impl World {
    fn new(pairing: Pairing) -> Self {
        let end = |mode| {
            let mut machine = Machine::with(mode, pairing.choices);
            if let Some(guard) = pairing.without {
                machine = machine.without(guard);
            }
            End { machine, sent: Vec::new(), processed: 0, ahead: 0, wrote: false, got: false, failed: false }
        };
        let mut world =
            Self { client: end(pairing.client), server: end(pairing.server), network: Vec::new() };
        world.transmit(Role::Client, &[Output::Tx(0, Sent::ClientHello { cookie: false, group: false })]);
        world
    }

    fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Everything that can happen next.
    fn successors(&self, pairing: Pairing) -> Vec<Self> {
        let mut next = Vec::new();
        for role in [Role::Client, Role::Server] {
            next.extend(self.successors_of(role));
        }
        for role in [Role::Client, Role::Server] {
            let mut world = self.clone();
            let end = world.end(role);
            if !matches!(end.machine.control(), Control::Connected(_)) {
                continue;
            }
            next.push(self.applied(role, Input::App(App::Close)));
            if !end.wrote {
                end.wrote = true;
                next.push(world.applied(role, Input::App(App::Send)));
            }
        }
        for packet in &self.network {
            let world = self.delivered(pairing, *packet);
            if world != *self {
                next.push(world);
            }
        }
        next
    }

    /// What an end does without a packet: its timer, and the answer of the application it waits for.
    fn successors_of(&self, role: Role) -> Vec<Self> {
        let end = if role == Role::Client { &self.client } else { &self.server };
        let timer = end.machine.has_timer().then_some(Input::Timer);
        let suspended = matches!(end.machine.control(), Control::Psk { .. });
        let answer = suspended.then_some(Input::App(App::PskFound));
        timer.into_iter().chain(answer).map(|input| self.applied(role, input)).collect()
    }

    fn applied(&self, role: Role, input: Input) -> Self {
        let mut world = self.clone();
        let step = world.end(role).machine.advance(input);
        let waited = step.outputs.iter().any(|output| !matches!(output, Output::Tx(_, Sent::Ack { .. })));
        if input == Input::Timer && waited {
            world.end(other(role)).machine.time_passes();
        }
        world.finish(role, &step);
        world
    }

    /// The packet arrives.
    fn delivered(&self, pairing: Pairing, packet: Packet) -> Self {
        let mut world = self.clone();
        let step = world.end(packet.to).receive(pairing, packet);
        world.finish(packet.to, &step);
        world
    }

    fn finish(&mut self, role: Role, step: &Step) {
        // Who is told that the peer has closed is not broken off.
        let closed = self.end(other(role));
        let closed = closed.machine.control() == Control::Closed && !closed.failed;
        let end = self.end(role);
        end.processed += u16::from(step.processed);
        end.got |= step.outputs.contains(&Output::Event(Event::Delivered));
        end.failed |= step.outputs.contains(&Output::Event(Event::Failed));
        end.failed |= step.outputs.contains(&Output::Event(Event::FatalAlert)) && !closed;
        self.transmit(role, &step.outputs);
    }

    fn transmit(&mut self, from: Role, outputs: &[Output]) {
        for output in outputs {
            let Output::Tx(epoch, sent) = *output else { continue };
            let end = self.end(from);
            let detail = match sent {
                Sent::Ack { .. } => end.received(),
                Sent::ChangeCipherSpec | Sent::Data | Sent::Alert(..) => 0,
                _ => end.seq(sent),
            };
            let packet = Packet { to: other(from), epoch, sent, detail };
            if let Err(index) = self.network.binary_search(&packet) {
                self.network.insert(index, packet);
            }
        }
    }

    /// How many rounds of timers connect both ends if everything on the way is lost and nothing is from now on.
    fn rounds_to_complete(&self, pairing: Pairing) -> Option<usize> {
        let mut world = self.clone();
        for round in 0..ROUNDS {
            world.network.clear();
            if world.is_complete() {
                return Some(round);
            }
            for role in [Role::Client, Role::Server] {
                world = world.successors_of(role).pop().unwrap_or(world);
            }
            // In the order of epochs and numbers, until there is nothing new.
            let mut delivered = Vec::new();
            while let Some(packet) = world.network.iter().find(|packet| !delivered.contains(*packet)).copied()
            {
                delivered.push(packet);
                world = world.delivered(pairing, packet);
            }
        }
        None
    }

    fn is_complete(&self) -> bool {
        let done = |end: &End| matches!(end.machine.control(), Control::Connected(_) | Control::Closed);
        // A client that is closed gives up in the end, if nobody is there any more to acknowledge its Finished.
        let over = self.client.machine.control() == Control::Closed;
        done(&self.client) && done(&self.server) && (over || self.client.machine.is_answered())
    }

    /// The properties that can be seen in one state.
    fn violations(&self, pairing: Pairing) -> Vec<&'static str> {
        let controls = [self.client.machine.control(), self.server.machine.control()];
        let mut found = Vec::new();
        let mut check = |holds: bool, name| {
            if !holds {
                found.push(name);
            }
        };
        if let [Control::Connected(client), Control::Connected(server)] = controls {
            check(client == server, "S1: both are connected with different versions");
        }
        let both = pairing.client.has_13() && pairing.server.has_13();
        let is_12 = controls.contains(&Control::Connected(Version::V12));
        check(!(both && is_12), "S14: 1.2 although both have 1.3");
        check(!self.client.got || self.server.wrote, "S5: the client got what nobody sent");
        check(!self.server.got || self.client.wrote, "S5: the server got what nobody sent");
        check(!self.client.failed && !self.server.failed, "L4: honest ends broke off");
        let timer = self.client.machine.has_timer() || self.server.machine.has_timer();
        let suspended = matches!(self.server.machine.control(), Control::Psk { .. });
        check(timer || suspended || self.is_complete(), "L3: nobody has a timer");
        found
    }
}

impl End {
    fn receive(&mut self, pairing: Pairing, packet: Packet) -> Step {
        let Packet { epoch, sent, detail, .. } = packet;
        let record = |content| Input::Rx(Record { epoch, seal: Seal::Genuine, content });
        match sent {
            Sent::ChangeCipherSpec => self.machine.advance(record(Content::ChangeCipherSpec)),
            Sent::Data => self.machine.advance(record(Content::Data)),
            Sent::Alert(level, description) => {
                self.machine.advance(record(Content::Alert(level, description)))
            }
            Sent::Ack { .. } => {
                let list = self.sent.clone();
                let covers = |sent: Sent| {
                    list.iter().position(|known| *known == sent).is_some_and(|seq| detail & (1 << seq) != 0)
                };
                self.machine.acknowledge_messages(epoch, covers)
            }
            _ => self.receive_message(pairing, epoch, sent, detail),
        }
    }

    fn receive_message(&mut self, pairing: Pairing, epoch: u8, sent: Sent, seq: u16) -> Step {
        let Some(message) = message(pairing, sent) else { return Step::default() };
        if self.machine.control() == Control::Listening {
            let handshake = Handshake { message, seq: Seq::Start, piece: Piece::Whole };
            let hello = Record { epoch, seal: Seal::Genuine, content: Content::Handshake(handshake) };
            let step = self.machine.advance(Input::Rx(hello));
            if self.machine.control() != Control::Listening {
                // The connection counts on from its hello.
                self.processed = seq + 1;
            }
            return step;
        }
        let arrival = match seq.checked_sub(self.processed) {
            Some(distance) => Arrival::Ahead(usize::from(distance)),
            None => match self.place(sent, seq) {
                Some(place) => Arrival::Again(place),
                None => return Step::default(),
            },
        };
        if let Arrival::Ahead(distance @ 1..) = arrival
            && self.machine.keeps(epoch, distance)
        {
            self.ahead |= 1 << seq;
        }
        self.machine.deliver(epoch, message, arrival)
    }

    /// What a message of the past was. `None`: of a flight before the last complete one.
    fn place(&self, sent: Sent, seq: u16) -> Option<Place> {
        let last = seq + 1 == self.processed;
        let hello = matches!(
            sent,
            Sent::ClientHello { .. } | Sent::HelloVerifyRequest | Sent::HelloRetryRequest { .. }
        );
        let end = hello || matches!(sent, Sent::ServerHelloDone | Sent::Finished);
        match self.machine.control() {
            // Messages of the flight that is coming in; in front of them the hello that was answered.
            Control::ClientKeyExchange | Control::Psk { .. } | Control::ServerHello { .. } => {
                last.then_some(Place::FlightEnd)
            }
            Control::ServerKeyExchange | Control::ServerHelloDone | Control::EncryptedExtensions => {
                Some(if hello { Place::FlightEnd } else { Place::Current })
            }
            Control::ChangeCipherSpec | Control::Finished(_) => Some(match sent {
                Sent::ClientKeyExchange | Sent::ServerHello(Version::V13) | Sent::EncryptedExtensions => {
                    Place::Current
                }
                _ if end => Place::FlightEnd,
                _ => Place::FlightPart,
            }),
            Control::Connected(_) | Control::Closed if hello => None,
            Control::Connected(_) | Control::Closed => {
                Some(if last { Place::FlightEnd } else { Place::FlightPart })
            }
            Control::Listening => None,
        }
    }

    /// The `message_seq` of a message of its own: the same whenever it is sent again.
    fn seq(&mut self, sent: Sent) -> u16 {
        let seq = self.sent.iter().position(|known| *known == sent).unwrap_or_else(|| {
            self.sent.push(sent);
            self.sent.len() - 1
        });
        u16::try_from(seq).unwrap_or(u16::MAX)
    }

    /// One bit for each message of the peer's that it has.
    fn received(&self) -> u16 {
        self.ahead | ((1 << self.processed) - 1)
    }
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// What an honest peer's message is to the one who gets it.
#[must_use]
pub fn message(pairing: Pairing, sent: Sent) -> Option<Message> {
    Some(match sent {
        Sent::ClientHello { cookie, group } => {
            let offers = match pairing.client.versions {
                Versions::V12 => Offers::V12,
                Versions::V13 => Offers::V13,
                Versions::Both => Offers::Both,
            };
            let cookie = match (cookie, group) {
                (false, _) => Cookie::None,
                (true, false) => Cookie::Good,
                (true, true) => Cookie::Retry,
            };
            let share = pairing.share || group;
            Message::ClientHello(ClientHello { cookie, share, ..ClientHello::first(offers) })
        }
        Sent::HelloVerifyRequest => Message::HelloVerifyRequest,
        Sent::HelloRetryRequest { cookie, group } => Message::HelloRetryRequest(Retry {
            cookie,
            group: if group { RetryGroup::New } else { RetryGroup::None },
        }),
        Sent::ServerHello(version) => Message::ServerHello(ServerHello { version, flaw: Flaw::None }),
        Sent::ServerKeyExchange => Message::ServerKeyExchange(Params::Ok),
        Sent::ServerHelloDone => Message::ServerHelloDone,
        Sent::ClientKeyExchange => Message::ClientKeyExchange(Params::Ok),
        Sent::EncryptedExtensions => Message::EncryptedExtensions,
        Sent::Finished => Message::Finished(Params::Ok),
        Sent::ChangeCipherSpec | Sent::Ack { .. } | Sent::Alert(..) | Sent::Data | Sent::Other => {
            return None;
        }
    })
}
