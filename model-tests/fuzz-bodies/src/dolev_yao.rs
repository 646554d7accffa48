//! One end against a peer that may say anything at any time, from two addresses: one that owns the key, or a stranger that
//! owns the key of another identity.

use std::collections::{HashMap, HashSet};

use arbitrary::{Arbitrary as _, Unstructured};
use dtls_core::{
    Arc, CipherSuite, ClientConfig, Connection, Event, Instant, Limits, Listener, ListenerLimits,
    PeerIdentity, PskMode, ServerConfig, TraceSink, Verdict,
};
use ideal_crypto::World;
use monitors::{Role, Watch};
use scripted_peer::{
    Content, End, Message, Record, ScriptedPeer, Settings, What,
    action::{PskForm, Seal},
    cookies,
};
use simulated_network::Prng;

const IDENTITY: &[u8] = b"dolev";
const KEY: &[u8] = b"a key that both ends know";
/// Whom a peer is for who calls itself by an unknown name ([`scripted_peer`] knows one).
const OTHER_IDENTITY: &[u8] = b"somebody else";
/// The key of that identity, where the end knows it, and no key otherwise.
const OTHER_KEY: &[u8] = b"a key that is of no use to others";
/// The content type of application data.
const DATA: u8 = 23;
const ADDRESSES: [&[u8]; 2] = [&[192, 0, 2, 1, 0x16, 0x33], &[192, 0, 2, 2, 0x16, 0x33]];
const ROOM: usize = 2048;
/// More actions than this are no use.
const MAX_ACTIONS: usize = 200;
/// No more datagrams than this at one moment.
const BURST: usize = 64;
/// A ClientHello so long that a server without cookies may answer with its whole flight.
const LONG_HELLO: usize = 500;

/// Options of a whole run.
mod options {
    pub(super) const SERVER: u8 = 1;
    pub(super) const DTLS12: u8 = 2;
    pub(super) const DTLS13: u8 = 4;
    pub(super) const EPHEMERAL: u8 = 8;
    pub(super) const COOKIES: u8 = 16;
    pub(super) const DEFERRED: u8 = 32;
    pub(super) const STRANGER: u8 = 64;
    pub(super) const SMALL_MTU: u8 = 128;
}

/// How far a run came, to see what a corpus is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[non_exhaustive]
pub struct Met {
    /// The mode of the end and the kind of the peer.
    pub options: u8,
    /// The end was connected.
    pub connected: bool,
    /// The end was connected to a stranger as the one it is.
    pub as_other: bool,
    /// The peer had asked for a cookie at more than one address.
    pub moved: bool,
    /// The end delivered data.
    pub delivered: bool,
    /// The end failed.
    pub failed: bool,
    /// The connection was closed in good order.
    pub closed: bool,
}

/// Reads `data` as options and what the peer says and does. Every monitor watches the end. Besides: a stranger is connected to
/// as itself at most, never as the identity whose key it has not; a cookie is of use only at the address it was given to; what
/// is delivered was said under the keys for data, and no more often than it was said; a peer that shook hands as it should can read what the end's application sends; whoever waits has a timer.
pub fn dolev_yao(data: &[u8]) -> Met {
    let (options, rest) = data.split_first().unwrap_or((&0, &[]));
    let mut actions = Unstructured::new(rest);
    let mut talk = Talk::new(*options);
    for _ in 0..MAX_ACTIONS {
        if actions.is_empty() || talk.act(&mut actions).is_err() {
            break;
        }
    }
    talk.met
}

struct Talk {
    met: Met,
    peer: ScriptedPeer,
    /// The configuration that a server is made of, and its listener.
    door: Option<(Arc<ServerConfig>, Listener)>,
    connection: Option<Connection>,
    watch: Arc<Watch>,
    world: World,
    rng: Prng,
    now: Instant,
    /// Which of the addresses the peer speaks from.
    address: usize,
    /// Whether a client calls itself [`OTHER_IDENTITY`].
    as_other: bool,
    /// The cookies that were given to each address.
    cookies: Vec<(usize, Vec<u8>)>,
    /// The identity whose key the application was asked for.
    asked: Option<Vec<u8>>,
    /// The peer has sent other handshake messages than it should before the end was connected: it cannot be sure what was
    /// taken in of them.
    unsure: bool,
    last: Vec<u8>,
    /// Application data the peer has sent under the keys for it, as often as it did.
    said: HashMap<Vec<u8>, usize>,
    /// The records it was in.
    emitted: HashSet<Vec<u8>>,
}

