//! Messages do not cross a change of keys: what must come protected is not taken from an unprotected record, however early
//! it was sent.

use dtls_core::{CipherSuite, HandshakeType, StateKind};
use ideal_crypto::PROVIDER;
use model_tests::{
    KEY, Recipe, Script, Side,
    schedule::{Forgery, Step},
};

fn script(deferred: bool) -> Script {
    let suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    Script::new(&Recipe { suites, deferred, ..Recipe::new(PROVIDER) }.setup())
}

/// Delivers record by record until `side` is in a state of `kind`.
fn reach(script: &mut Script, side: Side, kind: StateKind) {
    for _ in 0..100 {
        if script.ends.end(side).is_some_and(|end| end.connection().state_kind() == kind) {
            return;
        }
        script.apply(&Step::Split(0, 1));
        script.apply(&Step::Deliver(0));
    }
    panic!("{side} never came to {kind:?}");
}

/// An unprotected Finished, one message ahead of the one that `to` waits for.
fn forge_finished_ahead(script: &mut Script, to: Side) {
    let next = script.ends.end(to).unwrap().connection().next_message_seq().unwrap();
    let seq = u8::try_from(next + 1).unwrap();
    let header = [HandshakeType::FINISHED.0, 0, 0, 12, 0, seq, 0, 0, 0, 0, 0, 12];
    let body = [&header[..], &[0; 12]].concat();
    script.apply(&Step::Forge(Forgery { to, content_type: 22, epoch: 0, sequence: 1 << 20, body }));
}

#[test]
fn a_server_takes_no_unprotected_finished_that_came_before_the_key_exchange() {
    let mut script = script(false);
    reach(&mut script, Side::Server, StateKind::ExpectClientKeyExchange12);
    forge_finished_ahead(&mut script, Side::Server);
    script.finish(100);
    assert!(script.ends.connected(), "{:?}", script.ends);
}

#[test]
fn a_server_that_waited_for_the_key_takes_none_either() {
    let mut script = script(true);
    reach(&mut script, Side::Server, StateKind::ExpectClientKeyExchange12);
    forge_finished_ahead(&mut script, Side::Server);
    reach(&mut script, Side::Server, StateKind::AwaitPsk12);
    script.ends.provide_psk(Some(KEY)).unwrap();
    script.finish(100);
    assert!(script.ends.connected(), "{:?}", script.ends);
}

#[test]
fn a_client_takes_no_unprotected_finished_that_came_before_server_hello_done() {
    let mut script = script(false);
    reach(&mut script, Side::Client, StateKind::ExpectKeyExchange12);
    forge_finished_ahead(&mut script, Side::Client);
    script.finish(100);
    assert!(script.ends.connected(), "{:?}", script.ends);
}
