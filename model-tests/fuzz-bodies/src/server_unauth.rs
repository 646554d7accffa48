//! A server under fire from somebody who knows no key.

use core::time::Duration;
use std::collections::HashSet;

use dtls_core::{
    Arc, Connection, Discard, Event, Instant, Limits, Listener, ListenerLimits, ServerConfig, TraceSink,
    Verdict, all_suites,
    internals::{Fragment, Record},
};
use ideal_crypto::World;
use monitors::{Role, Watch};
use simulated_network::Prng;

use crate::script::{Script, Step};

/// The one PSK identity the server knows.
pub const IDENTITY: &[u8] = b"Client_identity";
/// Nobody else has it.
const KEY: &[u8] = b"the server's secret";
/// Not the seed of any corpus: cookies that were recorded must not be valid here, or they would be taken for forged ones.
const SEED: u64 = 0x5eed;
/// Room for a datagram; the MTU is below.
const ROOM: usize = 2048;
/// As RFC 6347 §4.2.1 has it: a cookie is good for at most two periods of its secret.
const COOKIE_LIFE: Duration = Duration::from_secs(120);
/// No more datagrams than this at one moment.
const BURST: usize = 64;

/// Options of a whole run.
mod options {
    pub(super) const NO_COOKIES: u8 = 1;
    pub(super) const DEFERRED_PSK: u8 = 2;
    pub(super) const NO_POOL: u8 = 4;
    pub(super) const SMALL_MTU: u8 = 8;
    pub(super) const PACK: u8 = 16;
}

/// Choices of a step; the two lowest bits are the sender's address.
mod choices {
    pub(super) const ADDRESS: u16 = 3;
    pub(super) const INSERT_COOKIE: u16 = 4;
    pub(super) const LET_TIME_PASS: u16 = 8;
    pub(super) const FIRE_TIMER: u16 = 16;
    pub(super) const ANSWER_PSK: u16 = 32;
    pub(super) const REFUSE_PSK: u16 = 64;
    pub(super) const SPLIT_HELLO: u16 = 128;
    pub(super) const STRANGERS_COOKIE: u16 = 256;
}

/// Reads `data` as a [`Script`] of datagrams from four addresses to one server. Before an address has returned a cookie the
/// server sends it no more than it got and keeps no connection; without cookies it sends at most three times as much.
/// Nobody gets connected, nothing is delivered, no datagram is longer than the MTU, no record number used twice; a
/// handshake that waits has a timer, and a timer that fired is gone.
pub fn server_unauth(data: &[u8]) -> Reached {
    let script = Script::parse(data);
    World::default().run(|| {
        let mut server = Server::new(script.options);
        for step in &script.steps {
            server.step(step);
        }
        server.run_out();
        server.reached()
    })
}

/// How far a run came, to see what a corpus is worth.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Reached {
    /// HelloVerifyRequests.
    pub cookies: usize,
    /// Connections.
    pub accepted: usize,
    /// Connections that had all but the right key: their client's Finished did not authenticate.
    pub refused_finished: usize,
}

struct Server {
    /// Of each address, with a monitor of its own.
    configs: [Arc<ServerConfig>; 4],
    listener: Listener,
    rng: Prng,
    now: Instant,
    cookies: bool,
    mtu: usize,
    peers: [Peer; 4],
}

/// One address.
#[derive(Default)]
struct Peer {
    received: usize,
    sent: usize,
    /// Cookies it was given, with the time.
    issued: Vec<(Instant, Vec<u8>)>,
    connection: Option<Connection>,
    numbers: HashSet<[u8; 8]>,
    closed: bool,
}

impl Server {
    fn new(options: u8) -> Self {
        let (limits, cookies) = (limits(options), options & options::NO_COOKIES == 0);
        Self {
            listener: Listener::new(config(options)).expect("the provider has SHA-256"),
            configs: [(); 4].map(|()| config(options)),
            rng: Prng::new(SEED),
            now: Instant::from_micros(1_000_000),
            cookies,
            mtu: limits.mtu,
            peers: Default::default(),
        }
    }

    fn step(&mut self, step: &Step) {
        let has = |bit| step.choices & bit != 0;
        let at = usize::from(step.choices & choices::ADDRESS);
        if has(choices::LET_TIME_PASS) {
            let [low, ..] = *step.datagram else { return };
            self.now = self.now.after(Duration::from_millis(u64::from(low) * 250));
        }
        if has(choices::FIRE_TIMER) {
            self.peers[at].fire(&mut self.now);
        }
        for datagram in self.datagrams(step, at) {
            self.arrive(at, datagram);
        }
        let peer = &mut self.peers[at];
        if has(choices::ANSWER_PSK) || has(choices::REFUSE_PSK) {
            let key = has(choices::ANSWER_PSK).then_some(KEY);
            if let Some(connection) = &mut peer.connection {
                // Refused where nobody asked.
                let _misuse = connection.provide_psk(&mut self.rng, key);
            }
        }
        peer.drain(self.now, self.mtu);
        if !self.cookies {
            assert!(peer.sent <= 3 * peer.received, "{} bytes for {}", peer.sent, peer.received);
        }
    }

