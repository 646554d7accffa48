//! A client, a listener and the server connection it leads to, with the monitors that watch every run.
//!
//! Knows no network: whoever drives it decides what arrives and when. Each call checks, under the ids of [`monitors`]
//! - S5, S6: what a connection delivers was sent by the peer's application, and no more often than it was sent;
//! - S2, S7: with the ideal provider, that delivered bytes came out of a successful `open` ([`World`] has its further rules);
//! - S7, S17: no (epoch, sequence number) is ever used twice by one end, and datagrams consist of whole records;
//! - S10: no more goes to an address that is not proven than came from it;
//! - L3: whoever waits for its peer in a handshake, or keeps memory of one, has a timer, and none is left in the past;
//! - S1, S14: two ends that are connected agree on everything negotiated, and it is the best that both can do;
//! - with the feature `model`, everything that a [`monitors::Monitor`] checks of each end.

mod door;

use std::collections::{HashMap, HashSet};

use dtls_core::{ApiMisuse, Arc, CloseReason, Connection, Error, Event, Instant, ProtocolVersion, SendError};
use ideal_crypto::World;
use monitors::Role;
use simulated_network::{Prng, Side};

use self::door::Door;
#[cfg(feature = "model")]
use crate::Watched;
use crate::{Setup, wire::records};

/// No end writes more datagrams than this at one moment.
const BURST: usize = 10_000;

/// Both ends of a conversation.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Ends {
    world: World,
    now: Instant,
    client: End,
    server: Option<End>,
    door: Door,
    psk: Option<Vec<u8>>,
    version: Option<ProtocolVersion>,
    /// Datagrams that were produced and not taken yet.
    outgoing: Vec<Outgoing>,
    /// Whether both ends were found to have the same keys.
    agreed: bool,
    /// Whether the server's trace was asked for before there was a server.
    #[cfg(feature = "model")]
    traces_server: bool,
}

/// A datagram that was produced.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// Who sends it.
    pub from: Side,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The content types of its records, where the trace of the connection (feature `model`) tells them; else empty.
    pub contents: Vec<u8>,
}

/// One connection and what it did.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct End {
    connection: Connection,
    rng: Prng,
    room: usize,
    numbers: HashSet<(u16, u64)>,
    #[cfg(feature = "model")]
    monitor: monitors::Monitor,
    /// What happened since the test last asked, once it has asked.
    #[cfg(feature = "model")]
    trace: Option<Vec<dtls_core::TraceEvent>>,
    sent: HashMap<Vec<u8>, usize>,
    delivered: Vec<Vec<u8>>,
    connected: bool,
    closed: Option<CloseReason>,
    wants_psk: bool,
}

impl Ends {
    /// A client that has just been started, and a listener. The first ClientHello is among [`Self::take_outgoing`].
    ///
    /// # Panics
    /// If the configurations do not even allow a start.
    pub fn new(setup: &Setup) -> Self {
        let mut rng = Prng::new(setup.seed);
        let mut world = World::default();
        let now = Instant::from_micros(1_000_000);
        let mut client_rng = rng.split();
        let client = world
            .run(|| Connection::client(Arc::clone(&setup.client), now, &mut client_rng))
            .expect("a client with a working random source starts");
        let door_rng = rng.split();
        let door = Door::new(&setup.server, door_rng, setup.room[1]);
        let client = End::new(client, Role::Client, client_rng, setup.room[0]);
        let mut ends = Self {
            world,
            now,
            client,
            server: None,
            door,
            psk: setup.psk.clone(),
            version: setup.version,
            outgoing: Vec::new(),
            agreed: false,
            #[cfg(feature = "model")]
            traces_server: false,
        };
        ends.settle();
        ends
    }

    /// The virtual time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass until `now`, without firing timers.
    pub fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// One end, if it exists already: the server does after a valid cookie.
    pub const fn end(&self, side: Side) -> Option<&End> {
        match side {
            Side::Client => Some(&self.client),
            Side::Server => self.server.as_ref(),
        }
    }

