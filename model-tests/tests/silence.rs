//! Peers that say nothing, or nothing more: when flights go out again, when an end gives up, and what it keeps.

use core::time::Duration;

use dtls_core::{CloseReason, Error, Limits, PskMode};
use ideal_crypto::PROVIDER;
use model_tests::{Pair, Recipe, Setup, Side, schedule::Forgery};
use simulated_network::{Faults, Network, Plan};

const DEAF: Faults = Faults {
    loss: 1.0,
    delay: Duration::from_millis(10),
    jitter: Duration::ZERO,
    duplicate: 0.0,
    reorder: 0.0,
    reorder_by: Duration::ZERO,
    mtu: usize::MAX,
};

/// Seconds after the start at which `from` sent something.
fn sent_at(pair: &Pair, from: Side) -> Vec<f64> {
    let sent = pair.network.sent().iter().filter(|sent| sent.from == from);
    sent.map(|sent| (sent.at.as_micros() - 1_000_000) as f64 / 1e6).collect()
}

fn with_limits(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut limits = Limits::default();
    change(&mut limits);
    Recipe { limits, ..Recipe::new(PROVIDER) }.setup()
}

fn closed(pair: &Pair, side: Side) -> Option<CloseReason> {
    pair.ends.end(side).and_then(model_tests::End::closed)
}

#[test]
fn an_unanswered_hello_goes_out_with_doubling_distance_until_the_deadline() {
    let mut pair = Pair::new(&with_limits(|_| {}), DEAF);
    pair.run_for(Duration::from_millis(59_999));
    assert_eq!(closed(&pair, Side::Client), None);
    pair.run_for(Duration::from_millis(1));
    assert_eq!(closed(&pair, Side::Client), Some(CloseReason::Failed(Error::HandshakeTimeout)));
    assert_eq!(pair.ends.next_timer(), None, "nothing is left to wait for");
    assert_eq!(sent_at(&pair, Side::Client), [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]);
}

#[test]
fn the_timeout_is_capped_and_retransmissions_are_counted() {
    let setup = with_limits(|limits| {
        limits.initial_rto = Duration::from_secs(9); // RFC 7925 §11
        limits.max_rto = Duration::from_secs(20);
        limits.max_retransmissions = 4;
        limits.handshake_timeout = Duration::from_secs(1000);
    });
    let mut pair = Pair::new(&setup, DEAF);
    pair.run_for(Duration::from_secs(999));
    assert_eq!(sent_at(&pair, Side::Client), [0.0, 9.0, 27.0, 47.0, 67.0]);
    assert_eq!(closed(&pair, Side::Client), Some(CloseReason::Failed(Error::NoAnswer)));
}

#[test]
fn a_server_whose_client_vanished_gives_up() {
    let mut pair = Pair::new(&with_limits(|_| {}), Faults::default());
    let arrived = pair.run_until(Duration::from_secs(1), |pair| pair.ends.end(Side::Server).is_some());
    assert!(arrived);
    pair.network.set_faults(Side::Client, DEAF);
    pair.run_for(Duration::from_secs(61));
    assert_eq!(closed(&pair, Side::Server), Some(CloseReason::Failed(Error::HandshakeTimeout)));
    let flights = pair.ends.end(Side::Server).unwrap().connection().stats().timeouts;
    assert_eq!(flights, 5, "after 1, 2, 4, 8 and 16 more seconds; the deadline comes before the next");
}