    /// What a step lets arrive: its datagram, as it is or with a cookie the server has given, whole or in two fragments.
    fn datagrams(&self, step: &Step, at: usize) -> Vec<Vec<u8>> {
        let has = |bit| step.choices & bit != 0;
        let mut datagram = step.datagram.clone();
        let stranger = usize::from(has(choices::STRANGERS_COOKIE));
        let owner = self.peers.iter().cycle().nth(at + stranger);
        let cookie = owner.and_then(|peer| peer.issued.last());
        if let (true, Some((_, cookie))) = (has(choices::INSERT_COOKIE), cookie) {
            datagram = with_cookie(&datagram, cookie).unwrap_or(datagram);
        }
        let halves = if has(choices::SPLIT_HELLO) { split(&datagram) } else { None };
        halves.map_or_else(|| vec![datagram], Vec::from)
    }

    fn arrive(&mut self, at: usize, mut datagram: Vec<u8>) {
        let Self { configs, listener, rng, now, cookies, peers, .. } = self;
        let peer = &mut peers[at];
        peer.received += datagram.len();
        if peer.connection.is_some() {
            return peer.deliver(*now, rng, &mut datagram);
        }
        let may_enter = !*cookies || peer.may_enter(*now, &datagram);
        let address = u8::try_from(at).expect("there are four").to_be_bytes();
        let mut out = [0; ROOM];
        match listener.handle(*now, rng, &address, &mut datagram, &mut out) {
            Verdict::Reply(reply) => peer.take_reply(*now, reply),
            Verdict::Accept(accepted) => {
                assert!(may_enter, "accepted without a valid cookie");
                peer.connection = Some(Connection::server(Arc::clone(&configs[at]), &accepted, *now, rng));
            }
            _ => {}
        }
    }

    /// Lets every connection run into its deadline.
    fn run_out(&mut self) {
        let Self { now, mtu, peers, .. } = self;
        for peer in peers {
            for _ in 0..BURST {
                peer.fire(now);
                peer.drain(*now, *mtu);
            }
            let timer = peer.connection.as_ref().and_then(Connection::poll_timeout);
            assert_eq!(timer, None, "a handshake has a deadline");
            assert!(peer.connection.is_none() || peer.closed, "it ends with an event");
        }
    }
}

fn limits(options: u8) -> Limits {
    let has = |bit| options & bit != 0;
    let mut limits = Limits::default();
    if has(options::SMALL_MTU) {
        limits.mtu = 228;
    }
    limits.pack_plain_records = has(options::PACK);
    limits
}

/// What a server answers under. A monitor watches its one connection.
fn config(options: u8) -> Arc<ServerConfig> {
    let has = |bit| options & bit != 0;
    let mut listener = ListenerLimits::default();
    listener.cookies = !has(options::NO_COOKIES);
    listener.hello_slots = if has(options::NO_POOL) { 0 } else { 2 };
    let suites: Vec<_> = all_suites().collect();
    let builder = ServerConfig::builder(ideal_crypto::PROVIDER).limits(limits(options)).suites(&suites);
    let builder = if has(options::DEFERRED_PSK) {
        builder.psk_deferred()
    } else {
        builder.psk_table([(IDENTITY, KEY)])
    };
    let watch: Arc<dyn TraceSink> = Arc::new(Watch::new(Role::Server));
    builder.psk_hint(b"hint").listener(listener).trace(watch).build().expect("the settings fit")
}

impl Server {
    fn reached(&self) -> Reached {
        let connections = || self.peers.iter().filter_map(|peer| peer.connection.as_ref());
        let refused = |c: &&Connection| c.stats().discarded(Discard::BadTag) > 0;
        Reached {
            cookies: self.peers.iter().map(|peer| peer.issued.len()).sum(),
            accepted: connections().count(),
            refused_finished: connections().filter(refused).count(),
        }
    }
}

impl Peer {
    /// An answer of the listener, to an address that is not validated.
    fn take_reply(&mut self, now: Instant, reply: &[u8]) {
        self.sent += reply.len();
        assert!(self.sent <= self.received, "{} bytes for {}", self.sent, self.received);
        self.issued.extend(cookie_in(reply).map(|cookie| (now, cookie.to_vec())));
    }

    /// Whether a cookie issued to this address, and not too long ago, is in the datagram. Of a hello in fragments a datagram
    /// may hold only part of it.
    fn may_enter(&self, now: Instant, datagram: &[u8]) -> bool {
        let fragmented = has_fragment(datagram);
        self.issued
            .iter()
            .filter(|(at, _)| now.since(*at) <= COOKIE_LIFE)
            .any(|(_, cookie)| fragmented || datagram.windows(cookie.len()).any(|window| window == cookie))
    }