impl Talk {
    fn new(options: u8) -> Self {
        let has = |bit| options & bit != 0;
        let both = !has(options::DTLS12) && !has(options::DTLS13);
        let (v12, v13) = (has(options::DTLS12) || both, has(options::DTLS13) || both);
        let suite12 = match has(options::EPHEMERAL) {
            true => CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
            false => CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        };
        let suite13 = CipherSuite::TLS_AES_128_CCM_SHA256;
        let mut suites = Vec::new();
        suites.extend(v13.then_some(suite13));
        suites.extend(v12.then_some(suite12));
        let is_server = has(options::SERVER);
        let settings = Settings {
            suites12: vec![suite12],
            suites13: vec![suite13],
            dhe: has(options::EPHEMERAL),
            hello_len: if has(options::COOKIES) { 0 } else { LONG_HELLO },
            assume13: v13,
            seed: 7,
            ..Settings::new(
                ideal_crypto::PROVIDER,
                if is_server { End::Client } else { End::Server },
                IDENTITY,
                if has(options::STRANGER) { OTHER_KEY } else { KEY },
            )
        };
        let now = Instant::from_micros(1_000_000);
        let mut talk = Self {
            met: Met { options, ..Met::default() },
            peer: World::unchecked().run(|| ScriptedPeer::new(settings)),
            door: None,
            connection: None,
            watch: Arc::new(Watch::new(if is_server { Role::Server } else { Role::Client })),
            world: World::default(),
            rng: Prng::new(1),
            now,
            address: 0,
            as_other: false,
            cookies: Vec::new(),
            asked: None,
            unsure: false,
            last: Vec::new(),
            said: HashMap::new(),
            emitted: HashSet::new(),
        };
        talk.start(&suites, options);
        talk
    }

    fn start(&mut self, suites: &[CipherSuite], options: u8) {
        let has = |bit| options & bit != 0;
        let mode = if has(options::EPHEMERAL) { PskMode::PskDhe } else { PskMode::PskOnly };
        let mut limits = Limits::default();
        if has(options::SMALL_MTU) {
            limits.mtu = 228;
        }
        let (provider, world, rng) = (ideal_crypto::PROVIDER, &mut self.world, &mut self.rng);
        if has(options::SERVER) {
            let mut listener = ListenerLimits::default();
            listener.cookies = has(options::COOKIES);
            let watch = Arc::clone(&self.watch) as Arc<dyn TraceSink>;
            let config =
                ServerConfig::builder(provider).suites(suites).psk_modes(&[mode]).limits(limits).trace(watch);
            let config = match has(options::DEFERRED) {
                true => config.psk_deferred(),
                false if has(options::STRANGER) => {
                    config.psk_table([(IDENTITY, KEY), (OTHER_IDENTITY, OTHER_KEY)])
                }
                false => config.psk_table([(IDENTITY, KEY)]),
            };
            let config = config.listener(listener).build().expect("a good configuration");
            let listener = Listener::new(Arc::clone(&config)).expect("the provider has SHA-256");
            self.door = Some((config, listener));
        } else {
            let watch = Arc::clone(&self.watch) as Arc<dyn TraceSink>;
            let config = ClientConfig::builder(provider).suites(suites).psk_modes(&[mode]).limits(limits);
            let config = config.trace(watch).psk(IDENTITY, KEY).build().expect("a good configuration");
            let client = world.run(|| Connection::client(config, self.now, rng)).expect("a client starts");
            self.connection = Some(client);
            self.settle();
        }
    }

