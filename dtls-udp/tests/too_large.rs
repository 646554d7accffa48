//! Data that the network does not take, on sockets whose owner has forbidden fragments (RFC 6347 §4.1.1.1, RFC 9147 §4.4).
#![cfg(target_os = "linux")]

mod harness;

use core::{net::SocketAddr, time::Duration};
use std::{net::UdpSocket, thread};

use dtls_core::EndpointLimits;
use dtls_udp::{Client, Error, ServerEvent};
use harness::{client_config, keyed, server, server_on};
use nix::{
    libc, setsockopt_impl, sockopt_impl,
    sys::socket::{getsockopt, setsockopt, sockopt::Ipv6DontFrag},
};

/// Far more than anything here takes; only a bug waits for it.
const LONG: Option<Duration> = Some(Duration::from_secs(30));
/// What the link carries, for all that the socket knows.
const MTU: usize = 1280;
const FITS: [u8; 1000] = [1; 1000];
const DOES_NOT: [u8; 4000] = [2; 4000];

sockopt_impl!(
    /// The most bytes of an IPv6 packet.
    Ipv6Mtu,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU,
    usize
);

/// A socket that must not fragment, with another handle to ask after its options.
fn narrow() -> (UdpSocket, UdpSocket) {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    setsockopt(&socket, Ipv6Mtu, &MTU).unwrap();
    setsockopt(&socket, Ipv6DontFrag, &true).unwrap();
    let handle = socket.try_clone().unwrap();
    (socket, handle)
}

/// The application is told, and by how much.
fn check(sent: Result<(), Error>, socket: &UdpSocket) {
    let Err(Error::DatagramTooLarge { len }) = sent else { panic!("{sent:?}") };
    assert!(len > DOES_NOT.len() && len < DOES_NOT.len() + 100, "{len}");
    assert!(getsockopt(socket, Ipv6DontFrag).unwrap(), "whether to fragment is for the application to say");
}

/// A server that says how long each record was that it got.
fn measuring() -> SocketAddr {
    let mut server = server("[::1]:0", keyed(), EndpointLimits::default());
    let address = server.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok(event) = server.next_event(None) {
            if let Some(ServerEvent::Data { peer, data, .. }) = event {
                server.send(peer, data.len().to_string().as_bytes()).unwrap();
            }
        }
    });
    address
}

#[test]
fn a_client_hears_that_its_data_is_too_large_and_goes_on() {
    let (socket, handle) = narrow();
    socket.connect(measuring()).unwrap();
    let mut client = Client::on_socket(socket, client_config(b"sensor")).unwrap();
    client.handshake().unwrap();
    check(client.send(&DOES_NOT), &handle);
    client.send(&FITS).unwrap();
    assert_eq!(client.receive(LONG).unwrap().unwrap(), b"1000");
}

#[test]
fn a_server_hears_that_its_data_is_too_large_and_goes_on() {
    let (socket, handle) = narrow();
    let mut server = server_on(socket, keyed(), EndpointLimits::default());
    let address = server.local_addr().unwrap();
    let client = thread::spawn(move || {
        let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
        client.receive(LONG).unwrap().unwrap()
    });
    let Some(ServerEvent::Connected { peer }) = server.next_event(LONG).unwrap() else { panic!() };
    check(server.send(peer, &DOES_NOT), &handle);
    server.send(peer, &FITS).unwrap();
    assert_eq!(client.join().unwrap(), FITS);
}

#[cfg(feature = "tokio")]
#[test]
fn a_session_hears_that_its_data_is_too_large_and_goes_on() {
    use dtls_udp::tokio::Endpoint;

    let (socket, handle) = narrow();
    let address = measuring();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::on_socket(socket, None, EndpointLimits::default()).unwrap();
        let mut session = endpoint.connect(address, client_config(b"sensor")).await.unwrap();
        check(session.send(&DOES_NOT).await, &handle);
        session.send(&FITS).await.unwrap();
        assert_eq!(session.receive().await.unwrap(), b"1000");
    });
}

/// What the network says about a datagram that went out is the same as loss on the way.
#[test]
fn an_unreachable_peer_is_not_too_large() {
    let mut server = server("127.0.0.1:0", keyed(), EndpointLimits::default());
    let address = server.local_addr().unwrap();
    let serving = thread::spawn(move || {
        while !matches!(server.next_event(LONG).unwrap(), Some(ServerEvent::Connected { .. })) {}
    });
    let mut client = Client::connect(address, client_config(b"sensor")).unwrap();
    serving.join().unwrap();
    for _ in 0..3 {
        client.send(&FITS).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
}
