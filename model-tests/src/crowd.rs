//! An endpoint and the clients that speak to it, without a network between them: what is sent arrives at once.

use core::hash::{BuildHasher as _, BuildHasherDefault};
#[cfg(feature = "model")]
use std::collections::HashMap;
use std::hash::DefaultHasher;

use dtls_core::{
    AddressBytes, Arc, CipherSuite, ClientConfig, Connection, ConnectionHandle, Endpoint, EndpointLimits,
    Event, Instant, ListenerLimits, PeerEvent, ProtocolVersion, PskMode, Routed, ServerConfig,
    crypto::Provider,
};
use monitors::require;
#[cfg(feature = "model")]
use monitors::{Monitor, Role};
use simulated_network::Prng;

use crate::Recipe;

/// Bytes of the largest datagram in a [`Crowd`].
const MAX_DATAGRAM: usize = 2048;

/// Both versions that clients of a [`Crowd`] speak, one each.
pub const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

/// An endpoint that speaks both versions, what it has counted, and what its clients need.
#[derive(Debug)]
pub struct Crowd {
    /// The endpoint.
    pub endpoint: Endpoint<AddressBytes>,
    /// The virtual time.
    pub now: Instant,
    /// All randomness.
    pub rng: Prng,
    /// Events that were not looked at yet.
    pub events: Vec<PeerEvent<AddressBytes>>,
    /// Application data that the endpoint delivered last.
    pub data: Vec<u8>,
    /// Bytes that came to the endpoint, and that it sent.
    pub bytes: [usize; 2],
    answered: Answered,
    cookies: bool,
    /// What the endpoint answers under.
    pub server: Arc<ServerConfig>,
    recipes: [Recipe; 2],
    out: Vec<u8>,
    watched: bool,
    /// Of the connections that were accepted, by the peer's address.
    #[cfg(feature = "model")]
    monitors: HashMap<AddressBytes, Vec<(ConnectionHandle, Monitor)>>,
}

/// The `n`th address.
pub fn address(n: u32) -> AddressBytes {
    AddressBytes::new(n.to_be_bytes())
}

impl Crowd {
    /// An endpoint without connections.
    ///
    /// # Panics
    /// If the configurations do not build.
    pub fn new(provider: Provider, limits: EndpointLimits) -> Self {
        Self::under(provider, limits, &ListenerLimits::default())
    }

