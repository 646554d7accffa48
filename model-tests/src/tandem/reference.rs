//! The reference machine beside one end, and what it is told of a record: from what is known outside of that end.

use core::{fmt, ops::Range};
use std::collections::{HashMap, HashSet};

use dtls_core::HandshakeType;
use reference_model::{
    Machine, Mode, Step,
    alphabet::{
        Acked, ClientHello, Content, Cookie, Description, Event, Handshake, Input, Level, Message, Output,
        Piece, Record, Seal, Sent, Seq, Version,
    },
    beside::Part,
    handshake::Control,
    machine::Arrival,
    network::{self, Pairing},
    reliability::Place,
};
use scripted_peer::codec::{self, extension, get};
use simulated_network::Side;

use super::ledger::{self, Fragment, Ledger, Said};

/// A handshake type without a meaning.
const UNKNOWN_MESSAGE: HandshakeType = HandshakeType(99);
/// So many warnings are put up with, and a few more.
const WARNINGS: u8 = 12;
/// Messages further ahead than this are not modelled.
const FARTHEST: u16 = 2;

/// A reference machine, and what the network knows about its end.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) machine: Machine,
    side: Side,
    pairing: Pairing,
    /// The `message_seq` that is processed next.
    next: u16,
    /// The peer's messages of its last complete flight.
    flight: Range<u16>,
    /// What the end has sent of flights.
    sent: HashSet<(u8, Sent)>,
    /// Numbers of authentic records that have come.
    seen: HashSet<(u8, u64)>,
    /// Of which message a piece is held.
    held: Option<u16>,
    /// Where messages are cut in two.
    cuts: HashMap<u16, usize>,
    warnings: u8,
    /// The `message_seq` of the hello it was accepted for, or has sent last.
    pub(super) hello: Option<u16>,
}

/// What the network knows of both.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What both have sent.
    pub(super) ledger: Ledger,
    /// Cookies with the address they were given to, and whether with them a group was asked for.
    pub(super) cookies: HashMap<Vec<u8>, (u8, bool)>,
    /// The client's address.
    pub(super) address: u8,
    /// Plaintext messages of another connection.
    pub(super) foreign: Vec<(Side, Fragment)>,
    /// What an end has taken in that its peer may not have sent.
    pub(super) foreign_taken: Vec<(Side, Fragment)>,
    /// The client goes on with an answer to another hello than its last one.
    pub(super) hellos_differ: bool,
}

impl Known {
    /// Whether the ends have not the same keys, because they have not seen the same messages.
    fn keys_differ(&self) -> bool {
        let differs = |(from, fragment): &(Side, Fragment)| !self.ledger.has_sent(*from, fragment);
        self.hellos_differ || self.foreign_taken.iter().any(differs)
    }
}

/// What a record is to the end that gets it.
#[derive(Clone, Debug, Default)]
pub(super) enum Meaning {
    /// Nothing.
    #[default]
    Noise,
    /// Something the alphabet has a word for.
    Input(Input),
    /// A hello to a listener, with its `message_seq`.
    Hello(ClientHello, u16),
    /// Handshake messages.
    Parts(u8, Vec<Part>, Stamp),
    /// An ACK of these messages.
    Ack(u8, HashSet<Sent>),
}

/// What else is to be noted of a record with handshake messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp {
    foreign: Option<Fragment>,
    /// A piece of this message.
    piece: Option<(u16, usize)>,
}

/// The reference of an end of a pair, with the pair's choices and without the guard that the pair leaves out.
fn machine(mode: Mode, pairing: Pairing) -> Machine {
    let machine = Machine::with(mode, pairing.choices);
    match pairing.without {
        Some(guard) => machine.without(guard),
        None => machine,
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise => f.write_str("noise"),
            Self::Input(input) => write!(f, "{input}"),
            Self::Hello(hello, seq) => write!(f, "{hello:?} with message_seq {seq}"),
            Self::Parts(epoch, parts, stamp) => {
                let foreign = if stamp.foreign.is_some() { "foreign " } else { "" };
                write!(f, "{foreign}{parts:?} in epoch {epoch}")
            }
            Self::Ack(epoch, covered) => write!(f, "an ACK of {covered:?} in epoch {epoch}"),
        }
    }
}

impl Reference {
    pub(super) fn new(side: Side, pairing: Pairing) -> Self {
        let mode = if side == Side::Client { pairing.client } else { pairing.server };
        Self {
            machine: machine(mode, pairing),
            side,
            pairing,
            next: 0,
            flight: 0..0,
            sent: HashSet::new(),
            seen: HashSet::new(),
            held: None,
            cuts: HashMap::new(),
            warnings: 0,
            hello: None,
        }
    }

