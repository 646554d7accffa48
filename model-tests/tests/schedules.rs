//! Schedules worth keeping, replayed: each file of `schedules/` once for each kind of handshake. What a tool finds goes
//! there as it is; the first line says what it shows.

use std::path::Path;

use dtls_core::{CipherSuite, CloseReason, Error};
use model_tests::{Recipe, Script, Side, schedule::Schedule};

/// The names and texts of all files.
fn kept() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schedules");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn play(text: &str, suite: CipherSuite) -> Script {
    let schedule: Schedule = text.parse().unwrap();
    let mut script =
        Script::new(&Recipe { suites: vec![suite], ..Recipe::new(ideal_crypto::PROVIDER) }.setup());
    script.play(&schedule);
    script.finish(500);
    script
}

#[test]
fn kept_schedules_end_as_they_should() {
    for (name, text) in kept() {
        for suite in dtls_core::all_suites() {
            let script = play(&text, suite);
            let closed = Side::BOTH.map(|side| script.ends.end(side).and_then(model_tests::End::closed));
            let expected = match name.as_str() {
                "closed-in-mid-handshake" => Some(CloseReason::Local),
                "forged-alert-before-keys" => {
                    Some(CloseReason::Failed(Error::PeerAlert(dtls_core::AlertDescription::HandshakeFailure)))
                }
                _ => None,
            };
            assert_eq!(closed[0], expected, "{name}, {suite:?}");
            assert_eq!(script.ends.connected(), expected.is_none(), "{name}, {suite:?}");
        }
    }
}
