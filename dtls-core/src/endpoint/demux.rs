//! Many connections behind one address, for any kind of address.
//!
//! Knows which connection a datagram is for and who gives way when there is no room; leaves everything else to the
//! connections and the listener.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use super::{
    address::Address,
    agenda::Agenda,
    arena::{Arena, ConnectionHandle},
    directory::Directory,
    entry::{Entry, Place},
    limits::{EndpointLimits, EndpointStats},
    listener::{Accepted, Listener, Verdict},
    routes::Origin,
};
use crate::{
    Arc,
    config::{ClientConfig, ServerConfig},
    connection::{Connection, Incoming},
    error::{ConfigError, Discard, Error, SendError},
    event::Event,
    rand::Rng,
    time::Instant,
};

/// Connections with many peers, incoming and outgoing, behind one socket or whatever carries datagrams. `A` is the address
/// of a peer.
///
/// Call [`handle_datagram`](Self::handle_datagram) with whatever arrives and [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) has come. After these and all other calls that change a connection:
/// [`poll_transmit`](Self::poll_transmit) until `None`, [`poll_event`](Self::poll_event) until `None`, then `poll_timeout`.
/// None of them looks at all connections: a datagram finds its own at one place, whatever their number, and a timer in time
/// logarithmic in it.
///
/// - A new peer gets a stateless answer; nothing is kept for it before it has returned a cookie from its own address.
/// - A new handshake of a known peer runs beside its old connection, which ends with [`crate::CloseReason::Replaced`] once the new
///   one is authenticated, and not before (RFC 6347 §4.2.8, RFC 9147 §5.11). A ClientHello from elsewhere under a peer's
///   address changes nothing.
/// - Connections, handshakes and their bytes are bounded by [`EndpointLimits`]. Established connections never give way.
/// - One peer may have a connection in either direction at the same time.
///
/// It owns nothing that a caller with a map of [`Connection`]s and a [`Listener`] could not own.
pub struct Endpoint<A> {
    pub(super) server: Option<Server>,
    pub(super) limits: EndpointLimits,
    pub(super) connections: Arena<Entry<A>>,
    pub(super) routes: Directory,
    pub(super) agenda: Agenda,
    /// Those that can be given up, first those that go first.
    pub(super) expendable: BTreeSet<(Place, ConnectionHandle)>,
    /// Those that may have something to send.
    pub(super) ready: VecDeque<ConnectionHandle>,
    pub(super) events: VecDeque<PeerEvent<A>>,
    /// The connection last lent to the caller: what it did is looked at in the next call.
    pub(super) lent: Option<ConnectionHandle>,
    /// For records that are tried under several keys.
    pub(super) scratch: Vec<u8>,
    pub(super) stats: EndpointStats,
    /// Counts places, to keep them in order of time.
    pub(super) order: u64,
    /// The latest time that a call named.
    pub(super) now: Instant,
}

/// What incoming handshakes need.
pub(super) struct Server {
    config: Arc<ServerConfig>,
    listener: Listener,
}

/// Something that happened to one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PeerEvent<A> {
    /// The connection. Once it is over it may be gone.
    pub connection: ConnectionHandle,
    /// The peer's address.
    pub peer: A,
    /// What happened.
    pub event: Event,
}

/// What became of a datagram.
#[derive(Debug)]
#[must_use = "a reply must be sent, and application data that is not pulled is lost"]
#[non_exhaustive]
pub enum Routed<'e, 'd, 'o> {
    /// It was dropped for this reason.
    Dropped(Discard),
    /// Send these bytes back to where it came from.
    Reply(&'o mut [u8]),
    /// It was the hello of a new connection.
    Accepted(ConnectionHandle),
    /// It is for this connection. Pull the application data.
    Incoming(ConnectionHandle, Incoming<'e, 'd>),
}

/// Why a connection could not be begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint has as many connections as it may have.
    Full,
    /// The first ClientHello could not be made.
    Failed(Error),
}

impl<A: Address> Endpoint<A> {
    /// An endpoint that answers peers under `config`, and may connect to others.
    ///
    /// # Errors
    /// Like [`Listener::new`].
    pub fn server(config: Arc<ServerConfig>, limits: EndpointLimits) -> Result<Self, ConfigError> {
        let listener = Listener::new(Arc::clone(&config))?;
        Ok(Self::new(Some(Server { config, listener }), limits))
    }

    /// An endpoint that answers nobody and only connects to others.
    pub fn client(limits: EndpointLimits) -> Self {
        Self::new(None, limits)
    }

