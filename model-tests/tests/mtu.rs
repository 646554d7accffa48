//! Datagrams keep to the MTU that is configured, and become smaller when the path does not carry them (RFC 6347 §4.1.1.1).

use core::time::Duration;

use dtls_core::{Arc, CipherSuite, Limits, MIN_MTU, NamedGroup, PskMode, ServerConfig};
use ideal_crypto::PROVIDER;
use model_tests::{KEY, Pair, Recipe, Setup, Side, wire::records};
use simulated_network::{Faults, Network, Plan};

const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;
const IDENTITY: [u8; 500] = [b'i'; 500];

/// A handshake in which both ends have a message of more than 500 bytes to send.
fn setup(mtu: usize) -> Setup {
    let mut limits = Limits::default();
    limits.mtu = mtu;
    let recipe = Recipe {
        suites: vec![SUITE],
        identity: IDENTITY.to_vec(),
        limits: limits.clone(),
        ..Recipe::new(PROVIDER)
    };
    let server = ServerConfig::builder(PROVIDER).limits(limits).suites(&[SUITE]);
    let server = server.psk_table([(&IDENTITY[..], KEY)]).psk_hint(&[b'h'; 500]).build().unwrap();
    Setup { server: Arc::clone(&server), ..recipe.setup() }
}

/// The same in DTLS 1.3, where a client has the longest messages: two hellos with an identity of so many bytes.
fn recipe13(mtu: usize, identity: usize) -> Recipe {
    let mut limits = Limits::default();
    limits.mtu = mtu;
    limits.max_psk_identity = identity;
    let groups = [(); 2].map(|()| vec![NamedGroup::SECP256R1]);
    Recipe { limits, identity: vec![b'i'; identity], groups, ..Recipe::new13(PROVIDER, PskMode::PskDhe) }
}

fn largest(pair: &Pair, from: Side) -> usize {
    pair.network.sent().iter().filter(|sent| sent.from == from).map(|sent| sent.bytes.len()).max().unwrap()
}

#[test]
fn no_datagram_is_longer_than_the_mtu_and_some_are_as_long() {
    for mtu in (MIN_MTU..700).chain([1232, 1500, 65_507]) {
        let setup = setup(mtu);
        let mut pair = Pair::new(&setup, Faults::default());
        pair.connect();
        for side in Side::BOTH {
            let largest = largest(&pair, side);
            assert!(largest <= mtu, "{side}: {largest} bytes for {mtu}");
            // What cannot be cut further: a protected record with the first byte of Finished.
            assert!(largest + 49 > mtu || mtu > 600, "{side}: only {largest} bytes for {mtu}");
            assert_eq!(pair.ends.end(side).unwrap().connection().mtu(), mtu);
        }
    }
}

/// A path that swallows what is too long: after two unanswered retransmissions of the same size, smaller ones get through.
#[test]
fn a_path_that_carries_less_than_was_thought() {
    let (one, both) = (Duration::from_secs(6), Duration::from_secs(30));
    for (path, mtu) in [(560, 548), (548, 548), (547, 228), (228, 228)] {
        for narrow in [&Side::BOTH[..], &[Side::Client], &[Side::Server]] {
            let mut network = Network::new(0, Faults::default());
            for side in narrow {
                network.set_faults(*side, Faults { mtu: path, ..Faults::default() });
            }
            let mut pair = Pair::on(&setup(1232), network);
            let start = pair.ends.now();
            pair.connect();
            let took = pair.ends.now().since(start);
            println!("{path} bytes from {narrow:?}: {took:?}");
            // With both directions narrow the client's flight meets the obstacle when the server's has passed it.
            assert!(took < if narrow.len() == 1 { one } else { both }, "{took:?}\n{}", pair.diagram());
            for side in narrow {
                assert_eq!(pair.ends.end(*side).unwrap().connection().mtu(), mtu, "{side}, {path}");
            }
        }
    }
}

