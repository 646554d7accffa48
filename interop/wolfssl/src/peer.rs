//! wolfSSL on a UDP socket by its own clock, for ends of ours that have a driver of their own.

use core::{net::SocketAddr, time::Duration};
use std::net::UdpSocket;

use dtls_udp::Clock;

use crate::wolf::{Progress, Setup, Wolf};

/// How long anything may take on a loaded machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An end by wolfSSL that works while the caller waits in a call.
#[derive(Debug)]
pub struct Peer {
    wolf: Wolf,
    socket: UdpSocket,
    /// Whom a server talks to: who spoke first.
    to: Option<SocketAddr>,
}

impl Peer {
    /// A server that waits for its client.
    ///
    /// # Panics
    /// If there is no socket.
    #[must_use]
    pub fn server(setup: &Setup) -> Self {
        Self { wolf: Wolf::new(setup), socket: UdpSocket::bind("127.0.0.1:0").expect("a socket"), to: None }
    }

    /// A client of the server at `address`.
    ///
    /// # Panics
    /// If there is no socket.
    #[must_use]
    pub fn client(setup: &Setup, address: SocketAddr) -> Self {
        Self { to: Some(address), ..Self::server(setup) }
    }

    /// Its address.
    ///
    /// # Panics
    /// If the system does not say.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// Completes the handshake.
    ///
    /// # Panics
    /// If it fails.
    pub fn connect(&mut self) {
        self.until_done(Wolf::handshake);
    }

    /// Waits for application data.
    ///
    /// # Panics
    /// If none comes.
    pub fn receive(&mut self) -> Vec<u8> {
        self.until_done(Wolf::read).expect("data, not the end")
    }

    /// Waits for the peer's end.
    ///
    /// # Panics
    /// If anything else comes.
    pub fn expect_close(&mut self) {
        assert_eq!(self.until_done(Wolf::read), None);
    }

    /// Sends application data.
    ///
    /// # Panics
    /// If wolfSSL refuses.
    pub fn send(&mut self, data: &[u8]) {
        assert_eq!(self.wolf.write(data), Ok(Progress::Done(())));
        self.transmit();
    }

    /// Ends the connection.
    pub fn close(mut self) {
        self.wolf.close();
        self.transmit();
    }

    /// Repeats `step` with datagrams and timers until it is done, or `None` when the peer has closed.
    fn until_done<T>(&mut self, mut step: impl FnMut(&mut Wolf) -> Result<Progress<T>, String>) -> Option<T> {
        let clock = Clock::start();
        let deadline = clock.now().after(PATIENCE);
        while clock.now() < deadline {
            let progress = step(&mut self.wolf);
            self.transmit();
            match progress.expect("wolfSSL goes on") {
                Progress::Done(result) => return Some(result),
                Progress::Closed => return None,
                Progress::Waiting => self.wait(),
            }
        }
        panic!("wolfSSL waits in vain");
    }

    /// Takes in a datagram, or lets wolfSSL's timer run out.
    fn wait(&mut self) {
        let mut buffer = [0; 2048];
        self.socket.set_read_timeout(Some(self.wolf.timer())).expect("a socket");
        match self.socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                self.to.get_or_insert(from);
                self.wolf.deliver(&buffer[..length]);
            }
            Err(_) => self.wolf.timeout().expect("wolfSSL goes on"),
        }
    }

    fn transmit(&mut self) {
        while let (Some(datagram), Some(to)) = (self.wolf.transmit(), self.to) {
            self.socket.send_to(&datagram, to).expect("the loopback");
        }
    }
}
