//! Which connection a datagram belongs to, by the address it came from.
//!
//! Knows addresses and connections; knows neither sockets nor the clock. Nothing is kept for a peer before its address is
//! validated, and the number of peers is bounded.

use core::{net::SocketAddr, time::Duration};
use std::collections::{BTreeMap, VecDeque};

use dtls_core::{
    Arc, CloseReason, ConfigError, Connection, Discard, Event, Instant, Listener, ServerConfig, Verdict,
};

use crate::{SystemRng, client::earliest, server::ServerEvent, socket::Path};

/// How long a handshake that failed stays to repeat its alert to a peer that missed it (RFC 6347 §4.2.7).
const ALERT_KEPT: Duration = Duration::from_secs(10);

/// Bounds of a [`crate::Server`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at the same time, handshakes included; beyond it new peers are ignored. Default 1,024.
    pub peers: usize,
    /// How long an established connection may be silent before the server closes it. Default 15 minutes.
    pub idle: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { peers: 1024, idle: Duration::from_secs(15 * 60) }
    }
}

/// Where things go that peers cause.
pub(crate) trait Outlet {
    /// A datagram to send.
    fn send(&mut self, path: Path, datagram: &[u8]);
    /// A datagram from an address without a connection was dropped.
    fn dropped(&mut self, from: SocketAddr, reason: Option<Discard>);
    /// A timer of this peer has run out.
    fn timer(&mut self, peer: SocketAddr);
}

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Peers {
    config: Arc<ServerConfig>,
    limits: ServerLimits,
    listener: Listener,
    peers: BTreeMap<SocketAddr, Peer>,
    events: VecDeque<ServerEvent>,
    /// Space for one datagram to send.
    out: Box<[u8]>,
}

#[derive(Debug)]
struct Peer {
    connection: Connection,
    /// The way its first flight came, which all answers take.
    path: Path,
    established: bool,
    /// When to close an idle connection, or to forget one that is over. A handshake has its own deadline.
    expires: Option<Instant>,
}

