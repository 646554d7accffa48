//! Every input that a fuzzer has found worth keeping, once more, without a fuzzer.

use std::{fs, path::PathBuf};

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