    fn new(server: Option<Server>, limits: EndpointLimits) -> Self {
        Self {
            server,
            limits,
            connections: Arena::new(),
            routes: Directory::default(),
            agenda: Agenda::new(),
            expendable: BTreeSet::new(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            lent: None,
            scratch: Vec::new(),
            stats: EndpointStats::default(),
            order: 0,
            now: Instant::START,
        }
    }

    /// Begins a connection to `peer` under `config`. An older one to the same peer goes on until this one is established.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has changed then.
    pub fn connect(
        &mut self,
        config: Arc<ClientConfig>,
        peer: A,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<ConnectionHandle, ConnectError> {
        self.begin(now);
        let connection = Connection::client(config, now, rng).map_err(ConnectError::Failed)?;
        self.routes.prepare(rng).map_err(ConnectError::Failed)?;
        self.make_room().ok_or(ConnectError::Full)?;
        let handle = self.add(Entry::new(connection, peer, Origin::Local)).ok_or(ConnectError::Full)?;
        self.stats.connects = self.stats.connects.saturating_add(1);
        Ok(handle)
    }

    /// Takes in a datagram that was received at `now` from `from`. It is decrypted in place. A reply to a peer without a
    /// connection is written into `out`.
    pub fn handle_datagram<'e, 'd, 'o>(
        &'e mut self,
        now: Instant,
        rng: &'e mut dyn Rng,
        from: &A,
        datagram: &'d mut [u8],
        out: &'o mut [u8],
    ) -> Routed<'e, 'd, 'o> {
        self.begin(now);
        self.stats.datagrams_received = self.stats.datagrams_received.saturating_add(1);
        let target = match self.route(now, rng, from, datagram, out) {
            Ok(handle) => handle,
            Err(done) => return done,
        };
        self.lend(target);
        match self.connections.get_mut(target) {
            Some(entry) => Routed::Incoming(target, entry.connection.handle_datagram(now, rng, datagram)),
            None => Routed::Dropped(Discard::Closed),
        }
    }