/// The server has spoken last and answers a client that missed it, without a timer that sends; then it forgets.
#[test]
fn the_last_flight_is_kept_for_a_client_that_missed_it_and_no_longer() {
    let setup = with_limits(|limits| limits.handshake_timeout = Duration::from_secs(1000));
    let mut pair = Pair::on(&setup, Network::new(0, Faults::default()));
    assert!(pair.run_until(Duration::from_secs(1), |pair| {
        pair.ends.end(Side::Server).is_some_and(model_tests::End::connected)
    }));
    let mut late = pair.clone();
    // Lost on the way, several times.
    pair.network.clear();
    pair.network.set_faults(Side::Server, DEAF);
    pair.run_for(Duration::from_secs(20));
    assert!(!pair.ends.connected());
    pair.network.set_faults(Side::Server, Faults::default());
    pair.connect();
    let server = pair.ends.end(Side::Server).unwrap().connection();
    assert!(server.stats().repeats >= 4, "{:?}", server.stats());
    assert_eq!(server.stats().timeouts, 0, "the last flight has no timer of its own");

    late.run_for(Duration::from_secs(239));
    assert!(late.ends.end(Side::Server).unwrap().connection().holds_handshake());
    late.run_for(Duration::from_secs(2));
    assert!(!late.ends.end(Side::Server).unwrap().connection().holds_handshake());
    assert_eq!(late.ends.next_timer(), None, "an idle pair has no timers");
}

/// Whatever the server sent last is lost, and its client asks for it once, just before two times the maximum segment lifetime
/// are over.
///
/// 6347-4.2.4-final-1, 9147-5.8.1-fin-1
#[test]
fn the_last_flight_is_answered_for_as_long_as_it_must_be() {
    for mut recipe in [Recipe::new(PROVIDER), Recipe::new13(PROVIDER, PskMode::PskOnly)] {
        recipe.limits.initial_rto = Duration::from_secs(239);
        recipe.limits.max_rto = Duration::from_secs(239);
        recipe.limits.handshake_timeout = Duration::from_secs(1000);
        let mut pair = Pair::on(&recipe.setup(), Network::new(0, Faults::default()));
        assert!(pair.run_until(Duration::from_secs(1), |pair| {
            pair.ends.end(Side::Server).is_some_and(model_tests::End::connected)
        }));
        pair.network.clear();
        let waits = |pair: &Pair| pair.ends.end(Side::Client).unwrap().connection().poll_timeout().is_some();
        pair.run_for(Duration::from_millis(238_500));
        assert!(waits(&pair));
        pair.run_for(Duration::from_secs(1));
        assert!(pair.ends.connected() && !waits(&pair), "{}", pair.diagram());
    }
}

/// A server that closes at once does not leave a client behind that missed the end of the handshake.
#[test]
fn the_last_flight_is_answered_for_after_closing() {
    for recipe in [Recipe::new(PROVIDER), Recipe::new13(PROVIDER, PskMode::PskOnly)] {
        let mut pair = Pair::on(&recipe.setup(), Network::new(0, Faults::default()));
        assert!(pair.run_until(Duration::from_secs(1), |pair| {
            pair.ends.end(Side::Server).is_some_and(model_tests::End::connected)
        }));
        pair.ends.close(Side::Server);
        // What the server has sent so far is lost.
        pair.network.clear();
        pair.run_for(Duration::from_secs(10));
        let client = pair.ends.end(Side::Client).unwrap();
        assert!(client.connected(), "{:?}", client.closed());
        assert_eq!(client.closed(), Some(CloseReason::CloseNotify));
        let sent = sent_at(&pair, Side::Server).len();
        pair.run_for(Duration::from_secs(240));
        assert_eq!(sent_at(&pair, Side::Server).len(), sent, "nobody has asked for more");
        assert!(pair.ends.end(Side::Server).unwrap().connection().is_drained());
    }
}

/// A client that closed as soon as it could, and whose Finished is lost.
fn closed_with_finished_lost() -> Pair {
    let setup = Recipe::new13(PROVIDER, PskMode::PskOnly).setup();
    let mut pair = Pair::on(&setup, Network::new(0, Faults::default()));
    assert!(pair.run_until(Duration::from_secs(1), |pair| {
        pair.ends.end(Side::Client).is_some_and(model_tests::End::connected)
    }));
    pair.close(Side::Client);
    pair.network.clear();
    pair
}

