//! Random faults in virtual time: how long a handshake takes over a link as bad as the demo's, and that it ends.

use core::time::Duration;

use dtls_core::{CipherSuite, CloseReason, Error, ProtocolVersion};
use model_tests::{Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network};

const BAD: Faults = Faults {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(10),
    loss: 0.3,
    duplicate: 0.1,
    reorder: 0.2,
    reorder_by: Duration::from_millis(30),
    mtu: usize::MAX,
};

/// Milliseconds until both ends were connected, or `None` if the deadline of one minute came first.
fn connect(setup: &Setup, faults: Faults) -> Option<u128> {
    let mut pair = Pair::on(setup, Network::new(setup.seed, faults));
    let start = pair.ends.now();
    let connected = pair.run_until(Duration::from_secs(120), |pair| pair.ends.connected());
    if !connected {
        let reason = Side::BOTH.into_iter().filter_map(|side| pair.ends.end(side)?.closed()).next();
        assert_eq!(reason, Some(CloseReason::Failed(Error::HandshakeTimeout)), "{}", pair.diagram());
    }
    connected.then(|| pair.ends.now().since(start).as_millis())
}

#[test]
fn bad_links() {
    println!("milliseconds to connect: median, 9 in 10, worst; how many of 1000 met the deadline");
    for (mtu, loss) in [(1232, 0.0), (1232, 0.1), (1232, 0.3), (228, 0.3), (228, 0.5), (60, 0.3)] {
        let suite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;
        let setup = Recipe { suites: vec![suite], ..Recipe::new(ideal_crypto::PROVIDER) }.setup();
        let mut times: Vec<u128> = (0..1000)
            .filter_map(|seed| {
                let setup = Setup { seed, room: [mtu; 2], ..setup.clone() };
                connect(&setup, Faults { loss, ..BAD })
            })
            .collect();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        println!(
            "datagrams of {mtu:4}, loss {loss}: {:5} {:6} {:6}   {:4}",
            at(50),
            at(90),
            at(100),
            times.len()
        );
    }
}

/// S19: a run is what its seed makes it, to the last byte and microsecond.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let of_both = |seed| {
        let recipe = Recipe {
            suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            versions: [
                vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2],
                vec![[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2][seed as usize % 2]],
            ],
            ..Recipe::new(ideal_crypto::PROVIDER)
        };
        Setup { seed, room: [228; 2], ..recipe.setup() }
    };
    let run = |seed| {
        let setup = of_both(seed);
        let mut pair = Pair::on(&setup, Network::new(setup.seed, BAD));
        pair.run_for(Duration::from_secs(120));
        let sent: Vec<_> =
            pair.network.sent().iter().map(|sent| (sent.at, sent.from, sent.bytes.clone())).collect();
        sent
    };
    for seed in 0..100 {
        assert!(run(seed) == run(seed), "S19: two runs of seed {seed} differ");
    }
    assert!(run(0) != run(2), "another seed, another run");
}