    /// Writes the next datagram to the front of `out` and returns it with the address it goes to, or `None` if there is
    /// nothing to send now.
    #[must_use = "a datagram that is not sent counts as sent, as if the network had lost it"]
    pub fn poll_transmit<'o>(&mut self, now: Instant, out: &'o mut [u8]) -> Option<(A, &'o mut [u8])> {
        self.begin(now);
        while let Some(handle) = self.ready.front().copied() {
            if let Some(entry) = self.connections.get_mut(handle) {
                if let Some(len) = entry.connection.poll_transmit(now, out).map(|datagram| datagram.len()) {
                    self.stats.datagrams_sent = self.stats.datagrams_sent.saturating_add(1);
                    return Some((entry.peer.clone(), out.get_mut(..len)?));
                }
                entry.queued = false;
            }
            self.ready.pop_front();
            self.settle(handle);
            if self.connections.get(handle).is_some_and(|entry| entry.is_spent(now)) {
                self.remove(handle);
            }
        }
        None
    }

    /// The next event, oldest first.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self) -> Option<PeerEvent<A>> {
        self.begin(self.now);
        self.events.pop_front()
    }

    /// The earliest moment at which [`handle_timeout`](Self::handle_timeout) has something to do; `None` without any timer.
    /// As long as `poll_transmit` was not called until `None` it is now.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let unfinished = self.lent.is_some() || !self.ready.is_empty();
        if unfinished { Some(self.now) } else { self.agenda.next() }
    }

    /// Does what is due at `now`. Calling it early, late or too often is harmless. Errors come as events.
    pub fn handle_timeout(&mut self, now: Instant) {
        // No connection sets itself a deadline in the past; the bound is there in case one did.
        for _ in 0..self.agenda.len() {
            let Some(handle) = self.next_due(now) else { break };
            self.handle_timeout_of(handle, now);
        }
    }

    /// The connection whose timer ran out first, if one has at `now`: for callers that want to know before
    /// [`handle_timeout_of`](Self::handle_timeout_of) whose it is.
    pub fn next_due(&self, now: Instant) -> Option<ConnectionHandle> {
        self.agenda.first_due(now)
    }

    /// As [`handle_timeout`](Self::handle_timeout), for one connection.
    pub fn handle_timeout_of(&mut self, handle: ConnectionHandle, now: Instant) {
        self.begin(now);
        let Some(entry) = self.connections.get_mut(handle) else { return };
        // An error is sticky and comes as an event.
        let _ = entry.connection.handle_timeout(now);
        entry.expire(&self.limits, now);
        if entry.is_spent(now) {
            self.remove(handle);
        } else {
            self.enqueue(handle);
            self.settle(handle);
        }
    }

    /// Writes one record of application data to the front of `out` and returns its length, like [`Connection::send`]. It
    /// goes to [`peer`](Self::peer) in a datagram of its own.
    ///
    /// # Errors
    /// Like [`Connection::send`]; [`SendError::Closed`] if the connection is gone.
    pub fn send(
        &mut self,
        handle: ConnectionHandle,
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.connections.get_mut(handle).ok_or(SendError::Closed)?.connection.send(data, out)
    }

    /// Ends a connection in order, like [`Connection::close`]; it is forgotten once it [is drained](Connection::is_drained).
    /// Without effect once it is over.
    pub fn close(&mut self, handle: ConnectionHandle) {
        if let Some(connection) = self.connection_mut(handle) {
            connection.close();
        }
    }

    /// A connection, as long as it is there.
    pub fn connection(&self, handle: ConnectionHandle) -> Option<&Connection> {
        self.connections.get(handle).map(|entry| &entry.connection)
    }

    /// A connection, to call whatever it can do. What comes of it is for `poll_transmit` and `poll_event` of the endpoint.
    pub fn connection_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Connection> {
        self.begin(self.now);
        self.lend(handle);
        self.connections.get_mut(handle).map(|entry| &mut entry.connection)
    }

    /// As [`Connection::take_trace`], for a connection as long as it is there. Nothing comes of it.
    #[cfg(feature = "__model")]
    pub fn take_trace(&mut self, handle: ConnectionHandle) -> Option<Vec<crate::TraceEvent>> {
        self.connections.get_mut(handle).map(|entry| entry.connection.take_trace())
    }

    /// The address of a connection's peer.
    pub fn peer(&self, handle: ConnectionHandle) -> Option<&A> {
        self.connections.get(handle).map(|entry| &entry.peer)
    }

    /// The established connection with a peer. If both have connected to each other, the one that the peer began.
    pub fn established(&self, peer: &A) -> Option<ConnectionHandle> {
        let handle = self.route_of(peer)?.established()?;
        self.connection(handle)?.is_established().then_some(handle)
    }

    /// All connections in no particular order, those that are over and not forgotten yet included.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionHandle, &A, &Connection)> {
        self.connections.iter().map(|(handle, entry)| (handle, &entry.peer, &entry.connection))
    }

    /// Counters since the start. Each connection has its own besides, and so has the listener.
    pub const fn stats(&self) -> &EndpointStats {
        &self.stats
    }

    /// The listener, which counts what was dropped before there was a connection.
    pub fn listener(&self) -> Option<&Listener> {
        self.server.as_ref().map(|server| &server.listener)
    }

    /// The listener, for [`Listener::set_cookie_secret`].
    pub fn listener_mut(&mut self) -> Option<&mut Listener> {
        self.server.as_mut().map(|server| &mut server.listener)
    }

    /// The connection that a datagram belongs to, or what the listener made of it.
    fn route<'e, 'd, 'o>(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        from: &A,
        datagram: &mut [u8],
        out: &'o mut [u8],
    ) -> Result<ConnectionHandle, Routed<'e, 'd, 'o>> {
        if let Some(handle) = self.find(now, rng, from, datagram) {
            return Ok(handle);
        }
        let Some(Server { listener, .. }) = &mut self.server else {
            self.stats.dropped = self.stats.dropped.saturating_add(1);
            return Err(Routed::Dropped(Discard::UnknownPeer));
        };
        match listener.handle(now, rng, from.to_bytes().as_slice(), datagram, out) {
            Verdict::Reply(reply) => {
                self.stats.replies = self.stats.replies.saturating_add(1);
                Err(Routed::Reply(reply))
            }
            Verdict::Drop(reason) => {
                self.stats.dropped = self.stats.dropped.saturating_add(1);
                Err(Routed::Dropped(reason))
            }
            Verdict::Accept(accepted) => match self.answering(from, &accepted) {
                Some(handle) => Ok(handle),
                None => Err(self.accept(from, &accepted, now, rng)),
            },
        }
    }

    fn accept<'e, 'd, 'o>(
        &mut self,
        from: &A,
        accepted: &Accepted,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Routed<'e, 'd, 'o> {
        let handle = self.server.as_ref().map(|server| Arc::clone(&server.config)).and_then(|config| {
            self.routes.prepare(rng).ok()?;
            self.make_room_for_handshake()?;
            let connection = Connection::server(config, accepted, now, rng);
            self.add(Entry::new(connection, from.clone(), Origin::Peer(accepted.random())))
        });
        match handle {
            Some(handle) => {
                self.stats.accepted = self.stats.accepted.saturating_add(1);
                Routed::Accepted(handle)
            }
            None => {
                self.stats.refused = self.stats.refused.saturating_add(1);
                Routed::Dropped(Discard::EndpointFull)
            }
        }
    }
}

impl<A> core::fmt::Debug for Endpoint<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint").field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl core::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("the endpoint has as many connections as it may have"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConnectError {}