    /// One thing that the peer, the network, the time or the application does.
    fn act(&mut self, actions: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match actions.arbitrary::<u8>()? {
            0..=91 => {
                for record in self.honest() {
                    self.say(&[record]);
                }
            }
            92..=99 => {
                // The right thing in the wrong epoch, and not what should come before it.
                let epoch = actions.arbitrary::<u8>()? % 4;
                if let Some(record) = self.honest().pop() {
                    self.unsure |= !self.met.connected;
                    self.say(&[Record { epoch: epoch.into(), ..record }]);
                }
            }
            100..=119 => {
                // Several records in one datagram.
                let records = self.honest();
                self.say(&records);
            }
            120..=199 => {
                let mut record = Record::arbitrary(actions)?;
                record.epoch %= 5;
                self.unsure |= !self.met.connected && matches!(record.content, Content::Handshake(_));
                self.say(&[record]);
            }
            200..=209 => {
                let mut datagram = self.last.clone();
                let (at, bits) = (actions.arbitrary::<u16>()?, actions.arbitrary::<u8>()?);
                let length = datagram.len().max(1);
                if let Some(byte) = datagram.get_mut(usize::from(at) % length) {
                    *byte ^= bits;
                }
                self.deliver(datagram);
            }
            210..=219 => self.deliver(self.last.clone()),
            220..=224 => {
                let noise = actions.arbitrary::<[u8; 24]>()?;
                self.deliver(noise.to_vec());
            }
            225..=234 => self.let_time_pass(),
            235..=239 => self.answer(KEY),
            240..=242 => self.answer(OTHER_KEY),
            243..=249 => self.send(),
            250 => {
                let close_notify = Content::Alert { level: 1, description: 0 };
                [1, 3].into_iter().for_each(|epoch| self.say(&[Record::new(epoch, close_notify.clone())]));
            }
            251 => self.address = 1 - self.address,
            252 => self.as_other = !self.as_other,
            _ => {
                if let Some(connection) = &mut self.connection {
                    self.world.run(|| connection.close());
                    self.settle();
                }
            }
        }
        Ok(())
    }

    /// What a peer that follows the rules would say now, under either name.
    fn honest(&self) -> Vec<Record> {
        let mut records = World::unchecked().run(|| self.peer.honest());
        for record in records.iter_mut().filter(|_| self.as_other) {
            let Content::Handshake(handshake) = &mut record.content else { continue };
            match &mut handshake.message {
                Message::ClientHello(form) => form.psk = PskForm::Unknown,
                Message::ClientKeyExchange(form) => form.known_identity = false,
                _ => {}
            }
        }
        records
    }

    fn say(&mut self, records: &[Record]) {
        let mut datagram = Vec::new();
        for record in records {
            let bytes = World::unchecked().run(|| self.peer.emit(record));
            // The same bytes are the same record, however often they come.
            if record.seal == Seal::Genuine
                && let Some(data) = data_of(record)
                && self.emitted.insert(bytes.clone())
            {
                *self.said.entry(data.to_vec()).or_default() += 1;
            }
            if records.len() > 1 {
                // The next record of the same flight may need the keys that this one leads to.
                World::unchecked().run(|| self.peer.assume_taken());
            }
            datagram.extend(bytes);
        }
        self.deliver(datagram);
    }

    fn deliver(&mut self, mut datagram: Vec<u8>) {
        self.last.clone_from(&datagram);
        let Self { door, connection, world, rng, now, met, said, address, cookies, last, .. } = self;
        let mut reply = Vec::new();
        world.run(|| match (&mut *connection, door) {
            (Some(connection), _) => {
                let mut incoming = connection.handle_datagram(*now, rng, &mut datagram);
                while let Ok(Some(data)) = incoming.next_data() {
                    let left = said.get_mut(&*data.bytes).filter(|left| **left > 0);
                    let left =
                        left.expect("S5: what is delivered was said under keys for data, and not too often");
                    *left -= 1;
                    met.delivered = true;
                }
            }
            (None, Some((config, listener))) => {
                let mut out = [0; ROOM];
                match listener.handle(*now, rng, ADDRESSES[*address], &mut datagram, &mut out) {
                    Verdict::Reply(bytes) => {
                        cookies.extend(cookies::given(bytes).map(|cookie| (*address, cookie)));
                        met.moved |= cookies.iter().any(|(other, _)| other != address);
                        reply = bytes.to_vec();
                    }
                    Verdict::Accept(accepted) => {
                        if met.options & options::COOKIES != 0 {
                            check_cookie(last, |cookie| cookies.contains(&(*address, cookie)));
                        }
                        *connection = Some(Connection::server(Arc::clone(config), &accepted, *now, rng));
                    }
                    _ => {}
                }
            }
            (None, None) => {}
        });
        if self.connection.is_some() {
            World::unchecked().run(|| self.peer.assume_taken());
        }
        World::unchecked().run(|| self.peer.receive(&reply));
        self.settle();
    }