    /// Whether both ends have completed the handshake.
    pub fn connected(&self) -> bool {
        self.client.connected && self.server.as_ref().is_some_and(|server| server.connected)
    }

    /// Both connections, client first, if the server exists, with the monitors that have watched them.
    #[cfg(feature = "model")]
    pub fn into_watched(self) -> Option<[Watched; 2]> {
        let watched = |end: End| Watched::resume(end.connection, end.monitor);
        Some([watched(self.client), watched(self.server?)])
    }

    /// Both connections, client first, if the server exists. They keep no trace any more: for tests that count allocations.
    pub fn into_connections(self) -> Option<[Connection; 2]> {
        Some([self.client.into_connection(), self.server?.into_connection()])
    }

    /// The datagrams written since the last call, with their senders.
    pub fn take_outgoing(&mut self) -> Vec<Outgoing> {
        core::mem::take(&mut self.outgoing)
    }

    /// `bytes` arrive at `to`. A fatal error of the connection is returned and stays in [`End::closed`].
    pub fn deliver(&mut self, to: Side, bytes: &[u8]) -> Result<(), Error> {
        let before = self.end(to).map_or(0, |end| end.delivered.len());
        #[cfg(feature = "model")]
        let traces_server = &self.traces_server;
        let Self { world, now, client, server, door, outgoing, .. } = self;
        let result = match (to, &mut *server) {
            (Side::Client, _) => world.run(|| client.receive(*now, bytes)),
            (Side::Server, Some(server)) => world.run(|| server.receive(*now, bytes)),
            (Side::Server, None) => {
                *server = world.run(|| door.receive(*now, bytes, outgoing));
                #[cfg(feature = "model")]
                if let Some(server) = server.as_mut().filter(|_| *traces_server) {
                    server.trace = Some(Vec::new());
                }
                Ok(())
            }
        };
        self.check_released(to, before);
        self.settle();
        result
    }

    /// The timers that are due fire.
    pub fn fire(&mut self) {
        let Self { world, now, client, server, .. } = self;
        world.run(|| {
            for end in [Some(client), server.as_mut()].into_iter().flatten() {
                if end.connection.poll_timeout().is_some_and(|at| at <= *now) {
                    // A fatal error is sticky and told as an event.
                    let _told = end.connection.handle_timeout(*now);
                    let next = end.connection.poll_timeout();
                    assert!(
                        next.is_none_or(|at| at > *now),
                        "L3: a timer is left in the past: {next:?} at {now:?}"
                    );
                }
            }
        });
        self.settle();
    }

    /// The next timer of `side` runs out, and time is then.
    #[cfg(feature = "model")]
    pub fn fire_next(&mut self, side: Side) {
        let Some(at) = self.end(side).and_then(|end| end.connection.poll_timeout()) else { return };
        self.set_now(at);
        let now = self.now;
        // A fatal error is sticky and told as an event.
        let _told = self.with(side, |end| end.connection.handle_timeout(now));
        self.settle();
    }

    /// When the next timer of either end expires.
    pub fn next_timer(&self) -> Option<Instant> {
        Side::BOTH.into_iter().filter_map(|side| self.end(side)?.connection.poll_timeout()).min()
    }

    /// The application of `side` sends `data`.
    ///
    /// # Errors
    /// What the connection says, for instance before the handshake has completed.
    pub fn send(&mut self, side: Side, data: &[u8]) -> Result<(), SendError> {
        let mut out = vec![0; data.len() + 64];
        let sent = self.with(side, |end| {
            let len = end.connection.send(data, &mut out)?;
            let contents = end.note_numbers(&out[..len]);
            *end.sent.entry(data.to_vec()).or_default() += 1;
            Ok((len, contents))
        });
        let (len, contents) = sent.unwrap_or(Err(SendError::NotEstablished))?;
        out.truncate(len);
        self.outgoing.push(Outgoing { from: side, bytes: out, contents });
        self.settle();
        Ok(())
    }

