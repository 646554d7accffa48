//! One connection to one server, driven by the calls of its owner.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::VecDeque,
    io,
    net::{ToSocketAddrs, UdpSocket},
};

use dtls_core::{Arc, ClientConfig, CloseReason, Connection, Event, Instant};

use crate::{
    Clock, Error, SystemRng,
    socket::{MAX_DATAGRAM, Received, Socket},
};

/// A DTLS client on a UDP socket of its own.
///
/// The connection's timers are served while the caller is in [`connect`](Self::connect) or [`receive`](Self::receive).
/// Dropping a client without [`close`](Self::close) leaves the server in the dark until its own idle limit.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    peer: SocketAddr,
    clock: Clock,
    connection: Connection,
    /// Application data of the last datagram that was not asked for yet.
    received: VecDeque<(Vec<u8>, u16)>,
    buffer: Box<[u8]>,
    unreachable: bool,
    /// Whether the end of the connection was seen, and how it came.
    ended: Option<CloseReason>,
}

impl Client {
    /// Connects to the first address that `address` resolves to; returns once the handshake has completed.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such address or no socket; [`Error::Dtls`] if the handshake failed. Nobody answering
    /// ends at [`dtls_core::Limits::handshake_timeout`] with [`dtls_core::Error::HandshakeTimeout`].
    pub fn connect(address: impl ToSocketAddrs, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let mut client = Self::start(address, config)?;
        client.handshake()?;
        Ok(client)
    }

    /// Opens the socket without speaking yet; [`handshake`](Self::handshake) does the rest of
    /// [`connect`](Self::connect) and leaves the client at hand for questions if it fails.
    ///
    /// # Errors
    /// Like [`connect`](Self::connect), without those of the handshake.
    pub fn start(address: impl ToSocketAddrs, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let peer = address.to_socket_addrs()?.next().ok_or_else(none)?;
        let any = match peer {
            SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(peer)?;
        Self::on_socket(socket, config)
    }

    /// Like [`start`](Self::start), on a socket that is connected to the server already, from a port of the caller's choice.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    pub fn on_socket(socket: UdpSocket, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let peer = socket.peer_addr()?;
        let clock = Clock::start();
        let connection = Connection::client(config, clock.now(), &mut SystemRng)?;
        Ok(Self {
            socket: Socket::connected(socket),
            peer,
            clock,
            connection,
            received: VecDeque::new(),
            buffer: vec![0; MAX_DATAGRAM].into(),
            unreachable: false,
            ended: None,
        })
    }

    /// Completes the handshake. Without effect on an established connection.
    ///
    /// # Errors
    /// Like [`connect`](Self::connect).
    pub fn handshake(&mut self) -> Result<(), Error> {
        while !self.connection.is_established() {
            self.check_open()?;
            self.step(None)?;
        }
        Ok(())
    }

    /// Sends `data` as one record in one datagram, which the network may lose.
    ///
    /// # Errors
    /// [`Error::Send`] for data that does not fit into a record, [`Error::DatagramTooLarge`] for data that the network does not
    /// take, [`Error::Dtls`] or [`Error::Closed`] if the connection is over.
    pub fn send(&mut self, data: &[u8]) -> Result<(), Error> {
        self.check_open()?;
        // What waits to be read was copied out already.
        let len = self.connection.send(data, &mut self.buffer)?;
        self.socket.send(self.buffer.get(..len).unwrap_or_default())
    }

    /// Waits for the next record of application data, at most for `wait` or without limit; `None` if none came.
    ///
    /// # Errors
    /// [`Error::Closed`] once the peer has closed the connection, [`Error::Dtls`] once it has failed.
    pub fn receive(&mut self, wait: Option<Duration>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.receive_with_epoch(wait)?.map(|(data, _)| data))
    }

    /// Like [`receive`](Self::receive), with the epoch the record was sent in, for protocols that bind answers to it, such as
    /// CoAP (RFC 7252 §9.1).
    ///
    /// # Errors
    /// Like [`receive`](Self::receive).
    pub fn receive_with_epoch(&mut self, wait: Option<Duration>) -> Result<Option<(Vec<u8>, u16)>, Error> {
        let deadline = wait.map(|wait| self.clock.now().after(wait));
        loop {
            if let Some(data) = self.received.pop_front() {
                return Ok(Some(data));
            }
            self.check_open()?;
            self.step(deadline)?;
            if self.received.is_empty() && deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                return self.check_open().map(|()| None);
            }
        }
    }

    /// Ends the connection in order: sends close_notify. Data that was not read is lost.
    pub fn close(mut self) {
        self.connection.close();
        self.transmit();
    }

    /// The server's address.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// The connection, for what was agreed, statistics and exported keys.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the network has reported the server as unreachable since its last datagram. Only a hint: anyone can say so.
    pub const fn reported_unreachable(&self) -> bool {
        self.unreachable
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.ended {
            None => Ok(()),
            Some(CloseReason::Failed(error)) => Err(error.into()),
            Some(_) => Err(Error::Closed),
        }
    }

    /// Sends what is due, then waits for one datagram, a timer or `deadline`.
    fn step(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        self.transmit();
        let wake = earliest(self.connection.poll_timeout(), deadline);
        let wait = wake.map(|wake| wake.since(self.clock.now()));
        match self.socket.receive(&mut self.buffer, wait)? {
            Received::Datagram(len, _) => {
                self.unreachable = false;
                self.take_in(len);
            }
            Received::Unreachable => self.unreachable = true,
            Received::Nothing => {}
        }
        // Errors are sticky and come as an event.
        let _ = self.connection.handle_timeout(self.clock.now());
        self.transmit();
        while let Some(event) = self.connection.poll_event() {
            if let Event::Closed(reason) = event {
                self.ended = Some(reason);
            }
        }
        Ok(())
    }

    fn take_in(&mut self, len: usize) {
        let datagram = self.buffer.get_mut(..len).unwrap_or_default();
        let mut rng = SystemRng;
        let mut incoming = self.connection.handle_datagram(self.clock.now(), &mut rng, datagram);
        while let Ok(Some(data)) = incoming.next_data() {
            self.received.push_back((data.bytes.to_vec(), data.epoch));
        }
    }

    fn transmit(&mut self) {
        while let Some(datagram) = self.connection.poll_transmit(self.clock.now(), &mut self.buffer) {
            // What cannot be sent is lost; flights that stay unanswered shrink by themselves.
            let _ = self.socket.send(datagram);
        }
    }
}

/// The earlier of two moments, either of which may never come.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
