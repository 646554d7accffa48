//! The end under test and the peer, stepped with the inputs of the reference model.

use core::{ops::Range, time::Duration};
use std::{collections::HashMap, sync::Arc};

use dtls_core::{AckPolicy, CipherSuite, Connection, Event as Told, HandshakeType, crypto::Provider};
use ideal_crypto::World;
use reference_model::{
    alphabet::{Again, App, ClientHello, Content, Cookie, Event, Input, Message, Output, Record, Seq},
    mode::{Mode, Role, Versions},
};
use scripted_peer::{End, Exchange, Remark, ScriptedPeer, Settings, What};

use super::{
    Reaction, Subject, listen,
    speak::{self, client_hello},
};
use crate::{KEY, Recipe, recipe::IDENTITY};

/// What a handshake and a cookie have: more than any trace takes.
const FOR_EVER: Duration = Duration::from_secs(10_000_000);
/// Bytes of a ClientHello to a server without cookies.
const LONG_HELLO: usize = 6000;
const MAX_RETRANSMISSIONS: u8 = 255;
/// Hellos in pieces that a listener keeps, which is copied with all of them. There is one peer, whose hellos are whole.
const HELLO_SLOTS: usize = 2;

/// The end under test and the peer it talks to.
#[derive(Clone, Debug)]
pub struct Sul {
    plan: Arc<Plan>,
    subject: Subject,
    peer: ScriptedPeer,
    /// The datagram of the last record that was sent.
    last: Option<Arc<[u8]>>,
    /// The peer's messages of its last flight that was answered, by index among those taken in.
    flight: Range<usize>,
}

/// What is the same in every trace.
#[derive(Debug)]
struct Plan {
    mode: Mode,
    /// The cookies of a listener without memory, by hello.
    exchanges: HashMap<ClientHello, Exchange>,
}

impl Sul {
    /// One end of this mode with ideal cryptography whose use nobody checks: the fastest way. A monitor watches it.
    pub fn new(mode: Mode) -> Self {
        Self::with(mode, ideal_crypto::PROVIDER, World::unchecked())
    }

    /// One end of this mode; its uses of ideal cryptography are checked in `world`. A monitor watches it.
    pub fn with(mode: Mode, provider: Provider, world: World) -> Self {
        Self::ready(mode, &recipe(mode, provider), world, &mode.alphabet())
    }

    /// One end of this mode that acknowledges as `policy` says.
    pub fn with_acks(mode: Mode, policy: AckPolicy) -> Self {
        let mut recipe = recipe(mode, ideal_crypto::PROVIDER);
        recipe.limits.ack_policy = policy;
        Self::ready(mode, &recipe, World::unchecked(), &mode.alphabet())
    }

    /// One end of this mode that can be tried with every input of an alphabet, also of one that is not its own.
    pub fn for_alphabet(mode: Mode, alphabet: &[Input]) -> Self {
        Self::ready(mode, &recipe(mode, ideal_crypto::PROVIDER), World::unchecked(), alphabet)
    }

    fn ready(mode: Mode, recipe: &Recipe, world: World, alphabet: &[Input]) -> Self {
        World::unchecked().run(|| {
            let settings = peer_settings(mode, recipe);
            let mut peer = ScriptedPeer::new(settings);
            let subject = match mode.role {
                Role::Client => {
                    let (subject, first) = Subject::client(recipe.setup().client, 1, world);
                    for datagram in &first.datagrams {
                        peer.receive(datagram);
                    }
                    subject
                }
                Role::Server => {
                    let mut subject = Subject::server(recipe.setup().server, 1, world);
                    // The secret of cookies is made with the first datagram.
                    subject.receive(&mut [vec![0]]);
                    subject
                }
            };
            let exchanges = exchanges(alphabet, &subject, &peer);
            let plan = Arc::new(Plan { mode, exchanges });
            Self { plan, subject, peer, last: None, flight: 0..0 }
        })
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.plan.mode
    }