impl Peers {
    pub(crate) fn new(
        config: Arc<ServerConfig>,
        limits: ServerLimits,
        datagram: usize,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            listener: Listener::new(Arc::clone(&config))?,
            config,
            limits,
            peers: BTreeMap::new(),
            events: VecDeque::new(),
            out: vec![0; datagram].into(),
        })
    }

    pub(crate) fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When the next timer of any connection runs out.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.peers
            .values()
            .fold(None, |next, peer| earliest(next, earliest(peer.expires, peer.connection.poll_timeout())))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, outlet: &mut impl Outlet) {
        let due: Vec<SocketAddr> =
            self.peers.iter().filter(|(_, p)| p.is_due(now)).map(|(a, _)| *a).collect();
        for address in due {
            let Some(peer) = self.peers.get_mut(&address) else { continue };
            outlet.timer(address);
            // Errors are sticky and come as an event.
            let _ = peer.connection.handle_timeout(now);
            if peer.expires.is_some_and(|at| at <= now) {
                if peer.connection.is_closed() {
                    self.peers.remove(&address);
                    continue;
                }
                peer.connection.close();
            }
            self.settle(address, now, outlet);
        }
    }

    /// Takes in a datagram.
    pub(crate) fn handle(&mut self, now: Instant, path: Path, datagram: &mut [u8], outlet: &mut impl Outlet) {
        let from = path.peer;
        let known = self.peers.get(&from).map(|peer| peer.connection.is_closed());
        if known != Some(false) && self.listen(now, path, datagram, outlet, known.is_some()) {
            return;
        }
        let Self { peers, events, limits, .. } = self;
        let Some(peer) = peers.get_mut(&from) else { return };
        let received = peer.connection.stats().data_received;
        let mut rng = SystemRng;
        let mut incoming = peer.connection.handle_datagram(now, &mut rng, datagram);
        while let Ok(Some(data)) = incoming.next_data() {
            let (bytes, epoch) = (data.bytes.to_vec(), data.epoch);
            events.push_back(ServerEvent::Data { peer: from, data: bytes, epoch });
        }
        if peer.connection.stats().data_received != received {
            peer.expires = Some(now.after(limits.idle));
        }
        self.settle(from, now, outlet);
    }

    /// Sends `data`; `None` without a connection to this peer.
    pub(crate) fn send(
        &mut self,
        to: SocketAddr,
        data: &[u8],
        outlet: &mut impl Outlet,
    ) -> Option<Result<(), dtls_core::SendError>> {
        let peer = self.peers.get_mut(&to)?;
        let sent = peer.connection.send(data, &mut self.out);
        Some(sent.map(|len| outlet.send(peer.path, self.out.get(..len).unwrap_or_default())))
    }

    /// Lets `act` do something with a connection and sends what comes of it; `None` without a connection to this peer.
    pub(crate) fn with<T>(
        &mut self,
        peer: SocketAddr,
        now: Instant,
        outlet: &mut impl Outlet,
        act: impl FnOnce(&mut Connection) -> T,
    ) -> Option<T> {
        let result = act(&mut self.peers.get_mut(&peer)?.connection);
        self.settle(peer, now, outlet);
        Some(result)
    }

    pub(crate) fn connection(&self, peer: SocketAddr) -> Option<&Connection> {
        self.peers.get(&peer).map(|peer| &peer.connection)
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.peers.keys().copied().collect()
    }

    /// Whether the listener took the datagram. What it drops from a known address is left for the connection that was there.
    fn listen(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        outlet: &mut impl Outlet,
        known: bool,
    ) -> bool {
        let from = path.peer;
        match self.listener.handle(now, &mut SystemRng, &encode(from), datagram, &mut self.out) {
            Verdict::Reply(reply) => outlet.send(path, reply),
            Verdict::Accept(hello) => {
                if !self.make_room(from) {
                    outlet.dropped(from, None);
                    return true;
                }
                let config = Arc::clone(&self.config);
                let connection = Connection::server(config, &hello, now, &mut SystemRng);
                self.peers.insert(from, Peer { connection, path, established: false, expires: None });
                self.settle(from, now, outlet);
            }
            Verdict::Drop(_) if known => return false,
            Verdict::Drop(reason) => outlet.dropped(from, Some(reason)),
            _ => outlet.dropped(from, None),
        }
        true
    }

    /// Whether there is room for one more peer; those that are over give way.
    fn make_room(&mut self, newcomer: SocketAddr) -> bool {
        if self.peers.len() >= self.limits.peers {
            self.peers.retain(|_, peer| !peer.connection.is_closed());
        }
        self.peers.len() < self.limits.peers || self.peers.contains_key(&newcomer)
    }

    /// Sends what a connection has to send and takes its events; forgets it once it is over.
    fn settle(&mut self, address: SocketAddr, now: Instant, outlet: &mut impl Outlet) {
        let Self { peers, events, out, limits, .. } = self;
        let Some(peer) = peers.get_mut(&address) else { return };
        while let Some(datagram) = peer.connection.poll_transmit(now, out) {
            outlet.send(peer.path, datagram);
        }
        let mut over = None;
        while let Some(event) = peer.connection.poll_event() {
            match event {
                Event::Connected => {
                    peer.established = true;
                    peer.expires = Some(now.after(limits.idle));
                    events.push_back(ServerEvent::Connected { peer: address });
                }
                Event::NeedPsk { identity } => {
                    events.push_back(ServerEvent::PskWanted { peer: address, identity });
                }
                Event::Closed(reason) => over = Some(reason),
                _ => {}
            }
        }
        let Some(reason) = over else { return };
        events.push_back(ServerEvent::Closed { peer: address, reason, was_connected: peer.established });
        match reason {
            CloseReason::Failed(error) if error.alert().is_some() => {
                peer.expires = Some(now.after(ALERT_KEPT))
            }
            _ => drop(peers.remove(&address)),
        }
    }
}

impl Peer {
    fn is_due(&self, now: Instant) -> bool {
        earliest(self.expires, self.connection.poll_timeout()).is_some_and(|at| at <= now)
    }
}

/// The address as the cookie binds it: 16 bytes of IPv6 (or mapped IPv4) address, two of port.
fn encode(address: SocketAddr) -> [u8; 18] {
    let ip = match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
        SocketAddr::V6(v6) => *v6.ip(),
    };
    let mut bytes = [0; 18];
    let parts = ip.octets().into_iter().chain(address.port().to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    bytes
}
