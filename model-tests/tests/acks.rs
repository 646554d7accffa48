//! What acknowledgements of DTLS 1.3 do, and what happens when they are lost (RFC 9147 §7).

use core::time::Duration;

use dtls_core::{AckPolicy, CloseReason, Error, Limits, PskMode};
use model_tests::{Pair, Recipe, Setup, Side};
use simulated_network::{Fate, Faults, Network, Plan, Sent};

/// Flights of `[3, 1, 4, 4, 1, 1]` datagrams, the second and the last from the server.
fn setup(policy: AckPolicy) -> Setup {
    let mut limits = Limits::default();
    limits.ack_policy = policy;
    let recipe = Recipe { limits, ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly) };
    Setup { room: [67, 67], ..recipe.setup() }
}

/// The first of the server's flight, and its acknowledgement, among what the server sends for the first time.
const SERVER_FLIGHT: usize = 1;
const SERVER_ACK: usize = 5;
/// What the client sends for the first time after its hellos.
const CLIENT_FINISHED: usize = 7;

fn start(policy: AckPolicy, lost: [u64; 2]) -> Pair {
    let mut network = Network::new(0, Faults::default());
    for (side, lose_first) in Side::BOTH.into_iter().zip(lost) {
        network.set_plan(side, Plan { lose_first, ..Plan::default() });
    }
    Pair::on(&setup(policy), network)
}

fn from(pair: &Pair, side: Side) -> impl Iterator<Item = &Sent> {
    pair.network.sent().iter().filter(move |sent| sent.from == side)
}

fn client_is_idle(pair: &Pair) -> bool {
    pair.ends.connected() && !pair.ends.end(Side::Client).unwrap().connection().holds_handshake()
}

#[test]
fn without_losses_there_is_one() {
    let mut pair = start(AckPolicy::Prompt, [0, 0]);
    assert!(pair.run_until(Duration::from_secs(1), client_is_idle));
    pair.run_for(Duration::from_secs(300));
    assert_eq!(from(&pair, Side::Client).count(), CLIENT_FINISHED + 1, "{}", pair.diagram());
    assert_eq!(from(&pair, Side::Server).count(), SERVER_ACK + 1, "{}", pair.diagram());
    assert_eq!(pair.ends.next_timer(), None, "an idle pair has no timers");
}

/// Each lost acknowledgement costs the client one more Finished, and nobody anything else.
#[test]
fn the_last_acknowledgement_is_lost_again_and_again() {
    for lost in 1..=8 {
        let acks = (1 << lost) - 1;
        let mut pair = start(AckPolicy::Prompt, [0, acks << SERVER_ACK]);
        pair.connect();
        // Nobody has to wait for the acknowledgement.
        pair.send(Side::Client, b"reading");
        assert!(pair.run_until(Duration::from_secs(1), |pair| {
            !pair.ends.end(Side::Server).unwrap().delivered().is_empty()
        }));
        let start = pair.ends.now();
        assert!(pair.run_until(Duration::from_secs(600), client_is_idle), "{}", pair.diagram());
        let planned = from(&pair, Side::Server).filter(|sent| sent.fate == Fate::Planned).count();
        let repeated = from(&pair, Side::Client).filter(|sent| sent.first.is_none()).count();
        assert_eq!((planned, repeated), (lost, lost), "{}", pair.diagram());
        // 1, 2, 4 … seconds, up to a minute; and a round trip.
        let waited: u64 = (0..lost).map(|expiry| 60.min(1 << expiry)).sum();
        let millis = pair.ends.now().since(start).as_millis() as u64;
        assert!((waited * 1000 - 100..=waited * 1000 + 100).contains(&millis), "{lost} {millis}");
        assert_eq!(pair.ends.end(Side::Server).unwrap().connection().stats().timeouts, 0);
    }
}

/// A client that is never acknowledged gives up; the server had what it needed.
#[test]
fn no_acknowledgement_ever() {
    let mut pair = start(AckPolicy::Prompt, [0, !0 << SERVER_ACK]);
    pair.connect();
    pair.run_for(Duration::from_secs(3600));
    assert_eq!(pair.ends.end(Side::Client).unwrap().closed(), Some(CloseReason::Failed(Error::NoAnswer)));
    assert_eq!(pair.ends.end(Side::Server).unwrap().closed(), None);
}

/// Each datagram of the server's flight lost alone: when the ends connect and what is sent again.
fn one_lost(policy: AckPolicy, index: usize) -> (u64, Vec<usize>) {
    let mut pair = start(policy, [0, 1 << (SERVER_FLIGHT + index)]);
    let start = pair.ends.now();
    pair.connect();
    let millis = pair.ends.now().since(start).as_millis() as u64;
    let again = from(&pair, Side::Server).filter(|sent| sent.first.is_none()).map(|sent| sent.bytes.len());
    (millis, again.collect())
}

#[test]
fn what_is_lost_is_sent_again_and_nothing_else() {
    // Nothing lost takes 60 ms.
    println!("policy, lost datagram of the server's flight: ms until connected, datagrams sent again");
    for policy in [AckPolicy::Prompt, AckPolicy::Delayed] {
        for index in 0..4 {
            let (millis, again) = one_lost(policy, index);
            println!("{policy:?} {index}: {millis} ms {again:?}");
            // Not after a timeout, and nothing but what was lost; unless the ServerHello is missing, without which the rest
            // cannot be read.
            let bound = if index < 2 { 1_100 } else { 400 };
            assert!(millis < bound, "{policy:?} {index}: {millis}");
            if index >= 2 {
                assert_eq!(again.len(), 1, "{policy:?} {index}: {again:?}");
            }
        }
    }
}

/// An acknowledgement that is lost on top leaves all to the timer of the server.
#[test]
fn the_acknowledgement_of_a_part_is_lost_as_well() {
    for index in 2..4 {
        for policy in [AckPolicy::Prompt, AckPolicy::Delayed] {
            // The client's next few datagrams after its hellos are acknowledgements of what it has.
            for acks in [1, 0b11, 0b111] {
                let mut pair = start(policy, [acks << CLIENT_FINISHED, 1 << (SERVER_FLIGHT + index)]);
                let begin = pair.ends.now();
                assert!(pair.run_until(Duration::from_secs(60), client_is_idle), "{}", pair.diagram());
                assert!(pair.ends.now().since(begin) < Duration::from_secs(10), "{}", pair.diagram());
            }
        }
    }
}