    /// Takes what the end has to say, and checks what must hold between inputs.
    fn settle(&mut self) {
        let Self { connection, watch, world, now, peer, met, asked, .. } = self;
        let Some(connection) = connection else { return };
        let mut out = [0; ROOM];
        for sent in 0.. {
            assert!(sent < BURST, "poll_transmit does not end");
            let Some(datagram) = world.run(|| connection.poll_transmit(*now, &mut out)) else { break };
            World::unchecked().run(|| peer.receive(datagram));
        }
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => met.connected = true,
                Event::NeedPsk { identity } => *asked = Some(identity),
                Event::Closed(dtls_core::CloseReason::Failed(_)) => met.failed = true,
                Event::Closed(_) => met.closed = true,
                _ => {}
            }
        }
        let stranger = met.options & options::STRANGER != 0;
        if met.connected
            && let Some(negotiated) = connection.negotiated()
        {
            let own = if stranger { OTHER_IDENTITY } else { IDENTITY };
            let is_own = negotiated.peer == PeerIdentity::Psk(own.to_vec());
            assert!(is_own, "S3: connected to somebody who has no key of {:?}", negotiated.peer);
            met.as_other |= stranger;
            watch.note_negotiated(negotiated);
        }
        let waits = !connection.is_established() && !connection.is_closed();
        assert!(!waits || connection.poll_timeout().is_some(), "L3: waits without a timer");
    }

    fn let_time_pass(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let Some(at) = connection.poll_timeout() else { return };
        self.now = self.now.max(at);
        // An error is sticky and told as an event.
        let _told = self.world.run(|| connection.handle_timeout(self.now));
        let next = connection.poll_timeout();
        assert!(next.is_none_or(|at| at > self.now), "L3: a timer is left in the past");
        self.settle();
    }

    fn answer(&mut self, key: &[u8]) {
        let stranger = self.met.options & options::STRANGER != 0;
        let Some(connection) = &mut self.connection else { return };
        let Some(asked) = self.asked.take() else { return };
        // No identity is given the key of another, but perhaps a wrong one.
        let wrong = !stranger && key == OTHER_KEY;
        let owner = if key == KEY { IDENTITY } else { OTHER_IDENTITY };
        let key = (wrong || asked == owner).then_some(key);
        // An end that has failed meanwhile does not want it any more.
        let _told = self.world.run(|| connection.provide_psk(&mut self.rng, key));
        self.settle();
    }

    /// The application sends, and the peer can read it.
    fn send(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let mut out = [0; 128];
        let Ok(len) = self.world.run(|| connection.send(b"to the peer", &mut out)) else { return };
        let heard = World::unchecked().run(|| self.peer.receive(&out[..len]));
        let read = heard.iter().any(|heard| heard.what == What::Data(b"to the peer".to_vec()));
        assert!(read || self.unsure, "S1: connected to somebody who cannot read: {heard:?}");
    }
}

/// Checks that one of the hellos that came whole has a `valid` cookie.
fn check_cookie(datagram: &[u8], valid: impl Fn(Vec<u8>) -> bool) {
    let mut hellos = cookies::returned(datagram).peekable();
    let accepted = hellos.peek().is_none() || hellos.any(|cookie| cookie.is_some_and(&valid));
    assert!(accepted, "S10: a hello was answered without a cookie that its address was given");
}

/// The application data in a record of an epoch for data.
fn data_of(record: &Record) -> Option<&[u8]> {
    match (&record.content, record.epoch) {
        (Content::Data(data) | Content::Raw(DATA, data), 1 | 3) => Some(data),
        // A content type of zero is padding: the type is the last byte before it (RFC 8446 §5.4).
        (Content::Raw(0, inner), 3) => {
            let end = inner.iter().rposition(|byte| *byte != 0)?;
            (inner[end] == DATA).then(|| &inner[..end])
        }
        _ => None,
    }
}
