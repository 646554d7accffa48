//! DTLS over UDP for tasks of the [tokio](https://tokio.rs) runtime (feature `tokio`).
//!
//! [`Endpoint::bind`] puts one socket and all its connections into a task of their own, which serves every timer. An
//! [`Endpoint`] accepts connections and begins them; each is a [`Session`], which sends and receives on its own.
//!
//! ```
//! use dtls_core::{ClientConfig, EndpointLimits, ServerConfig};
//! use dtls_udp::tokio::Endpoint;
//!
//! # async fn run() -> Result<(), dtls_udp::Error> {
//! let key = [0x5a; 16];
//! let server = ServerConfig::builder(dtls_crypto::PROVIDER).psk_table([(&b"sensor-1"[..], &key[..])]).build().unwrap();
//! let server = Endpoint::bind("127.0.0.1:0", Some(server), EndpointLimits::default()).await?;
//! let address = server.local_addr();
//! tokio::spawn(async move {
//!     while let Some(mut session) = server.accept().await {
//!         while let Ok(data) = session.receive().await {
//!             let _ = session.send(&data).await;
//!         }
//!     }
//! });
//!
//! let client = Endpoint::bind("127.0.0.1:0", None, EndpointLimits::default()).await?;
//! let config = ClientConfig::builder(dtls_crypto::PROVIDER).psk(b"sensor-1", &key).build().unwrap();
//! let mut session = client.connect(address, config).await?;
//! session.send(b"21.5 degrees").await?;
//! assert_eq!(session.receive().await?, b"21.5 degrees");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
//! ```

mod driver;
mod socket;

use core::{fmt, net::SocketAddr};
use std::{
    io,
    net::UdpSocket,
    sync::{Arc as StdArc, OnceLock},
};

use ::tokio::{
    net::ToSocketAddrs,
    sync::{Mutex, mpsc, oneshot},
};
use dtls_core::{
    Arc, ClientConfig, CloseReason, Connection, EndpointLimits, Negotiated, SendError, ServerConfig,
};

use self::{
    driver::{Command, Driver},
    socket::Socket,
};
use crate::{Error, Peer, socket::Path};

/// One UDP socket with all its connections.
///
/// Dropping it refuses new peers; the sessions go on. The socket closes when the last of them is gone.
#[derive(Debug)]
pub struct Endpoint {
    commands: mpsc::UnboundedSender<Command>,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    local: SocketAddr,
}

/// Something that a peer began.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A connection, established.
    Session(Session),
    /// A handshake that needs a key (only under [`dtls_core::ConfigBuilder::psk_deferred`]).
    PskWanted(PskRequest),
}

/// The key of a PSK identity is wanted. Dropping it says that there is none.
#[derive(Debug)]
pub struct PskRequest {
    peer: Peer,
    identity: Vec<u8>,
    /// Gone once answered.
    commands: Option<mpsc::UnboundedSender<Command>>,
}

/// One connection. Dropping it closes it in order.
pub struct Session {
    peer: Peer,
    negotiated: Negotiated,
    commands: mpsc::UnboundedSender<Command>,
    received: mpsc::Receiver<(Vec<u8>, u16)>,
    ended: StdArc<OnceLock<CloseReason>>,
}

impl Endpoint {
    /// Binds a socket, with port 0 to a free port. Peers are answered under `server`, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the address cannot be bound, or the provider of `server` lacks what cookies need.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn bind(
        address: impl ToSocketAddrs,
        server: Option<Arc<ServerConfig>>,
        limits: EndpointLimits,
    ) -> Result<Self, Error> {
        let endpoint = endpoint(server, limits)?;
        Self::drive(Socket::bind(address).await?, endpoint)
    }

    /// Like [`bind`](Self::bind), on a socket of the caller's, whose options stay as they are: whether it fragments, for instance.
    /// Only that it must not block, and where it is bound to all addresses, that it says which one was spoken to.
    ///
    /// # Errors
    /// Like [`bind`](Self::bind).
    ///
    /// # Panics
    /// Like [`bind`](Self::bind).
    pub fn on_socket(
        socket: UdpSocket,
        server: Option<Arc<ServerConfig>>,
        limits: EndpointLimits,
    ) -> Result<Self, Error> {
        let endpoint = endpoint(server, limits)?;
        Self::drive(Socket::new(socket)?, endpoint)
    }

    fn drive(socket: Socket, endpoint: dtls_core::Endpoint<Path>) -> Result<Self, Error> {
        let local = socket.local_addr()?;
        let (commands, orders) = mpsc::unbounded_channel();
        let (driver, incoming) = Driver::new(socket, endpoint, commands.downgrade(), orders);
        ::tokio::spawn(driver.run());
        Ok(Self { commands, incoming: Mutex::new(incoming), local })
    }

    /// The address the socket is bound to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection that a peer has established; `None` once the socket has failed. Keys that are asked for meanwhile
    /// are refused: with deferred keys call [`next_incoming`](Self::next_incoming).
    pub async fn accept(&self) -> Option<Session> {
        loop {
            if let Incoming::Session(session) = self.next_incoming().await? {
                return Some(session);
            }
        }
    }

    /// The next thing that a peer has begun; `None` once the socket has failed.
    pub async fn next_incoming(&self) -> Option<Incoming> {
        self.incoming.lock().await.recv().await
    }

    /// Connects to `address` under `config`; returns once the handshake has completed. Dropping the future gives up.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is no room, [`Error::Dtls`] if the handshake failed, [`Error::Io`] if the socket did or there
    /// is no way to the address.
    pub async fn connect(&self, address: SocketAddr, config: Arc<ClientConfig>) -> Result<Session, Error> {
        let (done, established) = oneshot::channel();
        let sent = self.commands.send(Command::Connect { address, config, done });
        sent.map_err(|_| gone())?;
        established.await.map_err(|_| gone())?
    }
}

