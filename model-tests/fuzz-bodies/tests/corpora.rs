//! Every input that a fuzzer has found worth keeping, once more, without a fuzzer.

use std::{collections::BTreeMap, fs, path::PathBuf};

use dtls_core::Rng as _;
use fuzz_bodies::{Met, Ran};
use simulated_network::Prng;

fn replay(target: &str, mut body: impl FnMut(&[u8])) -> usize {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in &paths {
        // A failure shows which input it was.
        println!("{}", path.display());
        let input = fs::read(path).unwrap();
        body(&input);
        // What a datagram is cut down to is an input too.
        for cut in (0..input.len()).step_by(input.len() / 8 + 1) {
            body(&input[..cut]);
        }
    }
    paths.len()
}

#[test]
fn record_parse() {
    assert!(replay("record_parse", fuzz_bodies::record_parse) >= 50);
}

#[test]
fn server_unauth() {
    let (mut cookies, mut accepted, mut refused) = (0, 0, 0);
    let inputs = replay("server_unauth", |input| {
        let reached = fuzz_bodies::server_unauth(input);
        cookies += reached.cookies;
        accepted += reached.accepted;
        refused += reached.refused_finished;
    });
    assert!(inputs >= 30);
    // A corpus that no longer gets past the cookie, or to the keys, is no use.
    assert!(cookies >= 100 && accepted >= 100 && refused >= 20, "{cookies} {accepted} {refused}");
}

#[test]
fn dolev_yao() {
    let mut met = Vec::new();
    let inputs = replay("dolev_yao", |input| met.push(fuzz_bodies::dolev_yao(input)));
    let of = |is: fn(&Met) -> bool| met.iter().filter(|met| is(met)).count();
    let (connected, delivered, failed) = (of(|m| m.connected), of(|m| m.delivered), of(|m| m.failed));
    println!("{inputs} inputs: {connected} connected, {delivered} delivered, {failed} failed");
    // A corpus that no longer gets through the handshake is no use.
    assert!(inputs >= 100 && connected >= 100 && delivered >= 40 && failed >= 40);
}

#[test]
fn network_attacker() {
    let mut ran = Vec::new();
    let inputs = replay("network_attacker", |input| ran.push(fuzz_bodies::network_attacker(input)));
    let of = |is: fn(&Ran) -> bool| ran.iter().filter(|ran| is(ran)).count();
    println!("{inputs} inputs: {} connected, {} delivered", of(|ran| ran.connected), of(|ran| ran.delivered));
    assert!(inputs >= 50 && of(|ran| ran.connected) >= 100 && of(|ran| ran.delivered) >= 40);
}

/// So many inputs of no meaning.
fn at_random(seed: u64, count: usize, mut body: impl FnMut(&[u8])) {
    let mut rng = Prng::new(seed);
    for _ in 0..count {
        let mut input = vec![0; 1 + rng.below(300) as usize];
        rng.try_fill(&mut input).unwrap();
        body(&input);
    }
}

/// Bytes of no meaning reach every kind of handshake and every attack.
#[test]
fn network_attacker_at_random() {
    let mut ran = BTreeMap::new();
    at_random(6, 5_000, |input| *ran.entry(fuzz_bodies::network_attacker(input)).or_insert(0) += 1);
    let of = |is: fn(&Ran) -> bool| ran.iter().filter(|(ran, _)| is(ran)).map(|(_, n)| n).sum::<usize>();
    let attacks: [fn(&Ran) -> bool; 6] =
        [|r| r.connected, |r| r.delivered, |r| r.spliced, |r| r.keyed, |r| r.leaked, |r| r.moved];
    println!("{} ways to end; {:?}", ran.len(), attacks.map(of));
    assert!(attacks.iter().all(|attack| of(*attack) > 50));
}

/// Bytes of no meaning, and how far they get.
#[test]
fn dolev_yao_at_random() {
    let mut met = BTreeMap::new();
    at_random(5, 20_000, |input| *met.entry(fuzz_bodies::dolev_yao(input)).or_insert(0) += 1);
    let of = |is: fn(&Met) -> bool| met.keys().filter(|met| is(met)).count();
    println!("{} ways to end; {} connected", met.len(), of(|met| met.connected));
    println!("{} connected as another, {} at two addresses", of(|met| met.as_other), of(|met| met.moved));
    assert!(of(|met| met.connected && met.delivered) > 20);
    assert!(of(|met| met.as_other) > 0 && of(|met| met.moved) > 0);
}