    /// The end under test, once there is one.
    pub fn connection(&self) -> Option<&Connection> {
        self.subject.connection()
    }

    /// One input, and what the end does about it.
    pub fn step(&mut self, input: Input) -> Vec<Output> {
        World::unchecked().run(|| {
            let reaction = self.put(input);
            self.synchronize(&reaction);
            self.hear(&reaction)
        })
    }

    fn put(&mut self, input: Input) -> Reaction {
        self.peer.read_up_to(self.connection().map_or(0, Connection::read_epoch));
        match input {
            Input::Rx(record) => {
                let bytes = self.emit(&record);
                self.last = Some(bytes[..].into());
                self.subject.receive(&mut [bytes])
            }
            Input::Replay => {
                let Some(last) = &self.last else { return Reaction::default() };
                self.peer.repeated();
                self.subject.receive(&mut [last.to_vec()])
            }
            Input::Again(again) => {
                let mut datagrams = self.again(again);
                self.subject.receive(&mut datagrams)
            }
            Input::Timer => self.subject.fire(),
            // What the end refuses has no effect.
            Input::App(App::Send) => self.subject.send(b"data").unwrap_or_default(),
            Input::App(App::Close) => self.subject.close(),
            Input::App(App::PskFound) => self.subject.provide_psk(Some(KEY)).unwrap_or_default(),
            Input::App(App::PskNotFound) => self.subject.provide_psk(None).unwrap_or_default(),
        }
    }

    fn emit(&mut self, record: &Record) -> Vec<u8> {
        let mut seq = 0;
        if let Content::Handshake(handshake) = record.content {
            seq = self.seq_of(handshake.message, handshake.seq);
            if let Message::ClientHello(hello) = handshake.message {
                self.begin(hello, seq);
            }
        }
        let record = speak::record(&self.peer, record, seq);
        self.peer.emit(&record)
    }

    fn seq_of(&self, message: Message, seq: Seq) -> u16 {
        let start = match message {
            Message::ClientHello(hello) => u16::from(hello.cookie != Cookie::None),
            _ => 0,
        };
        let next = if self.connection().is_some() { self.peer.next_seq() } else { start };
        match seq {
            Seq::Next => next,
            Seq::Ahead => next.saturating_add(1),
            Seq::Start => start,
        }
    }

    /// A hello to a listener begins everything anew; with a cookie it goes on with the exchange that gave it.
    fn begin(&mut self, hello: ClientHello, seq: u16) {
        if self.connection().is_some() {
            return;
        }
        self.peer.start_over(seq);
        let none = Exchange::default();
        self.peer.set_exchange(self.plan.exchanges.get(&hello).unwrap_or(&none));
    }

    /// Messages that were taken in come again.
    fn again(&mut self, again: Again) -> Vec<Vec<u8>> {
        let taken = self.peer.messages_taken();
        let range = match again {
            Again::First => self.flight.start..self.flight.end.min(self.flight.start + 1),
            Again::Last => taken.len().saturating_sub(1)..taken.len(),
            Again::Flight => self.flight.clone(),
        };
        let messages = taken.get(range).unwrap_or_default().to_vec();
        let mut datagrams = Vec::new();
        for taken in &messages {
            if again == Again::Flight && taken.epoch == 1 && taken.message.typ == HandshakeType::FINISHED {
                let ccs = scripted_peer::Record::new(0, scripted_peer::Content::ChangeCipherSpec);
                datagrams.push(self.peer.emit(&ccs));
            }
            datagrams.push(self.peer.emit_again(taken));
        }
        datagrams
    }

    /// Tells the peer what the end has taken in.
    fn synchronize(&mut self, reaction: &Reaction) {
        match self.connection().and_then(Connection::next_message_seq) {
            Some(next) => self.peer.taken(next),
            // The end of a handshake of DTLS 1.2.
            None if reaction.events.contains(&Told::Connected) => self.peer.assume_taken(),
            None => {}
        }
    }

