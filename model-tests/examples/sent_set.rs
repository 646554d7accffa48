//! Explores worlds that are too large for every run: server flights of five datagrams after a HelloRetryRequest of DTLS 1.3, and
//! more timeouts.
//!
//! `cargo run --release -p model-tests --features model --example sent_set [NUMBER]` takes one world, or all; what came of it is
//! recorded in `model-tests/README.md`.

#![allow(clippy::disallowed_methods, reason = "tells how long it takes")]

use std::time::Instant;

use model_tests::sent_set::{With, World};

/// Worlds, how often the timers of client and server run out, and the datagrams of the server's flight.
const WORLDS: &[(World, [u8; 2], usize)] = &[
    // HelloRetryRequest by cookie, psk_ke: two datagrams of ServerHello, three under keys.
    (FIVE_KE, [1, 1], 5),
    // By cookie, by group, by both, psk_dhe_ke: three datagrams of ServerHello, two under keys.
    (FIVE_DHE_COOKIE, [1, 1], 5),
    (FIVE_DHE_GROUP, [1, 1], 5),
    (FIVE_DHE_BOTH, [1, 1], 5),
    // Two timeouts a side.
    (World { room: [LARGE, 77], ..FIVE_KE }, [2, 2], 3),
    (World { modes: ["client-13-ke", "server-13-ke"], room: [LARGE, 77], ..FIVE_KE }, [2, 2], 3),
    (FIVE_DHE_COOKIE, [2, 2], 5),
];

const LARGE: usize = 1232;
const FIVE_KE: World =
    World { modes: ["client-13-ke", "server-13-ke-cookie"], with: &[With::Sha384], room: [LARGE, 60] };
const FIVE_DHE_COOKIE: World =
    World { modes: ["client-13-dhe", "server-13-dhe-cookie"], with: &[], room: [LARGE, 60] };
const FIVE_DHE_GROUP: World =
    World { modes: ["client-13-dhe", "server-13-dhe"], with: &[With::Retry], room: [LARGE, 60] };
const FIVE_DHE_BOTH: World = World { modes: FIVE_DHE_COOKIE.modes, ..FIVE_DHE_GROUP };

fn main() {
    let chosen =
        std::env::args().nth(1).map(|number| number.parse::<usize>().expect("the number of a world"));
    for (number, (world, timers, flight)) in WORLDS.iter().enumerate() {
        if chosen.is_some_and(|chosen| chosen != number) {
            continue;
        }
        println!("{number}: {world}, timers run out {timers:?} times");
        let start = Instant::now();
        let explored = world.explore(*timers);
        println!("   {explored:?}");
        println!(
            "   {:.0} s, {:.0} choices/s",
            start.elapsed().as_secs_f64(),
            explored.transitions as f64 / start.elapsed().as_secs_f64()
        );
        assert!(explored.connected > 0, "the ends never connect");
        assert_eq!(explored.flights[1], *flight, "datagrams of the server's flight");
    }
}
