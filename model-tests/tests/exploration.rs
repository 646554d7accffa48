//! Every run with few faults, on the real code: all choices of what arrives next, is lost, is doubled, or times out.

use dtls_core::{CipherSuite, ListenerLimits};
use model_tests::{
    Recipe, Script, Side,
    explore::{Budget, explore},
    schedule::Schedule,
};

/// From every state the handshake can still succeed when the network behaves from then on, unless an end has given up.
fn can_still_connect(script: &Script, path: &Schedule) {
    let mut rest = script.clone();
    rest.finish(200);
    assert!(rest.ends.connected(), "stuck after\n{path}\n{rest:?}");
    let agreed = Side::BOTH.map(|side| rest.ends.end(side).unwrap().connection().negotiated().cloned());
    assert_eq!(agreed[0], agreed[1]);
}

fn run(suite: CipherSuite, room: usize, budget: Budget) {
    // A small pool, because each state has its own.
    let mut listener = ListenerLimits::default();
    (listener.hello_slots, listener.hello_bytes) = (1, 256);
    let mut setup = Recipe { suites: vec![suite], listener, ..Recipe::new(ideal_crypto::PROVIDER) }.setup();
    setup.room = [room; 2];
    let explored = explore(&Script::new(&setup), budget, can_still_connect);
    println!(
        "{suite:?}, {room} bytes, {budget:?}: {} states, {} transitions",
        explored.states, explored.transitions
    );
    for side in Side::BOTH {
        assert!(explored.kinds.contains(&(side, "established")), "{:?}", explored.kinds);
    }
}

#[test]
fn whole_flights() {
    let budget = Budget { drops: 2, duplicates: 1, timers: 2 };
    run(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, 1232, budget);
}

#[test]
fn flights_of_several_datagrams() {
    for (drops, duplicates, timers) in [(0, 2, 0), (1, 0, 1), (0, 1, 1)] {
        run(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, 80, Budget { drops, duplicates, timers });
    }
}
