//! Datagrams in and out of one UDP socket. Knows which errors of a socket are only the network talking about one datagram.

use core::{net::SocketAddr, time::Duration};
use std::{
    io::{self, ErrorKind},
    net::UdpSocket,
};

/// Largest UDP payload.
pub(crate) const MAX_DATAGRAM: usize = 65_535;
/// The socket takes no wait of zero.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What came of waiting for a datagram.
pub(crate) enum Received {
    /// A datagram of so many bytes.
    Datagram(usize, SocketAddr),
    /// Nothing until the wait was over.
    Nothing,
    /// The network reported that an earlier datagram did not arrive.
    Unreachable,
}

/// A UDP socket.
#[derive(Debug)]
pub(crate) struct Socket(UdpSocket);

impl Socket {
    pub(crate) const fn new(socket: UdpSocket) -> Self {
        Self(socket)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for one datagram for at most `wait`, or without limit.
    ///
    /// # Errors
    /// Only what will not go away by itself.
    pub(crate) fn receive(&self, buffer: &mut [u8], wait: Option<Duration>) -> io::Result<Received> {
        self.0.set_read_timeout(wait.map(|wait| wait.max(SHORTEST_WAIT)))?;
        match self.0.recv_from(buffer) {
            Ok((len, from)) => Ok(Received::Datagram(len, from)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Received::Nothing),
                ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable => Ok(Received::Unreachable),
                _ => Err(error),
            },
        }
    }

    /// Sends a datagram to the address the socket is connected to. A failure is the same as loss on the way, which
    /// retransmission is there for.
    pub(crate) fn send(&self, datagram: &[u8]) {
        let _ = self.0.send(datagram);
    }

    /// Sends a datagram, like [`Self::send`].
    pub(crate) fn send_to(&self, datagram: &[u8], to: SocketAddr) {
        let _ = self.0.send_to(datagram, to);
    }
}