    fn hear(&mut self, reaction: &Reaction) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut answered = reaction.events.contains(&Told::Connected);
        for datagram in &reaction.datagrams {
            for heard in self.peer.receive(datagram) {
                answered |= matches!(heard.what, What::Message(_, Remark::New | Remark::Retry));
                outputs.extend(listen::output(&heard));
            }
        }
        outputs.extend(reaction.delivered.iter().map(|_| Output::Event(Event::Delivered)));
        outputs.extend(reaction.events.iter().filter_map(listen::event));
        let taken = self.peer.messages_taken().len();
        if answered && taken > self.flight.end {
            self.flight = self.flight.end..taken;
        }
        outputs
    }
}

/// A mode as a system for the learner.
#[derive(Clone, Debug)]
pub struct Learnable {
    start: Sul,
    inputs: Vec<Input>,
}

impl Learnable {
    /// Everything that can happen from this start, with the inputs of its mode.
    pub fn new(start: Sul) -> Self {
        let inputs = start.mode().alphabet();
        Self { start, inputs }
    }
}

impl learner::System for Learnable {
    type Input = Input;
    type Output = Vec<Output>;
    type State = Sul;

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn start(&self) -> Sul {
        self.start.clone()
    }

    fn step(&self, state: &mut Sul, input: usize) -> Vec<Output> {
        state.step(self.inputs[input])
    }
}

/// How an end of this mode, and one that fits it, is configured.
pub(crate) fn recipe(mode: Mode, provider: Provider) -> Recipe {
    let mut recipe = Recipe::for_modes([mode, mode], provider);
    let rto = Duration::from_secs(1);
    let limits = &mut recipe.limits;
    (limits.initial_rto, limits.max_rto, limits.handshake_timeout) = (rto, rto, FOR_EVER);
    limits.max_retransmissions = MAX_RETRANSMISSIONS;
    (recipe.listener.cookie_rotation, recipe.listener.hello_slots) = (FOR_EVER, HELLO_SLOTS);
    recipe
}

/// The peer can speak more than the end under test.
fn peer_settings(mode: Mode, recipe: &Recipe) -> Settings {
    let end = if mode.role == Role::Client { End::Server } else { End::Client };
    let suite12 = match mode.ephemeral {
        true => CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        false => CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
    };
    Settings {
        suites12: vec![suite12],
        dhe: mode.ephemeral,
        assume13: mode.versions != Versions::V12,
        hello_len: if mode.cookie { 0 } else { LONG_HELLO },
        remember: false,
        seed: 7,
        ..Settings::new(recipe.provider, end, IDENTITY, KEY)
    }
}

/// Asks a copy of the listener for the cookie of every hello that brings one.
fn exchanges(alphabet: &[Input], subject: &Subject, peer: &ScriptedPeer) -> HashMap<ClientHello, Exchange> {
    let ask = |hello: ClientHello| {
        let (mut subject, mut peer) = (subject.clone(), peer.clone());
        let message = scripted_peer::Message::ClientHello(client_hello(hello));
        let bytes = peer.emit(&scripted_peer::Record::message(0, message));
        for datagram in subject.receive(&mut [bytes]).datagrams {
            peer.receive(&datagram);
        }
        peer.exchange().clone()
    };
    let hellos = alphabet.iter().filter_map(|input| match input {
        Input::Rx(Record { content: Content::Handshake(handshake), .. }) => match handshake.message {
            Message::ClientHello(hello) if hello.cookie != Cookie::None => Some(hello),
            _ => None,
        },
        _ => None,
    });
    let exchange = |hello: ClientHello| {
        let first = ClientHello { cookie: Cookie::None, share: hello.cookie != Cookie::Retry, ..hello };
        let exchange = ask(first);
        // A hello that is refused without a cookie brings that of an honest one.
        let has_cookie = exchange.has_cookie();
        if has_cookie {
            exchange
        } else {
            ask(ClientHello { share: first.share, ..ClientHello::first(hello.offers) })
        }
    };
    hellos.map(|hello| (hello, exchange(hello))).collect()
}