    pub(super) fn listens(&self) -> bool {
        self.machine.control() == Control::Listening
    }

    /// What a protected record is that the peer has sent as it is; `None` if the model has no word for it.
    pub(super) fn judge_protected(&self, said: &Said, known: &Known) -> Option<Meaning> {
        let fresh = !self.seen.contains(&(said.epoch, said.number));
        if self.listens() || !self.machine.hears(said.epoch) || !fresh {
            return Some(Meaning::Noise);
        }
        if known.keys_differ() {
            return Some(self.judge_broken(said.epoch.into()));
        }
        self.judge(said.epoch, &said.content, known)
    }

    /// What a protected record is that nobody has sealed for this end.
    pub(super) fn judge_broken(&self, epoch: u16) -> Meaning {
        match u8::try_from(epoch) {
            Ok(epoch @ 1..=3) if !self.listens() => {
                let record = Record { epoch, seal: Seal::Broken, content: Content::Data };
                Meaning::Input(Input::Rx(record))
            }
            _ => Meaning::Noise,
        }
    }

    /// What a record is that came in plaintext or authenticates; `None` if the model has no word for it.
    pub(super) fn judge(&self, epoch: u8, content: &ledger::Content, known: &Known) -> Option<Meaning> {
        let input = |content| Some(Meaning::Input(Input::Rx(Record { epoch, seal: Seal::Genuine, content })));
        match content {
            ledger::Content::ChangeCipherSpec => input(Content::ChangeCipherSpec),
            ledger::Content::Alert(1, description) if *description != 0 && self.warnings >= WARNINGS => None,
            ledger::Content::Alert(level, description) => {
                let level = if *level == 1 { Level::Warning } else { Level::Fatal };
                input(Content::Alert(level, Description(*description)))
            }
            ledger::Content::Data => input(Content::Data),
            ledger::Content::Unknown => input(Content::Unknown),
            ledger::Content::Malformed => None,
            ledger::Content::MalformedAck => input(Content::Ack(Acked::Malformed)),
            ledger::Content::Ack(numbers) => {
                let higher = numbers.iter().filter(|(of, _)| *of > u64::from(epoch)).count();
                match higher {
                    0 => self.covered(numbers, &known.ledger).map(|covered| Meaning::Ack(epoch, covered)),
                    _ if higher == numbers.len() => input(Content::Ack(Acked::HigherEpoch)),
                    _ => None,
                }
            }
            ledger::Content::Handshake(fragments) => self.judge_handshake(epoch, fragments, known),
        }
    }

    /// The machine is told of a record of this epoch and number.
    pub(super) fn take(&mut self, meaning: Meaning, number: (u8, u64), known: &mut Known) -> Step {
        let broken = matches!(meaning, Meaning::Input(Input::Rx(Record { seal: Seal::Broken, .. })));
        if number.0 > 0 && !broken && !matches!(meaning, Meaning::Noise) {
            self.seen.insert(number);
        }
        let before = self.machine.control();
        let step = match meaning {
            Meaning::Noise => return Step::default(),
            Meaning::Input(input) => {
                let warning =
                    matches!(input, Input::Rx(Record { content: Content::Alert(Level::Warning, _), .. }));
                self.warnings += u8::from(warning);
                self.machine.advance(input)
            }
            Meaning::Ack(epoch, covered) => {
                self.machine.acknowledge_messages(epoch, |sent| covered.contains(&sent))
            }
            Meaning::Hello(hello, seq) => {
                let message = Message::ClientHello(hello);
                let handshake = Handshake { message, seq: Seq::Start, piece: Piece::Whole };
                let content = Content::Handshake(handshake);
                let step = self.machine.advance(Input::Rx(Record { epoch: 0, seal: Seal::Genuine, content }));
                if !self.listens() {
                    (self.next, self.flight, self.hello) = (seq + 1, seq..seq, Some(seq));
                }
                step
            }
            Meaning::Parts(epoch, parts, stamp) => {
                // In plaintext a number counts only for what is acknowledged.
                let acknowledged = self.machine.control().version() == Some(Version::V13)
                    && parts.iter().all(|part| matches!(part.arrival, Arrival::Ahead(_)));
                let copy = epoch == 0 && acknowledged && !self.seen.insert(number);
                let step = self.machine.receive(epoch, &parts, copy);
                if let Some((seq, cut)) = stamp.piece {
                    self.held = Some(seq);
                    self.cuts.insert(seq, cut);
                }
                // A HelloVerifyRequest is in no transcript.
                let verify = parts.iter().all(|part| part.message == Message::HelloVerifyRequest);
                if let (Some(foreign), 1.., false) = (stamp.foreign, step.processed, verify) {
                    known.foreign_taken.push((self.side.peer(), foreign));
                }
                step
            }
        };
        self.note(before, &step);
        step
    }

