//! Datagrams in and out of one UDP socket, when the runtime says that it is ready.

use core::{
    net::SocketAddr,
    task::{Context, Poll, ready},
};
use std::io::{self, ErrorKind};

use ::tokio::{
    io::Interest,
    net::{ToSocketAddrs, UdpSocket},
};

use crate::{
    Error,
    socket::{self, Path, is_unreachable},
};

/// A UDP socket for many peers, who get their answers from the address they spoke to.
#[derive(Debug)]
pub(super) struct Socket {
    socket: socket::Socket,
    /// The same socket, as the runtime watches it.
    watched: UdpSocket,
}

impl Socket {
    pub(super) async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::new(UdpSocket::bind(address).await?.into_std()?)
    }

    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let watched = UdpSocket::from_std(socket.try_clone()?)?;
        Ok(Self { socket: socket::Socket::serving(socket)?, watched })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn path_to(&self, peer: SocketAddr) -> io::Result<Path> {
        self.socket.path_to(peer)
    }

    /// Receives one datagram.
    ///
    /// # Errors
    /// Only what will not go away by itself.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Path)>> {
        loop {
            ready!(self.watched.poll_recv_ready(cx))?;
            match self.watched.try_io(Interest::READABLE, || self.socket.receive_now(buffer)) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
                        || is_unreachable(error.kind()) => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Sends one datagram, once there is room for it.
    ///
    /// # Errors
    /// As [`socket::check_size`].
    pub(super) async fn send(&self, path: Path, datagram: &[u8]) -> Result<(), Error> {
        let sent = self.watched.async_io(Interest::WRITABLE, || self.socket.send_now(datagram, path)).await;
        socket::check_size(sent, datagram.len())
    }
}