/// A flight that is lost although it is small says nothing about the size of an earlier, larger one.
#[test]
fn losses_of_a_small_flight_leave_the_mtu_as_it_is() {
    let mut pair = Pair::new(&setup(1232), Faults::default());
    let server_is = |pair: &Pair| pair.ends.end(Side::Server).is_some_and(model_tests::End::connected);
    assert!(pair.run_until(Duration::from_secs(1), server_is));
    pair.network.clear();
    pair.network.set_faults(Side::Server, Faults { loss: 1.0, ..Faults::default() });
    pair.run_for(Duration::from_secs(8));
    pair.network.set_faults(Side::Server, Faults::default());
    pair.connect();
    let server = pair.ends.end(Side::Server).unwrap().connection();
    assert!(server.stats().repeats >= 3, "{:?}", server.stats());
    assert_eq!(server.mtu(), 1232);
}

/// 9147-4.3-fit-1, 9147-4.3-fit-2, 9147-5.5-frag-2
#[test]
fn no_datagram_of_dtls13_is_longer_than_the_mtu() {
    for mtu in (MIN_MTU..700).step_by(3).chain([1232, 1500]) {
        let mut pair = Pair::new(&recipe13(mtu, 500).setup(), Faults::default());
        pair.connect();
        for side in Side::BOTH {
            let largest = largest(&pair, side);
            assert!(largest <= mtu, "{side}: {largest} bytes for {mtu}");
            assert_eq!(pair.ends.end(side).unwrap().connection().mtu(), mtu);
        }
        // A hello is cut only where a datagram is full.
        assert!(largest(&pair, Side::Client) == mtu || mtu > 600, "{mtu}");
        for sent in pair.network.sent() {
            let whole: usize = records(&sent.bytes).map(|record| record.bytes.len()).sum();
            assert_eq!(whole, sent.bytes.len(), "a datagram begins and ends with a record");
        }
    }
}

/// 9147-4.4-hs-2
#[test]
fn dtls13_finds_out_that_a_path_carries_less() {
    for (path, mtu) in [(560, 548), (547, 228)] {
        for narrow in [&Side::BOTH[..], &[Side::Client]] {
            let mut network = Network::new(0, Faults::default());
            for side in narrow {
                network.set_faults(*side, Faults { mtu: path, ..Faults::default() });
            }
            let mut pair = Pair::on(&recipe13(1232, 600).setup(), network);
            let start = pair.ends.now();
            pair.connect();
            let took = pair.ends.now().since(start);
            println!("{path} bytes from {narrow:?}: {took:?}");
            assert!(took < Duration::from_secs(16), "{took:?}\n{}", pair.diagram());
            assert_eq!(pair.ends.end(Side::Client).unwrap().connection().mtu(), mtu, "{path}");
        }
    }
}

/// A flight of more than ten records goes out in parts (RFC 9147 §5.8.3), which follow each other by timer where nobody
/// acknowledges any of it, as a listener cannot that keeps nothing. The first hello goes out as one, as in DTLS 1.2.
///
/// 9147-5.8.3-burst-1
#[test]
fn a_long_hello_goes_out_in_bursts_and_arrives() {
    let mut pair = Pair::new(&recipe13(MIN_MTU, 3_000).setup(), Faults::default());
    let start = pair.ends.now();
    pair.connect();
    let took = pair.ends.now().since(start);
    let mut bursts: Vec<(u64, usize)> = Vec::new();
    for sent in pair.network.sent().iter().filter(|sent| sent.from == Side::Client) {
        let (millis, count) = ((sent.at.as_micros() / 1_000) - 1_000, records(&sent.bytes).count());
        match bursts.last_mut() {
            Some((at, sum)) if *at == millis => *sum += count,
            _ => bursts.push((millis, count)),
        }
    }
    // The hello, the hello with the cookie in two parts, Finished.
    assert_eq!(bursts, [(0, 16), (20, 10), (1_020, 6), (1_040, 1)]);
    println!("{took:?}");
    let client = pair.ends.end(Side::Client).unwrap().connection();
    assert_eq!((client.stats().timeouts, client.mtu()), (0, MIN_MTU), "nothing was lost");
    // Each record of the second hello lost alone.
    for lost in 16..32 {
        let mut network = Network::new(0, Faults::default());
        network.set_plan(Side::Client, Plan { lose_first: 1 << lost, ..Plan::default() });
        let mut pair = Pair::on(&recipe13(MIN_MTU, 3_000).setup(), network);
        let connected = pair.run_until(Duration::from_secs(10), |pair| pair.ends.connected());
        assert!(connected, "{lost}\n{}", pair.diagram());
    }
}