    /// What the machine did without a record.
    pub(super) fn step(&mut self, input: Input) -> Step {
        let before = self.machine.control();
        let step = self.machine.advance(input);
        self.note(before, &step);
        step
    }

    fn note(&mut self, before: Control, step: &Step) {
        if before == Control::Listening && self.listens() {
            return;
        }
        self.next += u16::from(step.processed);
        if step.processed > 0 {
            self.held = None;
        }
        let mut answered = step.outputs.contains(&Output::Event(Event::Connected));
        for output in &step.outputs {
            if let Output::Tx(epoch, sent) = output {
                let flight = !matches!(sent, Sent::Ack { .. } | Sent::Alert(..) | Sent::Data);
                let new = self.sent.insert((*epoch, *sent)) || step.processed > 0;
                answered |= flight && new;
            }
        }
        if answered && self.next > self.flight.end {
            self.flight = self.flight.end..self.next;
        }
    }

    /// Which messages of this end the records of these numbers have brought. `None` if they have brought a part of one.
    fn covered(&self, numbers: &[(u64, u64)], ledger: &Ledger) -> Option<HashSet<Sent>> {
        let mut arrived: HashMap<(u16, HandshakeType), (Vec<bool>, &Fragment)> = HashMap::new();
        for said in numbers.iter().filter_map(|number| ledger.numbered(self.side, *number)) {
            let ledger::Content::Handshake(fragments) = &said.content else { continue };
            for fragment in fragments {
                let entry = arrived.entry((fragment.seq, fragment.typ));
                let (missing, _) = entry.or_insert_with(|| (vec![true; fragment.length], fragment));
                missing[fragment.start..fragment.end()].fill(false);
            }
        }
        let whole = arrived.values().all(|(missing, _)| !missing.contains(&true));
        whole.then(|| arrived.values().filter_map(|(_, of)| ledger.sent(self.side, of)).collect())
    }

    fn judge_handshake(&self, epoch: u8, fragments: &[Fragment], known: &Known) -> Option<Meaning> {
        if self.listens() {
            return match fragments {
                [hello] if hello.typ == HandshakeType::CLIENT_HELLO => {
                    let own = hello.is_whole() && known.ledger.knows(self.side.peer(), hello);
                    let hello_form = own.then(|| self.hello(&hello.bytes, known))??;
                    Some(Meaning::Hello(hello_form, hello.seq))
                }
                [_other] => Some(Meaning::Noise),
                _ => None,
            };
        }
        if let [Fragment { typ: HandshakeType::HELLO_REQUEST, seq, length: 0, .. }] = fragments {
            let handshake = Handshake { message: Message::HelloRequest, seq: Seq::Next, piece: Piece::Whole };
            let content = Content::Handshake(handshake);
            let record = Record { epoch, seal: Seal::Genuine, content };
            return (*seq == self.next && self.side == Side::Client)
                .then_some(Meaning::Input(Input::Rx(record)));
        }
        let mut stamp = Stamp::default();
        let mut parts: Vec<Part> = Vec::new();
        for fragment in fragments {
            // Whole messages in front of it in the record bring it to its turn.
            let before = (0..)
                .zip(&parts)
                .take_while(|(at, part)| part.piece == Piece::Whole && part.arrival == Arrival::Ahead(*at));
            let turn = self.next + before.count() as u16;
            parts.push(self.part(fragment, turn, known, &mut stamp)?);
        }
        let one = parts.len() == 1 || stamp.foreign.is_none();
        one.then_some(Meaning::Parts(epoch, parts, stamp))
    }