    fn deliver(&mut self, now: Instant, rng: &mut Prng, datagram: &mut [u8]) {
        let Some(connection) = &mut self.connection else { return };
        let mut incoming = connection.handle_datagram(now, rng, datagram);
        // An error is sticky and told as an event.
        if let Ok(data) = incoming.next_data() {
            assert_eq!(data, None, "data from somebody without keys");
        }
    }

    /// Goes on to the connection's next timer.
    fn fire(&mut self, now: &mut Instant) {
        let Some(connection) = &mut self.connection else { return };
        let Some(due) = connection.poll_timeout() else { return };
        *now = (*now).max(due);
        // An error is sticky and told as an event.
        let _told = connection.handle_timeout(*now);
        assert!(connection.poll_timeout().is_none_or(|next| next > *now), "a timer is left in the past");
    }

    /// Takes all the connection has to say.
    fn drain(&mut self, now: Instant, mtu: usize) {
        let Some(connection) = &mut self.connection else { return };
        let mut out = [0; ROOM];
        let mut written = 0;
        while let Some(datagram) = connection.poll_transmit(now, &mut out) {
            assert!(datagram.len() <= mtu, "{} bytes at an MTU of {mtu}", datagram.len());
            self.sent += datagram.len();
            written += 1;
            assert!(written <= BURST, "poll_transmit does not end");
            for number in record_numbers(datagram) {
                assert!(self.numbers.insert(number), "record number {number:?} is used twice");
            }
        }
        while let Some(event) = connection.poll_event() {
            assert!(!self.closed, "{event:?} after the end");
            assert_ne!(event, Event::Connected, "somebody without keys is connected");
            self.closed = matches!(event, Event::Closed(_));
        }
        assert!(!connection.is_established());
        assert!(self.closed || connection.poll_timeout().is_some(), "the server waits without a timer");
    }
}

/// Epoch and sequence number of each record the server wrote.
fn record_numbers(datagram: &[u8]) -> Vec<[u8; 8]> {
    let mut numbers = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let (header, tail) = rest.split_first_chunk::<13>().expect("a whole record");
        let [_, _, _, number @ .., l0, l1] = *header;
        numbers.push(number);
        rest = &tail[usize::from(u16::from_be_bytes([l0, l1]))..];
    }
    numbers
}

/// Whether there is part of a handshake message in the datagram.
fn has_fragment(datagram: &[u8]) -> bool {
    let mut datagram = datagram.to_vec();
    let mut rest = datagram.as_mut_slice();
    while let Ok((record, tail)) = Record::split_first(rest) {
        let is_part = |f: Fragment<'_>| f.header()[1..4] != f.header()[9..12];
        if Fragment::all(record.body).map_while(Result::ok).any(is_part) {
            return true;
        }
        rest = tail;
    }
    false
}

/// The cookie of a HelloVerifyRequest.
fn cookie_in(reply: &[u8]) -> Option<&[u8]> {
    let (22, Some(3)) = (reply[0], reply.get(13)) else { return None };
    let length = usize::from(*reply.get(27)?);
    reply.get(28..28 + length)
}

/// A ClientHello in one record, with `cookie` for its own. `None` if it is anything else.
fn with_cookie(datagram: &[u8], cookie: &[u8]) -> Option<Vec<u8>> {
    const SESSION_ID: usize = 13 + 12 + 2 + 32;
    let (Some(22), Some(1)) = (datagram.first(), datagram.get(13)) else { return None };
    let at = SESSION_ID + 1 + usize::from(*datagram.get(SESSION_ID)?);
    let old = usize::from(*datagram.get(at)?);
    let rest = datagram.get(at + 1 + old..)?;
    let mut out = [datagram.get(..at)?, &[u8::try_from(cookie.len()).ok()?], cookie, rest].concat();
    let [.., l0, l1] = u32::try_from(out.len() - 13).ok()?.to_be_bytes();
    out[11..13].copy_from_slice(&[l0, l1]);
    let [_, b @ ..] = u32::try_from(out.len() - 25).ok()?.to_be_bytes();
    out[14..17].copy_from_slice(&b);
    out[22..25].copy_from_slice(&b);
    Some(out)
}

/// The two halves of a handshake message that is alone in its datagram. `None` for anything else.
fn split(datagram: &[u8]) -> Option<[Vec<u8>; 2]> {
    let (head, body) = datagram.split_at_checked(13 + 12)?;
    let (offset, length) = (head.get(19..22)?, head.get(22..25)?);
    if head[0] != 22 || offset != [0; 3] || head[14..17] != *length || length[0] != 0 {
        return None;
    }
    let (first, second) = body.split_at(body.len() / 2);
    let part = |offset: usize, part: &[u8]| {
        let mut out = [head, part].concat();
        out[11..13].copy_from_slice(&u16::try_from(12 + part.len()).ok()?.to_be_bytes());
        out[20..22].copy_from_slice(&u16::try_from(offset).ok()?.to_be_bytes());
        out[23..25].copy_from_slice(&u16::try_from(part.len()).ok()?.to_be_bytes());
        Some(out)
    };
    Some([part(0, first)?, part(first.len(), second)?])
}
