//! A relay between a client and a server on the loopback that keeps a copy of all that passes, and may lose some of it.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

/// Stands between a server and one client at a time. The server sees one address, whoever the client is.
#[derive(Debug)]
pub struct Wiretap {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A datagram's direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a relay has two ends")]
pub enum Way {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// A datagram and where it was going.
type Seen = (Way, Vec<u8>);

impl Wiretap {
    /// A tap in front of the server at `address`.
    ///
    /// # Panics
    /// If the system has no sockets.
    pub fn before(address: &str) -> Self {
        Self::losing(address, |_, _| false)
    }

    /// A tap that loses the datagrams for which `lose` says so, by their direction and their number in it, from 0.
    ///
    /// # Panics
    /// If the system has no sockets.
    pub fn losing(address: &str, lose: fn(Way, usize) -> bool) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let back = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        back.connect(address).expect("the server's address");
        let mut tap = Self {
            address: front.local_addr().expect("an address"),
            seen: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let client = Arc::new(Mutex::new(None));
        let (to_server, from) = (back.try_clone().expect("a socket"), Arc::clone(&client));
        let answers = front.try_clone().expect("a socket");
        tap.pump(Way::ToServer, front, lose, move |bytes, sender| {
            *from.lock().expect("no panic") = Some(sender);
            let _ = to_server.send(bytes);
        });
        tap.pump(Way::ToClient, back, lose, move |bytes, _| {
            if let Some(client) = *client.lock().expect("no panic") {
                let _ = answers.send_to(bytes, client);
            }
        });
        tap
    }

    /// Where the client is to connect to.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// All datagrams that came this way, lost or not.
    ///
    /// # Panics
    /// If the tap has failed.
    pub fn datagrams(&self, way: Way) -> Vec<Vec<u8>> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter().filter(|(w, _)| *w == way).map(|(_, bytes)| bytes.clone()).collect()
    }

    fn pump(
        &mut self,
        way: Way,
        from: UdpSocket,
        lose: fn(Way, usize) -> bool,
        pass: impl Fn(&[u8], SocketAddr) + Send + 'static,
    ) {
        let (seen, stop) = (Arc::clone(&self.seen), Arc::clone(&self.stop));
        from.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket with timeouts");
        self.threads.push(thread::spawn(move || {
            let mut buffer = [0; 65_535];
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, sender)) = from.recv_from(&mut buffer) {
                    seen.lock().expect("no panic").push((way, buffer[..length].to_vec()));
                    if !lose(way, number) {
                        pass(&buffer[..length], sender);
                    }
                    number += 1;
                }
            }
        }));
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