    fn part(&self, fragment: &Fragment, turn: u16, known: &Known, stamp: &mut Stamp) -> Option<Part> {
        let whole = fragment.is_whole();
        let piece = match fragment {
            _ if whole => Piece::Whole,
            Fragment { start: 0, .. } => Piece::First,
            _ if fragment.end() == fragment.length => Piece::Rest,
            _ => return None,
        };
        let arrival = match fragment.seq.checked_sub(self.next) {
            Some(0) => Arrival::Ahead(0),
            Some(distance) if distance <= FARTHEST && (whole || fragment.seq == turn) => {
                Arrival::Ahead(distance.into())
            }
            Some(_) => return None,
            None => self.place(fragment).map_or(Arrival::Before, Arrival::Again),
        };
        if !whole && fragment.seq == turn {
            let cut = if piece == Piece::First { fragment.end() } else { fragment.start };
            if self.cuts.get(&fragment.seq).is_some_and(|known| *known != cut) {
                return None;
            }
            stamp.piece = Some((fragment.seq, cut));
        }
        let from = self.side.peer();
        let message = if known.ledger.knows(from, fragment) {
            self.message(fragment, known)?
        } else if fragment.typ == UNKNOWN_MESSAGE && whole {
            Message::Unknown
        } else if known.foreign.iter().any(|(side, foreign)| *side == from && foreign == fragment) {
            let suspended = matches!(self.machine.control(), Control::Psk { .. });
            let simple = !matches!(arrival, Arrival::Ahead(1..)) && self.held != Some(fragment.seq);
            if !simple || suspended {
                return None;
            }
            stamp.foreign = Some(fragment.clone());
            self.foreign(fragment)?
        } else {
            return None;
        };
        let repeats = self.repeats(fragment, known);
        match arrival {
            Arrival::Again(Place::FlightEnd) if !repeats? => {
                Some(Part { message, piece, arrival: Arrival::Before })
            }
            arrival => Some(Part { message, piece, arrival }),
        }
    }

    /// Whether a fragment with the number of the last message taken in is one of it. `None` where an end may not know: it keeps no
    /// long ones, and of requests that went to different addresses each has a cookie of its own.
    fn repeats(&self, fragment: &Fragment, known: &Known) -> Option<bool> {
        if self.side == Side::Server && self.hello == Some(fragment.seq) {
            // It was for the listener to take in.
            return Some(true);
        }
        if fragment.typ == UNKNOWN_MESSAGE {
            return Some(false);
        }
        let from = self.side.peer();
        let asks = matches!(fragment.typ, HandshakeType::HELLO_VERIFY_REQUEST | HandshakeType::SERVER_HELLO);
        let mut taken = known.foreign_taken.iter();
        let same = match taken.find(|(side, taken)| *side == from && taken.seq == fragment.seq) {
            Some((_, taken)) => taken == fragment,
            None => known.ledger.knows(from, fragment) && (known.address == 0 || !asks),
        };
        same.then_some(true)
    }

    /// Where a message of the past stands: a flight has come again once its last byte has.
    fn place(&self, fragment: &Fragment) -> Option<Place> {
        let is_end = fragment.end() == fragment.length;
        match fragment.seq {
            seq if seq < self.flight.start => None,
            seq if seq >= self.flight.end => Some(Place::Current),
            seq if seq + 1 == self.flight.end && is_end => Some(Place::FlightEnd),
            _ => Some(Place::FlightPart),
        }
    }

    /// A message of the peer, as it is to this end.
    fn message(&self, fragment: &Fragment, known: &Known) -> Option<Message> {
        if fragment.typ == HandshakeType::CLIENT_HELLO {
            let body = known.ledger.body(self.side.peer(), fragment)?;
            return self.hello(&body, known).map(Message::ClientHello);
        }
        network::message(self.pairing, known.ledger.sent(self.side.peer(), fragment)?)
    }

    fn foreign(&self, fragment: &Fragment) -> Option<Message> {
        let sent = crate::learning::listen::sent_message(fragment.typ, &fragment.bytes);
        let message = network::message(self.pairing, sent)?;
        match message {
            // The cookie of another listener.
            Message::ClientHello(hello) if hello.cookie != Cookie::None => {
                Some(Message::ClientHello(ClientHello { cookie: Cookie::Bad, ..hello }))
            }
            other => Some(other),
        }
    }

    /// The client's hello, with its cookie as good as it is.
    fn hello(&self, body: &[u8], known: &Known) -> Option<ClientHello> {
        let parsed = codec::ClientHello::parse(body)?;
        let sent = crate::learning::listen::sent_message(HandshakeType::CLIENT_HELLO, body);
        let Some(Message::ClientHello(hello)) = network::message(self.pairing, sent) else { return None };
        let extension =
            get(&parsed.extensions, extension::COOKIE).map(|mut body| codec::vector(&mut body, 2));
        let cookie = match (extension, &parsed.legacy_cookie[..]) {
            (Some(cookie), []) => Some(cookie?),
            (None, []) => None,
            (None, cookie) => Some(cookie.to_vec()),
            (Some(_), _) => return None,
        };
        let cookie = match cookie.map(|cookie| known.cookies.get(&cookie)) {
            None => Cookie::None,
            Some(Some((address, group))) if *address == known.address => {
                if *group {
                    Cookie::Retry
                } else {
                    Cookie::Good
                }
            }
            Some(_) => Cookie::Bad,
        };
        Some(ClientHello { cookie, ..hello })
    }
}
