//! The drivers of `dtls-udp` on their own sockets and clock against wolfSSL on its.

use std::{sync::Arc, thread};

use dtls_core::{CipherSuite, ClientConfig, EndpointLimits, ProtocolVersion, ServerConfig};
use dtls_udp::{Client, Server, ServerEvent};
use interop_wolfssl::{
    IDENTITY, KEY,
    case::DTLS13,
    peer::Peer,
    wolf::{Role, Setup, Versions},
};
use monitors::Watch;

/// All that wolfSSL has with SHA-256. Its client insists on the first, since that is what its callback has to name.
fn wolf(role: Role) -> Setup {
    let suites = "TLS13-AES128-GCM-SHA256:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-CCM-SHA256";
    Setup { versions: Versions::Both, suites, ..DTLS13.wolf(role) }
}

#[test]
fn client_with_its_defaults() {
    let mut peer = Peer::server(&wolf(Role::Server));
    let address = peer.address();
    let server = thread::spawn(move || {
        peer.connect();
        let data = peer.receive();
        peer.send(&data);
        peer.expect_close();
    });
    let watch = Arc::new(Watch::new(monitors::Role::Client));
    let builder = ClientConfig::builder(dtls_crypto::PROVIDER).trace(watch);
    let config = builder.psk(IDENTITY.as_bytes(), &KEY).build();
    let mut client = Client::connect(address, config.expect("a configuration")).expect("connected");
    let agreed = client.connection().negotiated().expect("connected");
    assert_eq!(agreed.version, ProtocolVersion::DTLS1_3);
    client.send(b"21.5 degrees").expect("sent");
    assert_eq!(client.receive(None).expect("an echo").as_deref(), Some(&b"21.5 degrees"[..]));
    client.close();
    server.join().expect("wolfSSL is content");
}

#[test]
fn server_with_its_defaults() {
    let watch = Arc::new(Watch::new(monitors::Role::Server));
    let builder = ServerConfig::builder(dtls_crypto::PROVIDER).trace(watch);
    let config = builder.psk_table([(IDENTITY.as_bytes(), &KEY[..])]).build();
    let config = config.expect("a configuration");
    let mut server = Server::bind("127.0.0.1:0", config, EndpointLimits::default()).expect("a socket");
    let address = server.local_addr().expect("bound");
    let client = thread::spawn(move || {
        let mut peer = Peer::client(&wolf(Role::Client), address);
        peer.connect();
        peer.send(b"21.5 degrees");
        assert_eq!(peer.receive(), b"21.5 degrees");
        peer.close();
    });
    let mut agreed = None;
    loop {
        match server.next_event(None).expect("a socket").expect("no deadline") {
            ServerEvent::Connected { peer } => {
                agreed = server.connection(peer).and_then(|c| c.negotiated()).map(|n| (n.version, n.suite));
            }
            ServerEvent::Data { peer, data, .. } => server.send(peer, &data).expect("sent"),
            ServerEvent::Closed { was_connected, .. } => {
                assert!(was_connected);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(agreed, Some((ProtocolVersion::DTLS1_3, CipherSuite::TLS_AES_128_GCM_SHA256)));
    client.join().expect("wolfSSL is content");
}
