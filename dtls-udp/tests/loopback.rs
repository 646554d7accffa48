//! Client and server over loopback sockets.

mod harness;

use core::{net::SocketAddr, time::Duration};
use std::{
    net::UdpSocket,
    sync::{Mutex, mpsc},
    thread,
};

use dtls_core::{
    Arc, CloseReason, ContentType, EndpointLimits, HandshakeType, Limits, SendError, ServerConfig,
    TraceEvent, TraceSink,
};
use dtls_udp::{Client, Error, Server, ServerEvent};
use harness::{Attributing, KEY, Visitors, client, client_config, keyed, server};
use monitors::{Monitor, Role};

/// Far more than anything here takes; only a bug waits for it.
const LONG: Option<Duration> = Some(Duration::from_secs(30));

/// An echo server in a thread of its own, which reports its events.
fn echo(any: &str, limits: EndpointLimits) -> (SocketAddr, mpsc::Receiver<ServerEvent>) {
    serve_echoes(server(any, keyed(), limits))
}

fn serve_echoes(mut server: Server) -> (SocketAddr, mpsc::Receiver<ServerEvent>) {
    let address = server.local_addr().unwrap();
    let (tell, events) = mpsc::channel();
    thread::spawn(move || {
        while let Some(event) = server.next_event(LONG).unwrap() {
            if let ServerEvent::Data { peer, data, .. } = &event {
                server.send(*peer, data).unwrap();
            }
            if tell.send(event).is_err() {
                break;
            }
        }
    });
    (address, events)
}

fn exchange(client: &mut Client, data: &[u8]) {
    client.send(data).unwrap();
    assert_eq!(client.receive(LONG).unwrap().as_deref(), Some(data));
}

#[test]
fn many_peers_are_told_apart() {
    let (address, events) = echo("127.0.0.1:0", EndpointLimits::default());
    let mut clients: Vec<_> =
        (0..5).map(|_| Client::connect(address, client_config(b"sensor")).unwrap()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        exchange(client, format!("reading {i}").as_bytes());
    }
    for client in clients {
        client.close();
    }
    let closed = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Closed { reason: CloseReason::CloseNotify, .. }));
    assert_eq!(closed.take(5).count(), 5);
}

#[test]
fn an_empty_record_arrives_as_such() {
    let (address, _events) = echo("127.0.0.1:0", EndpointLimits::default());
    let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
    exchange(&mut client, b"");
    assert_eq!(client.receive(Some(Duration::from_millis(1))).unwrap(), None);
}

#[test]
fn data_that_does_not_fit_is_refused_and_the_connection_goes_on() {
    let (address, _events) = echo("127.0.0.1:0", EndpointLimits::default());
    let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
    assert!(matches!(client.send(&[0; 70_000]), Err(Error::Send(SendError::TooLarge { max: 16_384 }))));
    exchange(&mut client, &[7; 16_384]);
}

#[test]
fn the_client_hears_why_it_was_refused() {
    let (address, events) = echo("127.0.0.1:0", EndpointLimits::default());
    let refused = Client::connect(address, client_config(b"stranger"));
    assert!(matches!(
        refused,
        Err(Error::Dtls(dtls_core::Error::PeerAlert(dtls_core::AlertDescription::DecryptError)))
    ));
    assert!(matches!(events.recv().unwrap(), ServerEvent::Closed { was_connected: false, .. }));
    exchange(&mut Client::connect(address, client_config(b"sensor")).unwrap(), b"the others go on");
}

#[test]
fn the_number_of_peers_is_bounded_and_closed_ones_make_room() {
    let mut limits = EndpointLimits::default();
    limits.connections = 1;
    let (address, events) = echo("127.0.0.1:0", limits);
    let mut first = Client::connect(address, client_config(b"sensor")).unwrap();
    let mut soon = Limits::default();
    soon.handshake_timeout = Duration::from_millis(300);
    let config = client(b"sensor").limits(soon).build().unwrap();
    assert!(matches!(Client::connect(address, config), Err(Error::Dtls(dtls_core::Error::HandshakeTimeout))));
    exchange(&mut first, b"still here");
    first.close();
    assert!(events.iter().any(|event| matches!(event, ServerEvent::Closed { .. })));
    exchange(&mut Client::connect(address, client_config(b"sensor")).unwrap(), b"next");
}

