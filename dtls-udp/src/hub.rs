//! All connections behind one socket, as every driver needs them: an [`Endpoint`], the events it leads to, and what it sends.
//!
//! Knows addresses and connections; knows neither sockets nor the clock.

use core::{fmt, net::SocketAddr};
use std::collections::{BTreeSet, VecDeque};

use dtls_core::{
    AddressBytes, Arc, ClientConfig, CloseReason, Connection, ConnectionHandle, Discard, Endpoint, Event,
    Instant, PeerEvent, Routed, SendError,
};

use crate::{
    Error, SystemRng,
    socket::{MAX_DATAGRAM, Path},
};

/// One connection with a peer. Two connections are never the same, not even one after the other with the same peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer {
    connection: ConnectionHandle,
    address: SocketAddr,
}

impl Peer {
    /// The peer's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle of the connection, for its [`Endpoint`].
    pub(crate) const fn handle(&self) -> ConnectionHandle {
        self.connection
    }
}

/// The address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Something that happened to one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The handshake has completed; [`crate::Server::connection`] knows what was agreed.
    Connected {
        /// With whom.
        peer: Peer,
    },
    /// One record of application data.
    Data {
        /// Who sent it.
        peer: Peer,
        /// What it carried; may be empty.
        data: Vec<u8>,
        /// The epoch it was sent in, for protocols that bind answers to it, such as CoAP (RFC 7252 §9.1).
        epoch: u16,
    },
    /// The key of this identity is wanted; answer with [`crate::Server::provide_psk`].
    PskWanted {
        /// Who wants to use it.
        peer: Peer,
        /// The identity as sent, not authenticated yet.
        identity: Vec<u8>,
    },
    /// A connection or a handshake is over. No other event of this peer follows.
    Closed {
        /// With whom.
        peer: Peer,
        /// Why.
        reason: CloseReason,
        /// Whether the handshake had completed.
        was_connected: bool,
    },
}

/// Where things go that peers cause.
pub(crate) trait Outlet {
    /// A datagram to send, which may be lost.
    fn send(&mut self, path: Path, datagram: &[u8]);
    /// A datagram was dropped before it came to any connection.
    fn dropped(&mut self, from: SocketAddr, reason: Discard);
    /// A timer of this peer has run out.
    fn timer(&mut self, peer: SocketAddr);
}

/// All connections behind one socket. The local address is part of the path: whoever speaks to two of them has two
/// connections.
pub(crate) struct Hub {
    endpoint: Endpoint<Path>,
    events: VecDeque<ServerEvent>,
    /// Those that have completed their handshake.
    connected: BTreeSet<ConnectionHandle>,
    /// Space for one datagram to send.
    out: Box<[u8]>,
}

impl Hub {
    pub(crate) fn new(endpoint: Endpoint<Path>) -> Self {
        Self {
            endpoint,
            events: VecDeque::new(),
            connected: BTreeSet::new(),
            out: vec![0; MAX_DATAGRAM].into(),
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When the next timer of any connection runs out.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    /// Serves every timer that has run out, one connection after the other.
    pub(crate) fn handle_timeout(&mut self, now: Instant, outlet: &mut impl Outlet) {
        while let Some(handle) = self.endpoint.next_due(now) {
            if let Some(path) = self.endpoint.peer(handle) {
                outlet.timer(path.peer);
            }
            self.endpoint.handle_timeout_of(handle, now);
            self.settle(now, outlet);
        }
    }

    /// Takes in a datagram.
    pub(crate) fn handle(&mut self, now: Instant, path: Path, datagram: &mut [u8], outlet: &mut impl Outlet) {
        let Self { endpoint, events, out, .. } = self;
        let mut rng = SystemRng;
        match endpoint.handle_datagram(now, &mut rng, &path, datagram, out) {
            Routed::Reply(reply) => outlet.send(path, reply),
            Routed::Dropped(reason) => outlet.dropped(path.peer, reason),
            Routed::Incoming(connection, mut incoming) => {
                let peer = Peer { connection, address: path.peer };
                // Errors are sticky and come as an event.
                while let Ok(Some(data)) = incoming.next_data() {
                    let (bytes, epoch) = (data.bytes.to_vec(), data.epoch);
                    events.push_back(ServerEvent::Data { peer, data: bytes, epoch });
                }
            }
            _ => {}
        }
        self.settle(now, outlet);
    }

    /// Begins a connection. What becomes of it is told by events.
    pub(crate) fn connect(
        &mut self,
        path: Path,
        config: Arc<ClientConfig>,
        now: Instant,
        outlet: &mut impl Outlet,
    ) -> Result<Peer, Error> {
        let connection = self.endpoint.connect(config, path, now, &mut SystemRng)?;
        self.settle(now, outlet);
        Ok(Peer { connection, address: path.peer })
    }

    /// Protects `data`. The datagram is to be sent on this path by the caller, who tells what comes of it.
    pub(crate) fn protect(&mut self, peer: Peer, data: &[u8]) -> Result<(Path, &[u8]), SendError> {
        let Self { endpoint, out, .. } = self;
        let path = *endpoint.peer(peer.connection).ok_or(SendError::Closed)?;
        let len = endpoint.send(peer.connection, data, out)?;
        Ok((path, out.get(..len).unwrap_or_default()))
    }

    /// Lets `act` do something with a connection and sends what comes of it; `None` if it is gone.
    pub(crate) fn with<T>(
        &mut self,
        peer: Peer,
        now: Instant,
        outlet: &mut impl Outlet,
        act: impl FnOnce(&mut Connection) -> T,
    ) -> Option<T> {
        let result = act(self.endpoint.connection_mut(peer.connection)?);
        self.settle(now, outlet);
        Some(result)
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint<Path> {
        &self.endpoint
    }

    /// All connections that are not over.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> {
        let open = self.endpoint.connections().filter(|(.., connection)| !connection.is_closed());
        open.map(|(connection, path, _)| Peer { connection, address: path.peer })
    }

    /// Sends what is to be sent and takes events.
    fn settle(&mut self, now: Instant, outlet: &mut impl Outlet) {
        while let Some((path, datagram)) = self.endpoint.poll_transmit(now, &mut self.out) {
            outlet.send(path, datagram);
        }
        while let Some(PeerEvent { connection, peer: path, event, .. }) = self.endpoint.poll_event() {
            let peer = Peer { connection, address: path.peer };
            self.events.extend(match event {
                Event::Connected => {
                    self.connected.insert(connection);
                    Some(ServerEvent::Connected { peer })
                }
                Event::NeedPsk { identity } => Some(ServerEvent::PskWanted { peer, identity }),
                Event::Closed(reason) => {
                    let was_connected = self.connected.remove(&connection);
                    Some(ServerEvent::Closed { peer, reason, was_connected })
                }
                _ => None,
            });
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A cookie is bound to the peer alone: it proves that the peer gets what is sent to it.
impl dtls_core::Address for Path {
    fn to_bytes(&self) -> AddressBytes {
        self.peer.to_bytes()
    }
}
