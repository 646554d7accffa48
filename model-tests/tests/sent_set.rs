//! Real ends over a network that loses, doubles, reorders and replays without bound: every state, and none without a way out.
//!
//! `SENT_SET_TIMERS=2 cargo test --release -p model-tests --test sent_set -- --nocapture` lets timers run out more often.

use core::time::Duration;

use dtls_core::{CipherSuite, NamedGroup, ProtocolVersion, PskMode};
use ideal_crypto::PROVIDER;
use model_tests::{Recipe, Setup, sent_set, tell};

const FOR_EVER: Duration = Duration::from_secs(10_000_000);

fn timers() -> u8 {
    std::env::var("SENT_SET_TIMERS").ok().and_then(|timers| timers.parse().ok()).unwrap_or(1)
}

fn explore(name: &str, recipe: &Recipe, room: [usize; 2]) {
    let mut recipe = recipe.clone();
    // Hellos are whole. Time goes on with timers alone, and one timeout is like the other.
    recipe.listener.hello_slots = 0;
    recipe.limits.max_rto = recipe.limits.initial_rto;
    recipe.limits.handshake_timeout = FOR_EVER;
    recipe.limits.last_flight_kept = FOR_EVER;
    let setup = Setup { room, ..recipe.setup() };
    let explored = sent_set::explore(&setup, timers());
    tell!("{name}, {room:?} bytes: {explored:?}");
    assert!(explored.connected > 0);
}

fn v12(suite: CipherSuite) -> Recipe {
    Recipe { suites: vec![suite], ..Recipe::new(PROVIDER) }
}

#[test]
fn whole_flights() {
    for suite in [CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256]
    {
        explore("1.2", &v12(suite), [1232; 2]);
    }
    for mode in [PskMode::PskOnly, PskMode::PskDhe] {
        explore("1.3", &Recipe::new13(PROVIDER, mode), [1232; 2]);
    }
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    explore("1.3 group", &Recipe { groups, ..Recipe::new13(PROVIDER, PskMode::PskDhe) }, [1232; 2]);
}

/// Flights of up to three datagrams, as they are first sent. Hellos stay whole: a listener counts every piece that comes, and a
/// client says of every piece of a ServerHello, whenever it comes again, that it has it (RFC 9147 §7.1).
#[test]
fn flights_of_three() {
    explore("1.2", &v12(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8), [100, 60]);
    explore("1.2 ECDHE", &v12(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256), [120, 80]);
    let sha384 = |mode| {
        let suites = vec![CipherSuite::TLS_AES_256_GCM_SHA384];
        Recipe { suites, ..Recipe::new13(PROVIDER, mode) }
    };
    explore("1.3", &sha384(PskMode::PskOnly), [1232, 77]);
    explore("1.3 ECDHE", &sha384(PskMode::PskDhe), [1232, 130]);
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    explore("1.3 group", &Recipe { groups, ..sha384(PskMode::PskDhe) }, [1232, 130]);
    let both = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    let fall_back = Recipe { suites: both, ..Recipe::new(PROVIDER) };
    let versions = [fall_back.versions[0].clone(), vec![ProtocolVersion::DTLS1_2]];
    explore("1.3 and 1.2 with 1.2", &Recipe { versions, ..fall_back }, [1232, 60]);
}