    /// The application of `side` closes its connection.
    pub fn close(&mut self, side: Side) {
        self.with(side, |end| end.connection.close());
        self.settle();
    }

    /// The application of the server has found the key its connection asked for, or that there is none.
    ///
    /// # Errors
    /// What the connection says if it did not ask.
    pub fn provide_psk(&mut self, psk: Option<&[u8]>) -> Result<(), ApiMisuse> {
        let answered = self.with(Side::Server, |end| {
            end.wants_psk = false;
            end.connection.provide_psk(&mut end.rng, psk)
        });
        self.settle();
        answered.unwrap_or(Err(ApiMisuse::NoPskWanted))
    }

    /// What happened inside the connection of `side` since the last call; nothing is kept before the first.
    #[cfg(feature = "model")]
    pub fn take_trace(&mut self, side: Side) -> Vec<dtls_core::TraceEvent> {
        self.traces_server |= side == Side::Server;
        self.with(side, |end| end.trace.replace(Vec::new()).unwrap_or_default()).unwrap_or_default()
    }

    /// A record of any content that only `side` could have made, or `None` if it has no keys for `epoch`.
    #[cfg(feature = "model")]
    pub fn forge(
        &mut self,
        side: Side,
        epoch: u16,
        content: dtls_core::ContentType,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let mut out = vec![0; body.len() + 64];
        let len = self.with(side, |end| {
            if content == dtls_core::ContentType::APPLICATION_DATA {
                *end.sent.entry(body.to_vec()).or_default() += 1;
            }
            end.connection.forge(epoch, content, body, &mut out)
        })??;
        out.truncate(len);
        Some(out)
    }

    /// From now on the listener sees the client at another address.
    #[cfg(feature = "model")]
    pub const fn rebind(&mut self) {
        let [.., port] = &mut self.door.address;
        *port = port.wrapping_add(1);
    }

    /// From now on [`Self::plaintext_of`] knows what the ideal provider seals.
    #[cfg(feature = "model")]
    pub fn listen(&mut self) {
        self.world.listen();
    }

    /// What one of the ends sealed into this ciphertext with its tag.
    #[cfg(feature = "model")]
    pub fn plaintext_of(&self, sealed: &[u8]) -> Option<&[u8]> {
        self.world.plaintext_of(sealed)
    }

    /// Lets `f` use one end in its world.
    fn with<T>(&mut self, side: Side, f: impl FnOnce(&mut End) -> T) -> Option<T> {
        let Self { world, client, server, .. } = self;
        let end = match side {
            Side::Client => client,
            Side::Server => server.as_mut()?,
        };
        Some(world.run(|| f(end)))
    }

    /// A hash of what the listener holds.
    #[cfg(feature = "model")]
    pub fn listener_fingerprint(&self) -> u64 {
        use core::hash::Hasher as _;
        let mut hasher = std::hash::DefaultHasher::new();
        self.door.listener.fingerprint(&mut hasher);
        hasher.finish()
    }

    /// A hash of what the listener holds, where `plenty` bytes received are as good as more.
    #[cfg(feature = "model")]
    pub fn listener_behaviour(&self, plenty: usize) -> u64 {
        use core::hash::Hasher as _;
        let mut hasher = std::hash::DefaultHasher::new();
        self.door.listener.behaviour(plenty, &mut hasher);
        hasher.finish()
    }

    /// Bytes the listener received from, and sent to, the address that was not validated yet.
    pub const fn before_validation(&self) -> (usize, usize) {
        (self.door.received, self.door.replied)
    }

    /// Takes what both connections have to say, and checks what must hold between calls.
    fn settle(&mut self) {
        let Self { world, now, client, server, psk, outgoing, .. } = self;
        for (side, end) in [(Side::Client, Some(client)), (Side::Server, server.as_mut())] {
            if let Some(end) = end {
                world.run(|| end.drain(*now, side, outgoing));
                end.check_waits();
            }
        }
        if let Some(server) = server.as_mut().filter(|server| server.wants_psk)
            && let Some(psk) = psk
        {
            server.wants_psk = false;
            world
                .run(|| server.connection.provide_psk(&mut server.rng, Some(psk)))
                .expect("it was asked for");
            return self.settle();
        }
        if self.connected() {
            self.check_agreement();
        }
    }