#[test]
fn a_server_closes_what_is_idle() {
    let mut limits = EndpointLimits::default();
    limits.idle = Some(Duration::from_millis(100));
    let (address, events) = echo("127.0.0.1:0", limits);
    let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
    assert!(matches!(client.receive(LONG), Err(Error::Closed)));
    assert!(
        events.iter().any(|event| matches!(event, ServerEvent::Closed { reason: CloseReason::Local, .. }))
    );
}

#[test]
fn nobody_there_ends_at_the_deadline() {
    // A port that was free a moment ago: the system answers with ICMP errors, which must not end the attempt early.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut soon = Limits::default();
    soon.handshake_timeout = Duration::from_millis(200);
    let config = client(b"sensor").limits(soon).build().unwrap();
    let mut client = Client::start(address, config).unwrap();
    assert!(matches!(client.handshake(), Err(Error::Dtls(dtls_core::Error::HandshakeTimeout))));
    assert!(client.reported_unreachable());
}

#[test]
fn a_peer_that_vanishes_does_not_end_the_server() {
    let (address, events) = echo("127.0.0.1:0", EndpointLimits::default());
    // Its reply meets a closed port; the ICMP error comes back to the server's socket.
    for _ in 0..3 {
        let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
        client.send(b"and gone").unwrap();
    }
    for _ in 0..3 {
        assert!(events.iter().any(|event| matches!(event, ServerEvent::Data { .. })));
    }
    exchange(&mut Client::connect(address, client_config(b"sensor")).unwrap(), b"others");
}

/// A client's socket is connected, so it takes answers from the address it spoke to only.
#[cfg(target_os = "linux")]
#[test]
fn answers_leave_from_the_address_that_was_spoken_to() {
    for (any, spoken_to) in [("0.0.0.0:0", "127.0.0.2"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "127.0.0.3")]
    {
        let (address, _events) = echo(any, EndpointLimits::default());
        let mut client = Client::connect((spoken_to, address.port()), client_config(b"sensor")).unwrap();
        exchange(&mut client, spoken_to.as_bytes());
    }
}

#[test]
fn keys_may_be_looked_up_later_and_connections_move_between_threads() {
    let deferred = ServerConfig::builder(dtls_crypto::PROVIDER).psk_deferred();
    let mut server = server("[::1]:0", deferred, EndpointLimits::default());
    let address = server.local_addr().unwrap();
    let client = thread::spawn(move || Client::connect(address, client_config(b"sensor")).map(drop));
    let Some(ServerEvent::PskWanted { peer, identity }) = server.next_event(LONG).unwrap() else {
        panic!("no key wanted")
    };
    assert_eq!(identity, b"sensor");
    server.provide_psk(peer, Some(&KEY)).unwrap();
    assert_eq!(server.next_event(LONG).unwrap(), Some(ServerEvent::Connected { peer }));
    client.join().unwrap().unwrap();
}

/// A monitor for each connection with a client that says nothing any more in the one before.
#[derive(Default)]
struct Rebooting(Mutex<Option<Monitor>>);

impl TraceSink for Rebooting {
    fn event(&self, event: &TraceEvent) {
        let mut monitor = self.0.lock().unwrap();
        if matches!(event, TraceEvent::MessageQueued { typ: HandshakeType::SERVER_HELLO, .. }) {
            *monitor = None;
        }
        monitor.get_or_insert_with(|| Monitor::new(Role::Server)).note(event);
    }
}

