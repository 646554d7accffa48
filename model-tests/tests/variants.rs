//! Every kind of handshake there is, with each pair of first transmissions lost, printed as a table.

use core::time::Duration;

use dtls_core::{AckPolicy, Limits, ListenerLimits, NamedGroup, PskMode, all_suites, crypto::Provider};
use model_tests::{KEY, Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network, Plan};

/// One kind of handshake, and its name.
fn variants(provider: Provider) -> Vec<(String, Setup)> {
    let mut variants = Vec::new();
    for suite in all_suites() {
        for (room, cookies, deferred) in [
            (1232, true, false),
            (228, true, false),
            (60, true, false),
            (228, false, false),
            (228, true, true),
        ] {
            let mut listener = ListenerLimits::default();
            listener.cookies = cookies;
            let recipe = Recipe { suites: vec![suite], deferred, listener, ..Recipe::new(provider) };
            let psk = deferred.then(|| KEY.to_vec());
            let name = format!(
                "{room:5} bytes{}{} {suite:?}",
                if cookies { ", cookie" } else { ",       " },
                if deferred { ", deferred PSK" } else { "               " },
            );
            variants.push((name, Setup { room: [room; 2], psk, ..recipe.setup() }));
        }
    }
    variants.extend(variants13(provider));
    variants
}

/// What DTLS 1.3 can do besides.
fn variants13(provider: Provider) -> Vec<(String, Setup)> {
    let both = || vec![PskMode::PskDhe, PskMode::PskOnly];
    let (x25519, p256) = (NamedGroup::X25519, NamedGroup::SECP256R1);
    let plain = |mode| Recipe::new13(provider, mode);
    let recipes = [
        ("psk_ke", plain(PskMode::PskOnly)),
        ("psk_ke, importer", Recipe { importer: Some(b"context".to_vec()), ..plain(PskMode::PskOnly) }),
        ("psk_dhe_ke", plain(PskMode::PskDhe)),
        ("psk_dhe_ke, P-256", Recipe { groups: [vec![p256], vec![p256]], ..plain(PskMode::PskDhe) }),
        (
            "psk_dhe_ke, another group",
            Recipe { groups: [vec![p256, x25519], vec![x25519]], ..plain(PskMode::PskDhe) },
        ),
        ("both modes", Recipe { modes: both(), ..plain(PskMode::PskDhe) }),
        (
            "both modes and versions, importer, both hashes",
            Recipe {
                suites: all_suites().collect(),
                modes: both(),
                importer: Some(Vec::new()),
                ..plain(PskMode::PskDhe)
            },
        ),
        ("two-byte numbers, ACKs late", {
            let mut limits = Limits::default();
            (limits.wide_record_numbers, limits.ack_policy) = (true, AckPolicy::Delayed);
            Recipe { limits, ..plain(PskMode::PskOnly) }
        }),
    ];
    let mut variants = Vec::new();
    for (name, recipe) in recipes {
        for (room, cookies) in [(1232, true), (228, false), (100, true), (100, false)] {
            let mut listener = ListenerLimits::default();
            listener.cookies = cookies;
            let cookie = if cookies { ", cookie" } else { "        " };
            let setup = Recipe { listener, ..recipe.clone() }.setup();
            variants.push((format!("{room:5} bytes{cookie} 1.3 {name}"), Setup { room: [room; 2], ..setup }));
        }
    }
    variants
}

/// The number of datagrams and milliseconds until both ends are connected, with these first transmissions lost: bit k
/// of each is datagram k of that side.
fn connect(setup: &Setup, lost: [u64; 2]) -> (usize, u128) {
    let mut network = Network::new(setup.seed, Faults::default());
    for (side, lose_first) in Side::BOTH.into_iter().zip(lost) {
        network.set_plan(side, Plan { lose_first, ..Plan::default() });
    }
    let mut pair = Pair::on(setup, network);
    let start = pair.ends.now();
    pair.connect();
    (pair.network.sent().len(), pair.ends.now().since(start).as_millis())
}

/// First transmissions of either side when nothing is lost.
fn first_transmissions(setup: &Setup) -> [usize; 2] {
    let mut pair = Pair::new(setup, Faults::default());
    pair.connect();
    pair.run_for(Duration::from_millis(100));
    let sent = pair.network.sent();
    Side::BOTH.map(|side| sent.iter().filter(|sent| sent.from == side && sent.first.is_some()).count())
}

#[test]
fn every_variant_survives_any_two_losses() {
    println!("datagrams and ms without loss; runs, and ms at worst, with any one or two lost");
    for (name, setup) in variants(ideal_crypto::PROVIDER) {
        let (datagrams, millis) = connect(&setup, [0, 0]);
        let [client, server] = first_transmissions(&setup);
        let (mut runs, mut worst) = (0, 0);
        for i in 0..client + server {
            for j in 0..=i {
                let lost = 1_u64 << i | 1 << j;
                worst = worst.max(connect(&setup, [lost & ((1 << client) - 1), lost >> client]).1);
                runs += 1;
            }
        }
        println!("{name:80} {datagrams:3} {millis:5} {runs:5} {worst:6}");
    }
}

#[test]
fn every_variant_connects_with_real_cryptography() {
    for (name, setup) in variants(dtls_crypto::PROVIDER) {
        let (datagrams, millis) = connect(&setup, [0, 0]);
        println!("{name:80} {datagrams:3} {millis:5}");
    }
}