    /// Checks what was delivered to `to` after the first `before` records.
    fn check_released(&self, to: Side, before: usize) {
        let Some(end) = self.end(to) else { return };
        let peer = self.end(to.peer());
        for data in &end.delivered[before..] {
            self.world.assert_released(data);
            let sent = peer.and_then(|peer| peer.sent.get(data)).copied().unwrap_or(0);
            let delivered = end.delivered.iter().filter(|other| *other == data).count();
            assert!(
                delivered <= sent,
                "{}: {} bytes sent {sent} times were delivered {delivered} times",
                if sent == 0 { "S5" } else { "S6" },
                data.len()
            );
        }
    }

    fn check_agreement(&mut self) {
        let facts = Side::BOTH.map(|side| self.end(side).and_then(|end| end.connection.negotiated()));
        if let [Some(client), Some(server)] = facts {
            #[cfg(feature = "model")]
            self.client.monitor.note_negotiated(client);
            assert_eq!(client, server, "S1: the ends disagree on what was negotiated");
            let best = self.version.unwrap_or(client.version);
            assert_eq!(client.version, best, "S14: both ends can do better");
            self.check_keys();
        }
    }

    /// What both ends derive from their keys and the whole handshake is the same, once.
    fn check_keys(&mut self) {
        let Self { world, client, server: Some(server), agreed, .. } = self else { return };
        if *agreed {
            return;
        }
        let exported = [&*client, server].map(|end| {
            let mut key = [0; 16];
            let done = world.run(|| end.connection.export("EXPORTER-agreement", Some(b"S1"), &mut key));
            done.map(|()| key)
        });
        assert_eq!(exported[0], exported[1], "S1: the ends have different keys");
        *agreed = exported[0].is_ok();
    }
}

impl End {
    fn new(connection: Connection, role: Role, rng: Prng, room: usize) -> Self {
        #[cfg(feature = "model")]
        let connection = {
            let mut connection = connection;
            // Nothing was written so far, and from now on everything is kept.
            connection.take_trace();
            connection
        };
        #[cfg(not(feature = "model"))]
        let _unwatched = role;
        Self {
            // A server has its keys before it can be watched.
            #[cfg(feature = "model")]
            monitor: monitors::Monitor::resumed(role, &connection),
            connection,
            rng,
            room,
            numbers: HashSet::new(),
            #[cfg(feature = "model")]
            trace: None,
            sent: HashMap::new(),
            delivered: Vec::new(),
            connected: false,
            closed: None,
            wants_psk: false,
        }
    }

