//! Many peers on one socket.

use core::{fmt, net::SocketAddr, time::Duration};
use std::{
    io,
    net::{ToSocketAddrs, UdpSocket},
};

use dtls_core::{ApiMisuse, Arc, CloseReason, Connection, Discard, SendError, ServerConfig};

use crate::{
    Clock, Error, SystemRng,
    client::earliest,
    peers::{Outlet, Peers, ServerLimits},
    socket::{MAX_DATAGRAM, Path, Received, Socket},
};

/// Something that happened to one peer of a [`Server`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The handshake has completed; [`Server::connection`] knows what was agreed.
    Connected {
        /// Its address.
        peer: SocketAddr,
    },
    /// One record of application data.
    Data {
        /// Who sent it.
        peer: SocketAddr,
        /// What it carried; may be empty.
        data: Vec<u8>,
        /// The epoch it was sent in, for protocols that bind answers to it, such as CoAP (RFC 7252 §9.1).
        epoch: u16,
    },
    /// The key of this identity is wanted; answer with [`Server::provide_psk`].
    PskWanted {
        /// Its address.
        peer: SocketAddr,
        /// The identity as sent, not authenticated yet.
        identity: Vec<u8>,
    },
    /// A connection or a handshake is over.
    Closed {
        /// Its address.
        peer: SocketAddr,
        /// Why.
        reason: CloseReason,
        /// Whether the handshake had completed.
        was_connected: bool,
    },
}

/// Looks on while a [`Server`] works, for logs. All methods do nothing unless implemented.
pub trait Observer: Send {
    /// A datagram of `len` bytes came from `peer`; what follows until the next call of this or [`timer`](Self::timer) is
    /// about that peer.
    fn received(&mut self, peer: SocketAddr, len: usize) {
        let _ = (peer, len);
    }

    /// A datagram of `len` bytes goes to `peer`.
    fn sent(&mut self, peer: SocketAddr, len: usize) {
        let _ = (peer, len);
    }

    /// A timer of `peer` has run out.
    fn timer(&mut self, peer: SocketAddr) {
        let _ = peer;
    }

    /// A datagram from an address without a connection was dropped for `reason`, or, without one, because the server has as
    /// many peers as it may have.
    fn dropped(&mut self, peer: SocketAddr, reason: Option<Discard>) {
        let _ = (peer, reason);
    }
}

/// A DTLS server on one UDP socket. Answers leave from the address that was spoken to (on Linux, if bound to all addresses).
///
/// All of it happens in [`next_event`](Self::next_event): call it in a loop. Nothing is kept for a peer that has not
/// returned a cookie, and no datagram from anywhere makes a call fail.
pub struct Server {
    socket: Socket,
    clock: Clock,
    peers: Peers,
    observer: Box<dyn Observer>,
    buffer: Box<[u8]>,
}

impl Server {
    /// A server on the first of `address` that can be bound, with port 0 on a free port.
    ///
    /// # Errors
    /// [`io::Error`] if the address cannot be bound.
    pub fn bind(
        address: impl ToSocketAddrs,
        config: Arc<ServerConfig>,
        limits: ServerLimits,
    ) -> io::Result<Self> {
        let peers = Peers::new(config, limits, MAX_DATAGRAM).map_err(io::Error::other)?;
        Ok(Self {
            socket: Socket::serving(UdpSocket::bind(address)?)?,
            clock: Clock::start(),
            peers,
            observer: Box::new(NoObserver),
            buffer: vec![0; MAX_DATAGRAM].into(),
        })
    }

    /// Lets `observer` look on from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observer = observer;
    }

    /// The address the server listens on.
    ///
    /// # Errors
    /// [`io::Error`] if the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until something happens that the application should know, at most for `wait` or without limit; `None` if
    /// nothing did.
    ///
    /// # Errors
    /// [`io::Error`] if the socket failed for good.
    pub fn next_event(&mut self, wait: Option<Duration>) -> io::Result<Option<ServerEvent>> {
        let deadline = wait.map(|wait| self.clock.now().after(wait));
        loop {
            let now = self.clock.now();
            let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
            self.peers.handle_timeout(now, &mut outlet);
            if let Some(event) = self.peers.poll_event() {
                return Ok(Some(event));
            }
            let wake = earliest(self.peers.poll_timeout(), deadline);
            let received = self.socket.receive(&mut self.buffer, wake.map(|wake| wake.since(now)))?;
            if let Received::Datagram(len, path) = received {
                self.take_in(len, path);
            }
            if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                return Ok(self.peers.poll_event());
            }
        }
    }

    /// Sends `data` as one record in one datagram, which the network may lose.
    ///
    /// # Errors
    /// [`Error::Send`] for data that does not fit, or without an established connection to `peer`.
    pub fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), Error> {
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        let sent = self.peers.send(peer, data, &mut outlet);
        Ok(sent.unwrap_or(Err(SendError::Closed))?)
    }

    /// Answers [`ServerEvent::PskWanted`] with the key of that identity, or `None` if there is none.
    ///
    /// # Errors
    /// [`ApiMisuse`] if no key is wanted for this peer, any more, or if it has not 1 to 256 bytes.
    pub fn provide_psk(&mut self, peer: SocketAddr, psk: Option<&[u8]>) -> Result<(), ApiMisuse> {
        self.act(peer, |connection| connection.provide_psk(&mut SystemRng, psk))
            .unwrap_or(Err(ApiMisuse::NoPskWanted))
    }

    /// Ends the connection to `peer` in order. Its [`ServerEvent::Closed`] follows.
    pub fn close(&mut self, peer: SocketAddr) {
        self.act(peer, Connection::close);
    }

    /// Ends all connections in order.
    pub fn close_all(&mut self) {
        for peer in self.peers.addresses() {
            self.close(peer);
        }
    }

    /// The connection to `peer`, for what was agreed, statistics and exported keys.
    pub fn connection(&self, peer: SocketAddr) -> Option<&Connection> {
        self.peers.connection(peer)
    }

    fn act<T>(&mut self, peer: SocketAddr, act: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        self.peers.with(peer, self.clock.now(), &mut outlet, act)
    }

    fn take_in(&mut self, len: usize, path: Path) {
        self.observer.received(path.peer, len);
        let datagram = self.buffer.get_mut(..len).unwrap_or_default();
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        self.peers.handle(self.clock.now(), path, datagram, &mut outlet);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("socket", &self.socket)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

struct NoObserver;

impl Observer for NoObserver {}

/// Sends to the socket and tells the observer.
struct SocketOutlet<'a> {
    socket: &'a Socket,
    observer: &'a mut dyn Observer,
}

impl Outlet for SocketOutlet<'_> {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.observer.sent(path.peer, datagram.len());
        self.socket.send_to(datagram, path);
    }

    fn dropped(&mut self, from: SocketAddr, reason: Option<Discard>) {
        self.observer.dropped(from, reason);
    }

    fn timer(&mut self, peer: SocketAddr) {
        self.observer.timer(peer);
    }
}