/// A client that closes at once does not leave a server behind that missed its Finished: the flight goes out until the server
/// answers, and close_notify with it.
#[test]
fn the_unacknowledged_finished_goes_out_after_closing() {
    for lost in [1, 3] {
        let mut pair = closed_with_finished_lost();
        // And again, with the timer.
        pair.network.set_faults(Side::Client, DEAF);
        pair.run_for(Duration::from_secs(lost));
        pair.network.set_faults(Side::Client, Faults::default());
        pair.run_for(Duration::from_secs(20));
        let server = pair.ends.end(Side::Server).unwrap();
        assert!(server.connected(), "{}", pair.diagram());
        assert_eq!(server.closed(), Some(CloseReason::CloseNotify), "{}", pair.diagram());
        assert_eq!(closed(&pair, Side::Client), Some(CloseReason::Local));
        assert!(pair.ends.end(Side::Client).unwrap().connection().is_drained(), "{}", pair.diagram());
        assert_eq!(pair.ends.next_timer(), None, "nothing is left to wait for");
    }
}

/// Nor does it wait for ever for a server that is gone.
#[test]
fn after_closing_an_unacknowledged_finished_is_given_up() {
    let mut pair = closed_with_finished_lost();
    pair.network.set_faults(Side::Client, DEAF);
    pair.network.set_faults(Side::Server, DEAF);
    pair.run_for(Duration::from_secs(61));
    assert_eq!(closed(&pair, Side::Client), Some(CloseReason::Local), "no other reason takes its place");
    assert!(pair.ends.end(Side::Client).unwrap().connection().is_drained(), "{}", pair.diagram());
}

/// A forged acknowledgement in the clear must not stop a client from sending its hello again.
#[test]
fn an_unprotected_acknowledgement_does_not_end_the_wait() {
    let setup = Recipe::new13(PROVIDER, PskMode::PskDhe).setup();
    let mut network = Network::new(0, Faults::default());
    // The hello with the cookie, in the client's second datagram.
    network.set_plan(Side::Client, Plan { lose_first: 1 << 1, ..Plan::default() });
    let mut pair = Pair::on(&setup, network);
    assert!(pair.run_until(Duration::from_secs(1), |pair| sent_at(pair, Side::Client).len() == 2));
    for seq in 0..4 {
        let body = [&[0, 16][..], &[0; 15], &[seq]].concat();
        let ack = Forgery { to: Side::Client, content_type: 26, epoch: 0, sequence: 77, body };
        pair.inject(Side::Client, &ack.datagram());
    }
    pair.connect();
}

#[test]
fn an_address_without_proof_gets_no_part_of_a_server_hello() {
    // What is left over after whole flights is of every size.
    for identity in 1..200 {
        let mut recipe = Recipe::new13(PROVIDER, PskMode::PskDhe);
        recipe.identity = vec![b'x'; identity];
        recipe.listener.cookies = false;
        let mut pair = Pair::new(&recipe.setup(), Faults::default());
        pair.network.set_faults(Side::Server, DEAF);
        assert!(pair.run_until(Duration::from_secs(1), |pair| pair.ends.end(Side::Server).is_some()));
        pair.network.set_faults(Side::Client, DEAF);
        pair.run_for(Duration::from_secs(59));
        let sent = pair.network.sent().iter().filter(|sent| sent.from == Side::Server);
        let hellos: Vec<&[u8]> = sent.map(|sent| &sent.bytes[13..25]).collect();
        // A client takes any part for an answer to its hello, falls silent, and cannot acknowledge it (RFC 9147 §7).
        assert!(hellos.iter().all(|hello| hello[0] == 2 && hello[1..4] == hello[9..12]), "{hellos:02x?}");
    }
}

#[test]
fn a_last_flight_that_comes_again_is_acknowledged_at_once() {
    let setup = Recipe::new13(PROVIDER, PskMode::PskDhe).setup();
    let mut network = Network::new(setup.seed, Faults::default());
    // HelloRetryRequest, flight, ACK.
    network.set_plan(Side::Server, Plan { lose_first: 1 << 2, ..Plan::default() });
    let mut pair = Pair::on(&setup, network);
    pair.run_for(Duration::from_secs(10));
    let [client, server] = Side::BOTH.map(|side| sent_at(&pair, side));
    assert_eq!((client.len(), server.len()), (4, 4), "two hellos, Finished twice; and two ACKs");
    assert!(server[3] - client[3] < 0.1, "{client:?} {server:?}");
}
