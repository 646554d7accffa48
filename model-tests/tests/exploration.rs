//! Every run with few faults, on the real code: all choices of what arrives next, is lost, is doubled, or times out.

use dtls_core::{CipherSuite, NamedGroup, PskMode};
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
    explore_all(&Recipe { suites: vec![suite], ..Recipe::new(ideal_crypto::PROVIDER) }, room, budget);
}

fn explore_all(recipe: &Recipe, room: usize, budget: Budget) {
    // A small pool, because each state has its own.
    let mut listener = recipe.listener.clone();
    (listener.hello_slots, listener.hello_bytes) = (1, 256);
    let suite = recipe.suites[0];
    let mut setup = Recipe { listener, ..recipe.clone() }.setup();
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

/// With a HelloRetryRequest for cookie and group, and without any.
#[test]
fn whole_flights_of_dtls13() {
    let recipe = Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskDhe);
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    explore_all(&Recipe { groups, ..recipe.clone() }, 1232, Budget { drops: 2, duplicates: 1, timers: 2 });
    let mut direct = recipe;
    direct.listener.cookies = false;
    explore_all(&direct, 1232, Budget { drops: 2, duplicates: 1, timers: 2 });
}

#[test]
fn flights_of_several_datagrams_of_dtls13() {
    let mut recipe = Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly);
    for (cookies, drops, duplicates, timers) in [(true, 1, 0, 1), (false, 2, 0, 1), (false, 1, 1, 1)] {
        recipe.listener.cookies = cookies;
        explore_all(&recipe, 110, Budget { drops, duplicates, timers });
    }
}
