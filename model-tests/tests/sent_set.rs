//! Real ends over a network that loses, doubles, reorders and replays without bound: every state, and none without a way out.
//!
//! Each end's timers run out at most once. The example `sent_set` takes longer; what came of it is in `model-tests/README.md`.

use std::collections::BTreeSet;

use model_tests::{
    sent_set::{With, World},
    tell,
};
use reference_model::mode::Mode;

/// Modes of clients and servers that can talk to each other, the rest of the configuration, and how many bytes a datagram of
/// each may have for flights of at most three.
const WORLDS: &[([&str; 2], &[With], [usize; 2])] = &[
    (["client-12-psk", "server-12-psk"], &[], [50, 60]),
    (["client-12-psk", "server-12-psk-cookie"], &[], [50, 60]),
    (["client-12-psk", "server-12-psk-deferred"], &[], [50, 60]),
    (["client-12-ecdhe", "server-12-ecdhe"], &[], [70, 80]),
    (["client-12-ecdhe", "server-12-ecdhe-cookie"], &[], [70, 80]),
    (["client-12-ecdhe", "server-both"], &[], [70, 80]),
    (["client-12-ecdhe", "server-both-cookie"], &[], [70, 80]),
    (["client-13-ke", "server-13-ke"], &[With::LongName], [100, 70]),
    (["client-13-ke", "server-13-ke-cookie"], &[With::LongName], [120, 70]),
    (["client-13-ke", "server-13-ke"], &[With::LongName, With::Sha384], [100, 77]),
    (["client-13-ke", "server-13-ke-cookie"], &[With::LongName, With::Sha384], [120, 77]),
    (["client-13-dhe", "server-13-dhe"], &[], [100, 80]),
    (["client-13-dhe", "server-13-dhe"], &[With::Retry], [120, 80]),
    (["client-13-dhe", "server-13-dhe-cookie"], &[], [120, 80]),
    (["client-13-dhe", "server-13-dhe-cookie"], &[With::Retry], [120, 80]),
    (["client-13-dhe", "server-13-dhe-cookie"], &[With::Sha384], [140, 110]),
    (["client-13-dhe", "server-13-dhe-deferred"], &[], [100, 80]),
    (["client-both", "server-both"], &[], [100, 80]),
    (["client-both", "server-both"], &[With::Retry], [120, 80]),
    (["client-both", "server-both-cookie"], &[], [120, 80]),
    (["client-both", "server-both-cookie"], &[With::Retry], [120, 80]),
    (["client-both", "server-12-ecdhe"], &[], [100, 80]),
    (["client-both", "server-12-ecdhe-cookie"], &[], [100, 80]),
    (["client-both", "server-13-dhe"], &[With::Retry], [120, 80]),
    (["client-13-dhe", "server-both-cookie"], &[], [120, 80]),
    (["client-12-psk", "server-12-psk-cookie-deferred"], &[], [50, 60]),
    (["client-12-ecdhe", "server-12-ecdhe-deferred"], &[], [70, 80]),
    (["client-12-ecdhe", "server-12-ecdhe-cookie-deferred"], &[], [70, 80]),
    (["client-13-ke", "server-13-ke-deferred"], &[With::LongName], [100, 70]),
    (["client-13-ke", "server-13-ke-cookie-deferred"], &[With::LongName], [120, 70]),
    (["client-13-dhe", "server-13-dhe-cookie-deferred"], &[], [120, 80]),
    (["client-both-psk", "server-both-psk"], &[With::LongName], [110, 70]),
    (["client-both-psk", "server-both-psk-cookie"], &[With::LongName], [120, 70]),
    (["client-both-psk", "server-both-psk-deferred"], &[With::LongName], [110, 70]),
    (["client-both-psk", "server-both-psk-cookie-deferred"], &[With::LongName], [120, 70]),
    (["client-12-psk", "server-both-psk-cookie"], &[], [50, 60]),
    (["client-both", "server-both-deferred"], &[], [100, 80]),
    (["client-both", "server-both-cookie-deferred"], &[], [120, 80]),
];

/// Room for any flight in one datagram.
const LARGE: usize = 1232;

/// Explores each world with so much room, and asserts how long the longest flights are.
fn explore(room: impl Fn([usize; 2]) -> [usize; 2], flights: [core::ops::RangeInclusive<usize>; 2]) {
    let mut transitions = 0;
    for &(modes, with, small) in WORLDS {
        let world = World { modes, with, room: room(small) };
        let explored = world.explore([1, 1]);
        tell!("{world}: {explored:?}");
        transitions += explored.transitions;
        assert!(explored.connected > 0, "{world}");
        let as_expected =
            core::iter::zip(&flights, explored.flights).all(|(range, flight)| range.contains(&flight));
        assert!(as_expected, "{world}: the longest flights have {:?} datagrams", explored.flights);
    }
    tell!("{transitions} choices in all");
}

#[test]
fn every_mode_is_explored() {
    let explored: BTreeSet<_> =
        WORLDS.iter().flat_map(|(modes, ..)| modes).map(|mode| (*mode).to_owned()).collect();
    assert_eq!(explored, Mode::all().iter().map(ToString::to_string).collect());
}

#[test]
fn whole_flights() {
    // After two timeouts hellos are cut smaller.
    explore(|_| [LARGE; 2], [1..=2, 1..=1]);
}

#[test]
fn flights_of_three() {
    explore(|[_, server]| [LARGE, server], [1..=2, 3..=3]);
}

/// The listener has to put hellos together, and the client has to send again what is missing.
#[test]
fn hellos_of_three() {
    explore(|small| small, [3..=3, 3..=3]);
}

/// A HelloRetryRequest by cookie, by group, or by both, and then a flight of five: three datagrams of ServerHello, two under keys.
#[test]
fn flights_of_five() {
    let [cookie, group] = [["client-13-dhe", "server-13-dhe-cookie"], ["client-13-dhe", "server-13-dhe"]];
    for (modes, with) in [(cookie, &[][..]), (group, &[With::Retry]), (cookie, &[With::Retry])] {
        let world = World { modes, with, room: [LARGE, 60] };
        let explored = world.explore([1, 1]);
        tell!("{world}: {explored:?}");
        assert!(explored.connected > 0, "{world}");
        assert_eq!(explored.flights[1], 5, "{world}");
    }
}
