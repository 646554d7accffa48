//! How long handshakes of either version take over links that lose datagrams, in virtual time, and what they cost in bytes.
//!
//! Both versions have the same timers, cookies on, the same key exchange and the same links.

use core::time::Duration;

use dtls_core::{CipherSuite, ContentType, PskMode, TraceEvent};
use model_tests::{Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network};

const RUNS: u64 = 1_000;

/// What one handshake took.
struct Outcome {
    /// Until both ends were connected, in milliseconds; `None` if they gave up.
    millis: Option<u64>,
    /// All bytes of both ends until nothing was left to send, and those of them in records of acknowledgements.
    bytes: usize,
    ack_bytes: usize,
}

fn run(setup: &Setup, seed: u64, loss: f64) -> Outcome {
    let faults = Faults { delay: Duration::from_millis(20), loss, ..Faults::default() };
    let setup = Setup { seed, ..setup.clone() };
    let mut pair = Pair::on(&setup, Network::new(seed, faults));
    let start = pair.ends.now();
    let until = start.after(Duration::from_secs(400));
    let (mut millis, mut ack_bytes) = (None, 0);
    while pair.step(until) {
        if millis.is_none() && pair.ends.connected() {
            millis = u64::try_from(pair.ends.now().since(start).as_millis()).ok();
        }
        for event in Side::BOTH.into_iter().flat_map(|side| pair.ends.take_trace(side)) {
            if let TraceEvent::RecordSent { content: ContentType::ACK, len, .. } = event {
                ack_bytes += len;
            }
        }
    }
    let bytes = pair.network.sent().iter().map(|sent| sent.bytes.len()).sum();
    Outcome { millis, bytes, ack_bytes }
}

/// Of the runs over one link.
struct Row {
    median: u64,
    nine_in_ten: u64,
    mean: u64,
    completed: usize,
    bytes: usize,
    ack_bytes: usize,
}

fn row(setup: &Setup, loss: f64) -> Row {
    let outcomes: Vec<Outcome> = (0..RUNS).map(|seed| run(setup, seed, loss)).collect();
    let mut times: Vec<u64> = outcomes.iter().filter_map(|outcome| outcome.millis).collect();
    times.sort_unstable();
    let mean_of = |what: fn(&Outcome) -> usize| outcomes.iter().map(what).sum::<usize>() / outcomes.len();
    Row {
        median: times[times.len() / 2],
        nine_in_ten: times[times.len() * 9 / 10],
        mean: times.iter().sum::<u64>() / times.len() as u64,
        completed: times.len(),
        bytes: mean_of(|outcome| outcome.bytes),
        ack_bytes: mean_of(|outcome| outcome.ack_bytes),
    }
}

#[test]
fn dtls13_with_whole_flights_is_not_slower_than_dtls12() {
    use CipherSuite as S;
    println!("{RUNS} runs each over a link of 20 ms one way, first timeout 1 s, with cookies");
    println!(
        "datagrams   exchange  loss   version    median  9 in 10    mean ms  completed    bytes, of which ACK"
    );
    for room in [1232, 128] {
        for (exchange, suite12, mode) in [
            ("PSK", S::TLS_PSK_WITH_AES_128_CCM, PskMode::PskOnly),
            ("ECDHE_PSK", S::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, PskMode::PskDhe),
        ] {
            for percent in [0, 10, 20, 30] {
                let rows = [suite12, S::TLS_AES_128_CCM_SHA256].map(|suite| {
                    let recipe = Recipe::new13(ideal_crypto::PROVIDER, mode);
                    let setup = Recipe { suites: vec![suite], ..recipe }.setup();
                    row(&Setup { room: [room; 2], ..setup }, f64::from(percent) / 100.0)
                });
                for (version, row) in ["1.2", "1.3"].into_iter().zip(&rows) {
                    println!(
                        "{room:9} {exchange:>10} {percent:4}%       {version} {:9} {:8} {:10} {:10} {:8} {:8}",
                        row.median, row.nine_in_ten, row.mean, row.completed, row.bytes, row.ack_bytes
                    );
                }
                let [old, new] = rows;
                let what = format!("datagrams of {room}, {exchange}, {percent} %");
                // Where datagrams are short the longer hellos of DTLS 1.3 take more of them, and more can be lost.
                if room == 1232 {
                    assert!(new.median <= old.median && new.mean <= old.mean, "{what}");
                    assert!(new.completed >= old.completed, "{what}");
                }
                assert_eq!(old.ack_bytes, 0, "{what}");
                if percent == 0 {
                    assert_eq!((old.completed, new.completed), (RUNS as usize, RUNS as usize), "{what}");
                    // Four round trips and a half against three and a half, until the last end is connected.
                    assert_eq!((old.median, new.median), (120, 100), "{what}");
                    assert_eq!(new.ack_bytes, 2 + 1 + 16 + 2 + 16, "{what}");
                }
            }
        }
    }
}