impl PskRequest {
    /// Who wants to use the key.
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// The identity as sent, not authenticated yet.
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// Goes on with this key of 1 to 256 bytes. Any other, and none, ends the handshake.
    pub fn answer(mut self, psk: Option<&[u8]>) {
        self.reply(psk.map(<[u8]>::to_vec));
    }

    fn reply(&mut self, psk: Option<Vec<u8>>) {
        if let Some(commands) = self.commands.take() {
            // Without a driver there is nobody to tell.
            let _ = commands.send(Command::Psk { peer: self.peer, psk });
        }
    }
}

impl Drop for PskRequest {
    fn drop(&mut self) {
        self.reply(None);
    }
}

impl Session {
    /// The connection and the address of the peer.
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// What was agreed.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Sends `data` as one record in one datagram, which the network may lose.
    ///
    /// # Errors
    /// [`Error::Send`] for data that does not fit into a record, [`Error::DatagramTooLarge`] for data that the network does not
    /// take, [`Error::Dtls`] or [`Error::Closed`] if the connection is over.
    pub async fn send(&self, data: &[u8]) -> Result<(), Error> {
        let (done, sent) = oneshot::channel();
        let command = Command::Send { peer: self.peer, data: data.to_vec(), done };
        self.commands.send(command).map_err(|_| self.end())?;
        match sent.await {
            Ok(Err(Error::Send(SendError::Closed))) | Err(_) => Err(self.end()),
            Ok(sent) => sent,
        }
    }

    /// The next record of application data. Records that nobody waits for are kept up to a bound, beyond it they are lost as
    /// on the network.
    ///
    /// # Errors
    /// [`Error::Closed`] once the peer has closed the connection, [`Error::Dtls`] once it has failed.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.receive_with_epoch().await?.0)
    }

    /// Like [`receive`](Self::receive), with the epoch the record was sent in, for protocols that bind answers to it, such as
    /// CoAP (RFC 7252 §9.1).
    ///
    /// # Errors
    /// Like [`receive`](Self::receive).
    pub async fn receive_with_epoch(&mut self) -> Result<(Vec<u8>, u16), Error> {
        self.received.recv().await.ok_or_else(|| self.end())
    }

    /// Lets `act` do something with the connection, such as exporting keys.
    ///
    /// # Errors
    /// [`Error::Dtls`] or [`Error::Closed`] if the connection is over.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (done, result) = oneshot::channel();
        let act = Box::new(|connection: &mut Connection| {
            // If nobody waits any more, it is done all the same.
            let _ = done.send(act(connection));
        });
        self.commands.send(Command::With { peer: self.peer, act }).map_err(|_| self.end())?;
        result.await.map_err(|_| self.end())
    }

    /// Why the connection is over.
    fn end(&self) -> Error {
        match self.ended.get() {
            Some(CloseReason::Failed(error)) => (*error).into(),
            _ => Error::Closed,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without a driver there is nothing to close.
        let _ = self.commands.send(Command::Close { peer: self.peer });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("peer", &self.peer).finish_non_exhaustive()
    }
}

fn endpoint(
    server: Option<Arc<ServerConfig>>,
    limits: EndpointLimits,
) -> io::Result<dtls_core::Endpoint<Path>> {
    match server {
        Some(config) => dtls_core::Endpoint::server(config, limits).map_err(io::Error::other),
        None => Ok(dtls_core::Endpoint::client(limits)),
    }
}

/// The driver has ended, which it does only when its socket has failed.
fn gone() -> Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the socket has failed").into()
}