/// The same address and port, without a word of good-bye (RFC 6347 §4.2.8).
#[test]
fn a_client_that_has_rebooted_is_served_again() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let config = keyed().trace(Arc::new(Rebooting::default())).build().unwrap();
        let (address, events) = serve_echoes(Server::bind(any, config, EndpointLimits::default()).unwrap());
        let start = |from: SocketAddr| {
            let socket = UdpSocket::bind(from).unwrap();
            let from = socket.local_addr().unwrap();
            socket.connect(address).unwrap();
            let mut client = Client::on_socket(socket, client_config(b"sensor")).unwrap();
            client.handshake().unwrap();
            (client, from)
        };
        let (mut client, from) = start(any.parse().unwrap());
        exchange(&mut client, b"before");
        drop(client);
        let (mut client, _) = start(from);
        exchange(&mut client, b"after");
        client.close();
        let mut told = events.iter().filter(|event| !matches!(event, ServerEvent::Data { .. }));
        let Some(ServerEvent::Connected { peer: first }) = told.next() else { panic!("the first") };
        let Some(ServerEvent::Closed { peer, reason: CloseReason::Replaced, was_connected: true }) =
            told.next()
        else {
            panic!("the first was not replaced")
        };
        assert_eq!(peer, first);
        let Some(ServerEvent::Connected { peer: second }) = told.next() else { panic!("the second") };
        assert!(second != first && second.address() == from && first.address() == from);
    }
}

/// One socket each, with a connection in either direction.
#[test]
fn servers_connect_to_each_other() {
    for any in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let (address, _events) = echo(any, EndpointLimits::default());
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        let address = SocketAddr::new(loopback.parse().unwrap(), address.port());
        let mut server = server(any, keyed(), EndpointLimits::default());
        let other = server.connect(address, client_config(b"sensor")).unwrap();
        assert_eq!(server.next_event(LONG).unwrap(), Some(ServerEvent::Connected { peer: other }));
        server.send(other, b"outwards").unwrap();
        let Some(ServerEvent::Data { peer, data, .. }) = server.next_event(LONG).unwrap() else {
            panic!("no echo to {any}")
        };
        assert_eq!((peer, &data[..]), (other, &b"outwards"[..]));

        let client = {
            let port = server.local_addr().unwrap().port();
            let config = client_config(b"sensor");
            thread::spawn(move || Client::connect((loopback, port), config).unwrap())
        };
        let Some(ServerEvent::Connected { peer: visitor }) = server.next_event(LONG).unwrap() else {
            panic!("nobody came")
        };
        server.send(visitor, b"welcome").unwrap();
        let mut client = client.join().unwrap();
        assert_eq!(client.receive(LONG).unwrap().as_deref(), Some(&b"welcome"[..]));
        assert_eq!(server.stats().connections, 2);
    }
}

/// Whom the observer was told of last when application data was sent.
#[derive(Default)]
struct Attribution {
    visitors: Arc<Visitors>,
    sent: Mutex<Vec<Option<SocketAddr>>>,
}

impl TraceSink for Attribution {
    fn event(&self, event: &TraceEvent) {
        if matches!(event, TraceEvent::RecordSent { content: ContentType::APPLICATION_DATA, .. }) {
            self.sent.lock().unwrap().push(self.visitors.current());
        }
        self.visitors.event(event);
    }
}

#[test]
fn an_observer_knows_whom_the_trace_is_about() {
    let attribution = Arc::new(Attribution::default());
    let config = keyed().trace(Arc::clone(&attribution) as Arc<dyn TraceSink>).build().unwrap();
    let mut server = Server::bind("127.0.0.1:0", config, EndpointLimits::default()).unwrap();
    server.observe(Box::new(Attributing(Arc::clone(&attribution.visitors))));
    let address = server.local_addr().unwrap();
    let clients = thread::spawn(move || {
        let [mut first, mut second] =
            [(); 2].map(|()| Client::connect(address, client_config(b"sensor")).unwrap());
        second.send(b"to the other").unwrap();
        assert_eq!(first.receive(LONG).unwrap().as_deref(), Some(&b"to the other"[..]));
    });
    let mut peers = Vec::new();
    while let Some(event) = server.next_event(LONG).unwrap() {
        match event {
            ServerEvent::Connected { peer } => peers.push(peer),
            ServerEvent::Data { peer, data, .. } => {
                assert_eq!(peer, peers[1]);
                server.send(peers[0], &data).unwrap();
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    clients.join().unwrap();
    assert_eq!(*attribution.sent.lock().unwrap(), [Some(peers[0].address())]);
}