    #[cfg_attr(
        not(feature = "model"),
        allow(clippy::missing_const_for_fn, reason = "not const with a trace")
    )]
    fn into_connection(self) -> Connection {
        #[cfg(feature = "model")]
        {
            let mut connection = self.connection;
            connection.stop_trace();
            connection
        }
        #[cfg(not(feature = "model"))]
        self.connection
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A hash of everything that decides how the connection will behave.
    #[cfg(feature = "model")]
    pub fn fingerprint(&self) -> u64 {
        use core::hash::Hasher as _;
        let mut hasher = std::hash::DefaultHasher::new();
        self.connection.fingerprint(&mut hasher);
        hasher.finish()
    }

    /// A hash of everything that decides how the connection will behave from `now` on, but for record numbers; `plenty` bytes of
    /// allowance are as good as more, and so is `far` as a deadline.
    #[cfg(feature = "model")]
    pub fn behaviour(&self, now: Instant, plenty: usize, far: core::time::Duration) -> u64 {
        use core::hash::Hasher as _;
        let mut hasher = std::hash::DefaultHasher::new();
        self.connection.behaviour(now, plenty, far, &mut hasher);
        hasher.finish()
    }

    /// Every application record delivered so far.
    pub fn delivered(&self) -> &[Vec<u8>] {
        &self.delivered
    }

    /// Whether the handshake has completed here.
    pub const fn connected(&self) -> bool {
        self.connected
    }

    /// Bytes of the buffer for a datagram.
    #[cfg(feature = "model")]
    pub(crate) const fn room(&self) -> usize {
        self.room
    }

    /// Whether the application was asked for a key, and has not answered at once.
    pub const fn wants_psk(&self) -> bool {
        self.wants_psk
    }

    /// Why the connection is over, if it is.
    pub const fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        let mut datagram = bytes.to_vec();
        let mut incoming = self.connection.handle_datagram(now, &mut self.rng, &mut datagram);
        while let Some(data) = incoming.next_data()? {
            self.delivered.push(data.bytes.to_vec());
        }
        Ok(())
    }

    fn drain(&mut self, now: Instant, side: Side, outgoing: &mut Vec<Outgoing>) {
        let mut out = vec![0; self.room];
        let mut written = 0;
        while let Some(datagram) = self.connection.poll_transmit(now, &mut out) {
            let bytes = datagram.to_vec();
            assert!(!bytes.is_empty(), "an empty datagram");
            let contents = self.note_numbers(&bytes);
            outgoing.push(Outgoing { from: side, bytes, contents });
            written += 1;
            assert!(written < BURST, "poll_transmit does not end");
        }
        while let Some(event) = self.connection.poll_event() {
            assert_eq!(self.closed, None, "S13: {event:?} after the end");
            match event {
                Event::Connected => {
                    assert!(!self.connected, "S20: connected twice");
                    self.connected = true;
                }
                Event::Closed(reason) => self.closed = Some(reason),
                Event::NeedPsk { .. } => self.wants_psk = true,
                _ => {}
            }
        }
        #[cfg(feature = "model")]
        self.note_trace();
    }

    /// No record number is used twice (RFC 6347 §4.1). Masked numbers are taken from the trace, where there is one.
    /// Returns the content types of the records.
    fn note_numbers(&mut self, datagram: &[u8]) -> Vec<u8> {
        let read = records(datagram).map(|record| record.bytes.len()).sum::<usize>();
        assert_eq!(read, datagram.len(), "S17: a datagram ends within a record");
        #[cfg(feature = "model")]
        return self.note_trace();
        #[cfg(not(feature = "model"))]
        {
            for record in records(datagram) {
                if let Some(seq) = record.sequence() {
                    self.note_number(record.epoch(), seq);
                }
            }
            Vec::new()
        }
    }

    /// Takes over the trace of the connection, and returns the content types of the records that it wrote.
    #[cfg(feature = "model")]
    fn note_trace(&mut self) -> Vec<u8> {
        let mut contents = Vec::new();
        let events = self.connection.take_trace();
        for event in &events {
            self.monitor.note(event);
            if let dtls_core::TraceEvent::RecordSent { content, number, .. } = event {
                self.note_number(number.epoch(), number.seq());
                contents.push(content.0);
            }
        }
        if let Some(trace) = &mut self.trace {
            trace.extend(events);
        }
        contents
    }

    fn note_number(&mut self, epoch: u16, seq: u64) {
        assert!(self.numbers.insert((epoch, seq)), "S7: record number {epoch}/{seq} is used twice");
    }

    fn check_waits(&self) {
        let waits = !self.connected && self.closed.is_none();
        // What is kept of the peer's messages, because one before them is missing, was acknowledged, and whoever sends messages
        // after the handshake repeats those that are not (RFC 9147 §5.8.4, §7.1).
        #[cfg(feature = "model")]
        let waits =
            waits || (self.connection.holds_handshake() && !self.connection.keeps_only_what_came_early());
        assert!(!waits || self.connection.poll_timeout().is_some(), "L3: an end waits without a timer");
    }
}