    /// As [`Self::new`], with other limits of the listener.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn under(provider: Provider, limits: EndpointLimits, listener: &ListenerLimits) -> Self {
        let recipe = |versions: &[ProtocolVersion]| Recipe {
            versions: [versions.to_vec(), VERSIONS.to_vec()],
            suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            listener: listener.clone(),
            ..Recipe::new13(provider, PskMode::PskOnly)
        };
        let server = recipe(&VERSIONS).setup().server;
        Self {
            endpoint: Endpoint::server(Arc::clone(&server), limits).expect("the provider has SHA-256"),
            now: Instant::from_micros(1_000_000),
            rng: Prng::new(1),
            events: Vec::new(),
            data: Vec::with_capacity(MAX_DATAGRAM),
            bytes: [0; 2],
            answered: Answered(vec![0; Answered::WORDS]),
            cookies: listener.cookies,
            server,
            recipes: VERSIONS.map(|version| recipe(&[version])),
            out: vec![0; MAX_DATAGRAM],
            watched: true,
            #[cfg(feature = "model")]
            monitors: HashMap::new(),
        }
    }

    /// Without monitors, which take time and memory.
    #[must_use]
    pub const fn unwatched(mut self) -> Self {
        self.watched = false;
        self
    }

    /// The configuration of one client of this version.
    pub fn config(&self, version: ProtocolVersion) -> Arc<ClientConfig> {
        let [v12, v13] = &self.recipes;
        let recipe = if version == ProtocolVersion::DTLS1_2 { v12 } else { v13 };
        Recipe { watched: self.watched, ..recipe.clone() }.setup().client
    }

    /// A new client that speaks this version.
    ///
    /// # Panics
    /// Never: the random source works.
    pub fn client(&mut self, version: ProtocolVersion) -> Connection {
        Connection::client(self.config(version), self.now, &mut self.rng).expect("a client starts")
    }

    /// A datagram arrives; `send` sees what goes out. Returns the connection it was for or made.
    pub fn receive(
        &mut self,
        from: &AddressBytes,
        datagram: &mut [u8],
        mut send: impl FnMut(&AddressBytes, &mut [u8]),
    ) -> Option<ConnectionHandle> {
        let len = datagram.len();
        self.bytes[0] += len;
        self.data.clear();
        let Self { endpoint, now, rng, data, bytes, out, answered, cookies, .. } = self;
        let mut is_new = false;
        let handle = match endpoint.handle_datagram(*now, rng, from, datagram, out) {
            Routed::Reply(reply) => {
                bytes[1] += reply.len();
                require("S10", reply.len() <= len, || format!("{} bytes out for {len} bytes", reply.len()));
                answered.insert(from);
                send(from, reply);
                None
            }
            Routed::Accepted(handle) => {
                // A cookie can only have come from an answer to this very address.
                let proven = !*cookies || answered.may_contain(from);
                require("S10", proven, || format!("{from:?} was accepted and never asked for a cookie"));
                is_new = true;
                Some(handle)
            }
            Routed::Incoming(handle, mut incoming) => {
                // An error comes as an event, too.
                while let Ok(Some(received)) = incoming.next_data() {
                    data.extend_from_slice(received.bytes);
                }
                Some(handle)
            }
            _ => None,
        };
        if is_new {
            self.watch_new(from, handle);
        }
        self.watch(from);
        self.take_out(send);
        self.watch(from);
        handle
    }

    /// Has a monitor from now on.
    #[cfg(feature = "model")]
    fn watch_new(&mut self, from: &AddressBytes, handle: Option<ConnectionHandle>) {
        let Some(handle) = handle.filter(|_| self.watched) else { return };
        self.endpoint.take_trace(handle);
        if let Some(connection) = self.endpoint.connection(handle) {
            let monitor = Monitor::resumed(Role::Server, connection);
            self.monitors.entry(*from).or_default().push((handle, monitor));
        }
    }

    /// Monitors what the connections with one peer that were accepted have done since this was last called. What one that is gone
    /// meanwhile has done last is not known.
    #[cfg(feature = "model")]
    fn watch(&mut self, peer: &AddressBytes) {
        let Self { endpoint, monitors, .. } = self;
        let Some(monitors) = monitors.get_mut(peer) else { return };
        monitors.retain_mut(|(handle, monitor)| {
            let events = endpoint.take_trace(*handle);
            events.iter().flatten().for_each(|event| monitor.note(event));
            events.is_some()
        });
    }

    /// As [`Self::watch`], for all of them: the time or the application may have caused something.
    #[cfg(feature = "model")]
    fn watch_all(&mut self) {
        let peers: Vec<_> = self.monitors.keys().copied().collect();
        peers.iter().for_each(|peer| self.watch(peer));
        self.monitors.retain(|_, monitors| !monitors.is_empty());
    }

    #[cfg(not(feature = "model"))]
    #[allow(clippy::needless_pass_by_ref_mut, reason = "with a trace it changes what was noted")]
    const fn watch_new(&mut self, _: &AddressBytes, _: Option<ConnectionHandle>) {}

    #[cfg(not(feature = "model"))]
    #[allow(clippy::needless_pass_by_ref_mut, reason = "with a trace it changes what was noted")]
    const fn watch(&mut self, _: &AddressBytes) {}

    #[cfg(not(feature = "model"))]
    #[allow(clippy::needless_pass_by_ref_mut, reason = "with a trace it changes what was noted")]
    const fn watch_all(&mut self) {}

    /// Takes everything that the endpoint has to send or to say.
    pub fn transmit(&mut self, send: impl FnMut(&AddressBytes, &mut [u8])) {
        self.watch_all();
        self.take_out(send);
        self.watch_all();
    }

    fn take_out(&mut self, mut send: impl FnMut(&AddressBytes, &mut [u8])) {
        while let Some((to, datagram)) = self.endpoint.poll_transmit(self.now, &mut self.out) {
            self.bytes[1] += datagram.len();
            send(&to, datagram);
            // Before a connection that is done with it is forgotten.
            self.watch(&to);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets a client and the endpoint speak until neither has anything left to say; returns the datagrams of the client.
    pub fn converse(&mut self, from: &AddressBytes, client: &mut Connection) -> Vec<Vec<u8>> {
        let (mut sent, mut buffer) = (Vec::new(), vec![0; MAX_DATAGRAM]);
        while let Some(datagram) = client.poll_transmit(self.now, &mut buffer) {
            sent.push(datagram.to_vec());
            let mut replies = Vec::new();
            self.receive(from, datagram, |_, reply| replies.push(reply.to_vec()));
            for mut reply in replies {
                self.tell(client, &mut reply);
            }
        }
        sent
    }

    /// A datagram arrives at a client; returns the application data in it.
    pub fn tell(&mut self, client: &mut Connection, datagram: &mut [u8]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut incoming = client.handle_datagram(self.now, &mut self.rng, datagram);
        // An error stays with the client.
        while let Ok(Some(received)) = incoming.next_data() {
            data.extend_from_slice(received.bytes);
        }
        data
    }

    /// Connects a client; returns the handle of its connection.
    ///
    /// # Panics
    /// If it does not come to that.
    pub fn connect(&mut self, from: &AddressBytes, client: &mut Connection) -> ConnectionHandle {
        self.converse(from, client);
        assert!(client.is_established(), "{client:?}");
        while client.poll_event().is_some() {}
        let handle = self.endpoint.established(from).expect("the endpoint has it too");
        let is_news = |event: &PeerEvent<_>| event.connection == handle && event.event == Event::Connected;
        assert!(self.events.iter().any(is_news), "Connected is told");
        handle
    }

    /// A client sends `data` and gets it back; both go through `buffer`.
    ///
    /// # Panics
    /// If anything else comes of it.
    pub fn echo(
        &mut self,
        from: &AddressBytes,
        client: &mut Connection,
        data: &[u8],
        buffer: &mut [u8],
    ) -> ConnectionHandle {
        let len = client.send(data, buffer).expect("the client is established");
        let handle = self.receive(from, &mut buffer[..len], |_, _| panic!("data is not answered"));
        let handle = handle.expect("the endpoint knows the peer");
        assert_eq!(self.data, data);
        assert_eq!(self.endpoint.peer(handle), Some(from));
        let len = self.endpoint.send(handle, &self.data, buffer).expect("the endpoint is established");
        let mut incoming = client.handle_datagram(self.now, &mut self.rng, &mut buffer[..len]);
        let echoed = incoming.next_data().expect("the client goes on").expect("it is data");
        assert_eq!(echoed.bytes, data);
        handle
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.watch_all();
        }
    }
}

/// Where stateless answers to hellos went: a bit for each hash of an address, so that it never grows.
#[derive(Debug)]
struct Answered(Vec<u64>);

impl Answered {
    const WORDS: usize = 1 << 14;

    fn insert(&mut self, address: &AddressBytes) {
        let (word, bit) = Self::place(address);
        self.0[word] |= bit;
    }

    /// `false` is certain.
    fn may_contain(&self, address: &AddressBytes) -> bool {
        let (word, bit) = Self::place(address);
        self.0[word] & bit != 0
    }

    fn place(address: &AddressBytes) -> (usize, u64) {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one(address);
        ((hash >> 6) as usize % Self::WORDS, 1 << (hash & 63))
    }
}
