//! Clients and servers with a monitor for each of their connections.

#![allow(dead_code, reason = "each test file uses its part")]

use core::net::SocketAddr;
use std::{collections::BTreeMap, net::UdpSocket, sync::Mutex};

use dtls_core::{
    Arc, ClientConfig, ClientPsk, ConfigBuilder, EndpointLimits, ServerConfig, ServerPsk, TraceEvent,
    TraceSink,
};
use dtls_udp::{Observer, Server};
use monitors::{Role, Successive, Watch};

/// The key of `sensor`.
pub(crate) const KEY: [u8; 16] = [0x5a; 16];

/// For one client, which a monitor watches.
pub(crate) fn client(identity: &[u8]) -> ConfigBuilder<ClientPsk> {
    let watch = Arc::new(Watch::new(Role::Client));
    ClientConfig::builder(dtls_crypto::PROVIDER).trace(watch).psk(identity, &KEY)
}

/// The same, with nothing else to say.
pub(crate) fn client_config(identity: &[u8]) -> Arc<ClientConfig> {
    client(identity).build().unwrap()
}

/// For servers that know the key.
pub(crate) fn keyed() -> ConfigBuilder<ServerPsk> {
    ServerConfig::builder(dtls_crypto::PROVIDER).psk_table([(&b"sensor"[..], &KEY[..])])
}

/// A server with monitors.
pub(crate) fn server(any: &str, config: ConfigBuilder<ServerPsk>, limits: EndpointLimits) -> Server {
    server_on(UdpSocket::bind(any).unwrap(), config, limits)
}

/// A server with monitors, on a socket of the test's.
pub(crate) fn server_on(
    socket: UdpSocket,
    config: ConfigBuilder<ServerPsk>,
    limits: EndpointLimits,
) -> Server {
    let visitors = Arc::new(Visitors::default());
    let config = config.trace(Arc::clone(&visitors) as Arc<dyn TraceSink>).build().unwrap();
    let mut server = Server::on_socket(socket, config, limits).unwrap();
    server.observe(Box::new(Attributing(visitors)));
    server
}

/// Monitors for the connections of a server.
#[derive(Default)]
pub(crate) struct Visitors {
    current: Mutex<Option<SocketAddr>>,
    known: Mutex<BTreeMap<SocketAddr, Successive>>,
}

impl Visitors {
    /// Whom the observer was told of last.
    pub(crate) fn current(&self) -> Option<SocketAddr> {
        *self.current.lock().unwrap()
    }
}

impl TraceSink for Visitors {
    fn event(&self, event: &TraceEvent) {
        let peer = self.current().expect("a peer");
        let mut known = self.known.lock().unwrap();
        known.entry(peer).or_insert_with(|| Successive::new(Role::Server)).note(event);
    }
}

/// A monitor for a server to which one address speaks, from which one connection follows the other.
pub(crate) struct OneVisitor(Mutex<Successive>);

impl OneVisitor {
    pub(crate) fn trace() -> Arc<dyn TraceSink> {
        Arc::new(Self(Mutex::new(Successive::new(Role::Server))))
    }
}

impl TraceSink for OneVisitor {
    fn event(&self, event: &TraceEvent) {
        self.0.lock().unwrap().note(event);
    }
}

/// Says whom the trace is about.
pub(crate) struct Attributing(pub(crate) Arc<Visitors>);

impl Attributing {
    fn name(&self, peer: SocketAddr) {
        *self.0.current.lock().unwrap() = Some(peer);
    }
}

impl Observer for Attributing {
    fn received(&mut self, peer: SocketAddr, _: usize) {
        self.name(peer);
    }

    fn timer(&mut self, peer: SocketAddr) {
        self.name(peer);
    }

    fn acting(&mut self, peer: SocketAddr) {
        self.name(peer);
    }
}
