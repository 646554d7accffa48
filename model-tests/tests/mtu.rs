//! Datagrams keep to the MTU that is configured, and become smaller when the path does not carry them (RFC 6347 §4.1.1.1).

use core::time::Duration;

use dtls_core::{Arc, CipherSuite, Limits, MIN_MTU, ServerConfig};
use ideal_crypto::PROVIDER;
use model_tests::{KEY, Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network};

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
