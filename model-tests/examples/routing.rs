//! What a datagram costs at an endpoint with few peers and with many:
//! `cargo run --release -p model-tests --example routing`.
//!
//! Each is a record of 16 bytes: found, opened, handed out, with all polling after it. First from ten of the peers, chosen at
//! random among however many there are: that is the cost of routing, which does not depend on their number. Then from a peer
//! chosen at random among all, and beside it the same with the connection at hand, without an endpoint: what grows there are the
//! misses of the processor's cache on the keys and windows of so many sessions. Best run on a machine that does nothing else.

use std::time::Instant;

use dtls_core::{Connection, EndpointLimits, Listener, Verdict, crypto::Provider};
use ideal_crypto::World;
use model_tests::{
    Prng,
    crowd::{Crowd, VERSIONS, address},
};

const DATAGRAMS: usize = 200_000;
const DATA: &[u8] = &[7; 16];
/// How many peers speak where only some do.
const SPEAKERS: usize = 10;

/// Nanoseconds per datagram, in the fastest of twenty parts: whatever else the machine does only slows down.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn fastest(datagrams: &mut [(usize, Vec<u8>)], mut take_in: impl FnMut(usize, &mut [u8])) -> f64 {
    let parts = datagrams.chunks_mut(DATAGRAMS / 20).map(|part| {
        let count = part.len() as f64;
        let start = Instant::now();
        part.iter_mut().for_each(|(n, datagram)| take_in(*n, datagram));
        start.elapsed().as_nanos() as f64 / count
    });
    parts.fold(f64::INFINITY, f64::min)
}

/// Who speaks, at random among so many of the clients, and the record that each sends.
fn records(clients: &mut [Connection], speakers: usize, rng: &mut Prng) -> Vec<(usize, Vec<u8>)> {
    let speakers: Vec<_> = match speakers == clients.len() {
        true => (0..speakers).collect(),
        false => (0..speakers).map(|_| rng.below(clients.len() as u64) as usize).collect(),
    };
    let one = |_| {
        let n = speakers[rng.below(speakers.len() as u64) as usize];
        let mut datagram = vec![0; 64];
        let len = clients[n].send(DATA, &mut datagram).expect("it is connected");
        datagram.truncate(len);
        (n, datagram)
    };
    (0..DATAGRAMS).map(one).collect()
}

fn limits(peers: usize) -> EndpointLimits {
    let mut limits = EndpointLimits::default();
    limits.connections = peers;
    limits
}

/// Through an endpoint: from a few of the peers, and from all.
fn routed(provider: Provider, peers: usize) -> [f64; 2] {
    let mut crowd = Crowd::new(provider, limits(peers)).unwatched();
    let connect = |n: usize| {
        let mut client = crowd.client(VERSIONS[n % 2]);
        crowd.connect(&address(n as u32), &mut client);
        crowd.events.clear();
        client
    };
    let mut clients: Vec<_> = (0..peers).map(connect).collect();
    [SPEAKERS, peers].map(|speakers| {
        let mut datagrams = records(&mut clients, speakers, &mut Prng::new(9));
        fastest(&mut datagrams, |n, datagram| {
            let handle = crowd.receive(&address(n as u32), datagram, |_, _| {});
            assert!(handle.is_some() && crowd.data == DATA);
            assert!(crowd.endpoint.poll_timeout().is_some());
        })
    })
}

/// With the connections in a row.
fn direct(provider: Provider, peers: usize) -> f64 {
    let mut crowd = Crowd::new(provider, limits(peers)).unwatched();
    let (now, mut rng) = (crowd.now, Prng::new(9));
    let mut listener = Listener::new(crowd.server.clone()).expect("the provider has SHA-256");
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for n in 0..peers {
        let mut client = crowd.client(VERSIONS[n % 2]);
        let server = connect(&mut crowd, &mut listener, &mut client);
        clients.push(client);
        servers.push(Box::new(server));
    }
    let mut datagrams = records(&mut clients, peers, &mut rng);
    let mut out = [0; 2048];
    fastest(&mut datagrams, |n, datagram| {
        let server = &mut servers[n];
        let mut incoming = server.handle_datagram(now, &mut rng, datagram);
        assert_eq!(incoming.next_data().expect("it lives").expect("it is data").bytes, DATA);
        assert!(matches!(incoming.next_data(), Ok(None)));
        assert!(server.poll_transmit(now, &mut out).is_none() && server.poll_event().is_none());
        assert!(server.poll_timeout().is_some());
    })
}

/// The server's side of a handshake with `client`.
fn connect(crowd: &mut Crowd, listener: &mut Listener, client: &mut Connection) -> Connection {
    let (mut buffer, mut out) = ([0; 2048], [0; 2048]);
    let mut server: Option<Connection> = None;
    while let Some(datagram) = client.poll_transmit(crowd.now, &mut buffer) {
        match &mut server {
            Some(server) => assert!(matches!(
                server.handle_datagram(crowd.now, &mut crowd.rng, datagram).next_data(),
                Ok(None)
            )),
            None => match listener.handle(crowd.now, &mut crowd.rng, b"client", datagram, &mut out) {
                Verdict::Reply(reply) => drop(crowd.tell(client, reply)),
                Verdict::Accept(accepted) => {
                    let config = crowd.server.clone();
                    server = Some(Connection::server(config, &accepted, crowd.now, &mut crowd.rng));
                }
                other => panic!("{other:?}"),
            },
        }
        while let Some(answer) = server.as_mut().and_then(|s| s.poll_transmit(crowd.now, &mut out)) {
            crowd.tell(client, answer);
        }
    }
    let mut server = server.expect("it was accepted");
    while server.poll_event().is_some() {}
    server
}

fn main() {
    for (name, provider) in [("RustCrypto", dtls_crypto::PROVIDER), ("ideal", ideal_crypto::PROVIDER)] {
        World::unchecked().run(|| {
            let cost = |peers| {
                let [some, all] = routed(provider, peers);
                [some, all, direct(provider, peers)]
            };
            let few = cost(SPEAKERS);
            for peers in [10, 100, 1_000, 10_000, 100_000] {
                let [some, all, direct] = cost(peers);
                println!(
                    "{name}: {peers:6} peers: {some:5.0} ns per datagram of ten of them, {:.2} times that among 10; of any \
                     of them {all:5.0} ns, {:.2} times; without an endpoint {direct:5.0} ns, {:.2} times",
                    some / few[0],
                    all / few[1],
                    direct / few[2],
                );
            }
        });
    }
}
