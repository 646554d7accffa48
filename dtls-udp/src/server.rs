//! Many peers on one socket.

use core::{fmt, net::SocketAddr, time::Duration};
use std::{
    io,
    net::{ToSocketAddrs, UdpSocket},
};

use dtls_core::{
    ApiMisuse, Arc, ClientConfig, Connection, Discard, Endpoint, EndpointLimits, EndpointStats, ServerConfig,
};

use crate::{
    Clock, Error, SystemRng,
    client::earliest,
    hub::{Hub, Outlet, Peer, ServerEvent},
    socket::{MAX_DATAGRAM, Path, Received, Socket},
};

/// Looks on while a [`Server`] works, for logs. All methods do nothing unless implemented.
pub trait Observer: Send {
    /// A datagram of `len` bytes came from `peer`; what follows until the next call of this, [`timer`](Self::timer) or
    /// [`acting`](Self::acting) is about that peer.
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

    /// The application does something with a connection to `peer`.
    fn acting(&mut self, peer: SocketAddr) {
        let _ = peer;
    }

    /// A datagram was dropped for `reason` before it came to any connection.
    fn dropped(&mut self, peer: SocketAddr, reason: Discard) {
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
    hub: Hub,
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
        limits: EndpointLimits,
    ) -> io::Result<Self> {
        Self::on_socket(UdpSocket::bind(address)?, config, limits)
    }

    /// Like [`bind`](Self::bind), on a socket of the caller's, whose options stay as they are: whether it fragments, for instance.
    /// Only where it is bound to all addresses it is asked which one was spoken to.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not say to which address it is bound.
    pub fn on_socket(
        socket: UdpSocket,
        config: Arc<ServerConfig>,
        limits: EndpointLimits,
    ) -> io::Result<Self> {
        let endpoint = Endpoint::server(config, limits).map_err(io::Error::other)?;
        Ok(Self {
            socket: Socket::serving(socket)?,
            clock: Clock::start(),
            hub: Hub::new(endpoint),
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
            self.hub.handle_timeout(now, &mut outlet);
            if let Some(event) = self.hub.poll_event() {
                return Ok(Some(event));
            }
            let wake = earliest(self.hub.poll_timeout(), deadline);
            let received = self.socket.receive(&mut self.buffer, wake.map(|wake| wake.since(now)))?;
            if let Received::Datagram(len, path) = received {
                self.take_in(len, path);
            }
            if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                return Ok(self.hub.poll_event());
            }
        }
    }

    /// Begins a connection to `address` from the server's own port. [`ServerEvent::Connected`] or [`ServerEvent::Closed`]
    /// follows.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is no room, or no randomness; [`Error::Io`] if there is no way to the address.
    pub fn connect(&mut self, address: SocketAddr, config: Arc<ClientConfig>) -> Result<Peer, Error> {
        let path = self.socket.path_to(address)?;
        self.observer.acting(path.peer);
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        self.hub.connect(path, config, self.clock.now(), &mut outlet)
    }

    /// Sends `data` as one record in one datagram, which the network may lose.
    ///
    /// # Errors
    /// [`Error::Send`] for data that does not fit into a record, or without an established connection to `peer`;
    /// [`Error::DatagramTooLarge`] for data that the network does not take.
    pub fn send(&mut self, peer: Peer, data: &[u8]) -> Result<(), Error> {
        self.observer.acting(peer.address());
        let (path, datagram) = self.hub.protect(peer, data)?;
        self.observer.sent(path.peer, datagram.len());
        self.socket.send_to(datagram, path)
    }

    /// Answers [`ServerEvent::PskWanted`] with the key of that identity, or `None` if there is none.
    ///
    /// # Errors
    /// [`ApiMisuse`] if no key is wanted for this peer, any more, or if it has not 1 to 256 bytes.
    pub fn provide_psk(&mut self, peer: Peer, psk: Option<&[u8]>) -> Result<(), ApiMisuse> {
        self.act(peer, |connection| connection.provide_psk(&mut SystemRng, psk))
            .unwrap_or(Err(ApiMisuse::NoPskWanted))
    }

    /// Ends the connection to `peer` in order. Its [`ServerEvent::Closed`] follows.
    pub fn close(&mut self, peer: Peer) {
        self.act(peer, Connection::close);
    }

    /// Ends all connections in order.
    pub fn close_all(&mut self) {
        for peer in self.hub.peers().collect::<Vec<_>>() {
            self.close(peer);
        }
    }

    /// The connection to `peer`, for what was agreed, statistics and exported keys.
    pub fn connection(&self, peer: Peer) -> Option<&Connection> {
        self.hub.endpoint().connection(peer.handle())
    }

    /// What the server did since its start, and what it holds.
    pub const fn stats(&self) -> &EndpointStats {
        self.hub.endpoint().stats()
    }

    fn act<T>(&mut self, peer: Peer, act: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        self.observer.acting(peer.address());
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        self.hub.with(peer, self.clock.now(), &mut outlet, act)
    }

    fn take_in(&mut self, len: usize, path: Path) {
        self.observer.received(path.peer, len);
        let datagram = self.buffer.get_mut(..len).unwrap_or_default();
        let mut outlet = SocketOutlet { socket: &self.socket, observer: &mut *self.observer };
        self.hub.handle(self.clock.now(), path, datagram, &mut outlet);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("socket", &self.socket).field("hub", &self.hub).finish_non_exhaustive()
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
        // What cannot be sent is lost; flights that stay unanswered shrink by themselves.
        let _ = self.socket.send_to(datagram, path);
    }

    fn dropped(&mut self, from: SocketAddr, reason: Discard) {
        self.observer.dropped(from, reason);
    }

    fn timer(&mut self, peer: SocketAddr) {
        self.observer.timer(peer);
    }
}
