//! Datagrams in and out of one UDP socket. Knows which errors of a socket are only the network talking about one datagram.

#[cfg(target_os = "linux")]
mod packet_info;

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::{
    io::{self, ErrorKind},
    net::UdpSocket,
};

use crate::Error;

/// Largest UDP payload.
pub(crate) const MAX_DATAGRAM: usize = 65_535;
/// How the system says that a datagram is too large, where that is known: EMSGSIZE, which has another number on every other
/// system.
#[cfg(unix)]
const TOO_LARGE: Option<i32> = Some(libc::EMSGSIZE);
/// How Windows says that a datagram is too large: WSAEMSGSIZE of `winerror.h`.
#[cfg(windows)]
const TOO_LARGE: Option<i32> = Some(10_040);
/// Nobody knows how the system says that a datagram is too large: it is lost like any other.
#[cfg(not(any(unix, windows)))]
const TOO_LARGE: Option<i32> = None;
/// The socket takes no wait of zero.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What came of waiting for a datagram.
pub(crate) enum Received {
    /// A datagram of so many bytes.
    Datagram(usize, Path),
    /// Nothing until the wait was over.
    Nothing,
    /// The network reported that an earlier datagram did not arrive.
    Unreachable,
}

/// The two ends of a datagram's way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Path {
    /// The peer's address.
    pub(crate) peer: SocketAddr,
    /// The own address, where the socket has several and the system tells which one it was.
    pub(crate) local: Option<IpAddr>,
}

/// A UDP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    /// Whether the socket has several addresses and says which one a datagram came to.
    tells_local: bool,
}

impl Socket {
    /// A socket that is connected to its one peer.
    pub(crate) const fn connected(socket: UdpSocket) -> Self {
        Self { socket, tells_local: false }
    }

    /// A socket for many peers, who get their answers from the address they spoke to.
    pub(crate) fn serving(socket: UdpSocket) -> io::Result<Self> {
        let tells_local = socket.local_addr()?.ip().is_unspecified() && enable_packet_info(&socket);
        Ok(Self { socket, tells_local })
    }

    /// The way on which datagrams to and from `peer` will go.
    pub(crate) fn path_to(&self, peer: SocketAddr) -> io::Result<Path> {
        let own = self.socket.local_addr()?;
        let peer = match (own, peer) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            _ => peer,
        };
        if !self.tells_local {
            return Ok(Path { peer, local: None });
        }
        // Connecting a UDP socket sends nothing: it asks the system which own address it would take.
        let scout = UdpSocket::bind((own.ip(), 0))?;
        scout.connect(peer)?;
        Ok(Path { peer, local: Some(scout.local_addr()?.ip()) })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for one datagram for at most `wait`, or without limit.
    ///
    /// # Errors
    /// Only what will not go away by itself.
    pub(crate) fn receive(&self, buffer: &mut [u8], wait: Option<Duration>) -> io::Result<Received> {
        self.socket.set_read_timeout(wait.map(|wait| wait.max(SHORTEST_WAIT)))?;
        match self.receive_now(buffer) {
            Ok((len, path)) => Ok(Received::Datagram(len, path)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Received::Nothing),
                kind if is_unreachable(kind) => Ok(Received::Unreachable),
                _ => Err(error),
            },
        }
    }

    /// Receives one datagram if the socket has one, or as its mode is.
    pub(crate) fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Path)> {
        #[cfg(target_os = "linux")]
        if self.tells_local {
            return packet_info::receive(&self.socket, buffer);
        }
        self.socket.recv_from(buffer).map(|(len, peer)| (len, Path { peer, local: None }))
    }

    /// Sends a datagram to the address the socket is connected to.
    ///
    /// # Errors
    /// As [`check_size`].
    pub(crate) fn send(&self, datagram: &[u8]) -> Result<(), Error> {
        check_size(self.socket.send(datagram).map(drop), datagram.len())
    }

    /// Sends a datagram, like [`Self::send`].
    ///
    /// # Errors
    /// As [`check_size`].
    pub(crate) fn send_to(&self, datagram: &[u8], path: Path) -> Result<(), Error> {
        check_size(self.send_now(datagram, path), datagram.len())
    }

    /// Sends a datagram if there is room for it, or as the socket's mode is.
    pub(crate) fn send_now(&self, datagram: &[u8], path: Path) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(local) = path.local {
            return packet_info::send(&self.socket, datagram, path.peer, local);
        }
        self.socket.send_to(datagram, path.peer).map(drop)
    }
}

/// What the application must know of an attempt to send a datagram of `len` bytes.
///
/// # Errors
/// [`Error::DatagramTooLarge`], which no repetition cures. Any other failure is the same as loss on the way: it passes, and whoever
/// uses UDP expects it.
pub(crate) fn check_size(sent: io::Result<()>, len: usize) -> Result<(), Error> {
    match sent {
        Err(error) if TOO_LARGE.is_some() && error.raw_os_error() == TOO_LARGE => {
            Err(Error::DatagramTooLarge { len })
        }
        _ => Ok(()),
    }
}

/// Whether the network has reported that an earlier datagram did not arrive.
pub(crate) const fn is_unreachable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

#[cfg(target_os = "linux")]
fn enable_packet_info(socket: &UdpSocket) -> bool {
    packet_info::enable(socket)
}

/// Here the system chooses the address of answers.
#[cfg(not(target_os = "linux"))]
const fn enable_packet_info(_: &UdpSocket) -> bool {
    false
}
