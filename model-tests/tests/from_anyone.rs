//! What anyone can send who has no keys, at every step of a handshake of either version: it is dropped, changes nothing, and the
//! handshake goes on.

use core::cell::Cell;

use dtls_core::{
    AlertDescription as Alert, CipherSuite, ContentType, Discard, HandshakeType as Type, PskMode, SendError,
    StateKind,
};
use ideal_crypto::PROVIDER;
use model_tests::{
    End, Recipe, Setup, Side,
    wrong_peer::{WrongPeer, message},
};

/// A handshake of each version, and with several flights' pieces in each.
fn setups() -> [Setup; 3] {
    let in12 = |suite| Recipe { suites: vec![suite], ..Recipe::new(PROVIDER) }.setup();
    [
        in12(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8),
        in12(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256),
        Recipe::new13(PROVIDER, PskMode::PskDhe).setup(),
    ]
}

/// The victim after each record of an undisturbed handshake, from when it exists until both ends are connected.
fn steps(setup: &Setup, victim: Side) -> Vec<WrongPeer> {
    let mut peer = WrongPeer::new(setup, victim);
    let mut steps = Vec::new();
    while !peer.script.ends.connected() {
        if peer.end().is_some() {
            steps.push(peer.clone());
        }
        let count = Cell::new(0);
        peer = peer.until(|_| count.replace(count.get() + 1) == 1);
    }
    steps.push(peer);
    steps
}

fn every_step(mut test: impl FnMut(WrongPeer, Side)) {
    for setup in setups() {
        for victim in Side::BOTH {
            steps(&setup, victim).into_iter().for_each(|peer| test(peer, victim));
        }
    }
}

fn kind(peer: &WrongPeer) -> StateKind {
    peer.end().unwrap().connection().state_kind()
}

/// What arrives has no effect but on statistics, and the handshake ends as if it had not come.
fn assert_noise(before: WrongPeer, content: ContentType, body: &[u8]) {
    let fingerprint = before.end().map(End::fingerprint);
    let what = format!("{content:?} in {:?}", kind(&before));
    let mut after = before.record(0, content, body);
    assert_eq!(after.end().map(End::fingerprint), fingerprint, "{what}");
    after.script.finish(200);
    assert!(after.script.ends.connected(), "{what}");
}

/// 6347-4.1-early-2
#[test]
fn plaintext_data_is_never_delivered() {
    every_step(|peer, _| {
        assert_noise(peer.clone(), ContentType::APPLICATION_DATA, b"21.5 degrees");
        let ended = peer.record(0, ContentType::APPLICATION_DATA, b"21.5 degrees");
        assert!(ended.end().unwrap().delivered().is_empty());
    });
}

/// 6347-4.1-early-2
#[test]
fn nothing_is_sent_before_the_handshake_has_completed() {
    every_step(|mut peer, victim| {
        let sent = peer.script.ends.send(victim, b"21.5 degrees");
        let expected = match kind(&peer) {
            StateKind::Established => Ok(()),
            _ => Err(SendError::NotEstablished),
        };
        assert_eq!(sent, expected, "{:?}", kind(&peer));
        assert_eq!(peer.script.ends.take_outgoing().len(), usize::from(expected.is_ok()));
    });
}

/// However often, it makes no keys and lets none be used too early: the genuine one still counts.
///
/// 6347-4.2.5-ccs-2
#[test]
fn change_cipher_spec_at_any_time() {
    every_step(|mut peer, victim| {
        let before = kind(&peer);
        let has_keys = !matches!(
            before,
            StateKind::ExpectServerHello
                | StateKind::ExpectKeyExchange12
                | StateKind::ExpectClientKeyExchange12
        );
        for _ in 0..3 {
            peer = peer.record(0, ContentType::CHANGE_CIPHER_SPEC, &[1]);
            peer.assert_unharmed();
        }
        assert_eq!(kind(&peer), before);
        let reads = peer.end().unwrap().connection().read_epoch();
        assert!(has_keys || reads == 0, "{before:?} {victim}");
        peer.script.finish(200);
        assert!(peer.script.ends.connected(), "{before:?} {victim}: {:?}", peer.log());
    });
    // One that is none.
    every_step(|peer, _| {
        for body in [&[][..], &[0], &[2], &[1, 1]] {
            assert_noise(peer.clone(), ContentType::CHANGE_CIPHER_SPEC, body);
        }
    });
}

/// An established association, and any that reads under keys, takes alerts only from who has them.
///
/// 6347-4.2.7-alert-4
#[test]
fn plaintext_alerts_after_keys() {
    let mut protected = 0;
    every_step(|peer, _| {
        if peer.end().unwrap().connection().read_epoch() > 0 {
            protected += 1;
            for alert in [[2, Alert::HandshakeFailure.code()], [2, 20], [1, 0], [1, 90]] {
                assert_noise(peer.clone(), ContentType::ALERT, &alert);
            }
        }
        for alert in [&[][..], &[2], &[2, 40, 0], &[0, 40], &[3, 40]] {
            assert_noise(peer.clone(), ContentType::ALERT, alert);
        }
    });
    assert!(protected > 10, "{protected}");
}

/// Fragments that cannot be: without a byte of a longer message, beyond the end of theirs, cut off, of enormous messages.
#[test]
fn fragments_that_cannot_be() {
    every_step(|peer, _| {
        let seq = peer.end().unwrap().connection().next_message_seq().unwrap_or(0);
        let [hi, lo] = seq.to_be_bytes();
        let fragment = |length: [u8; 3], offset: u8, body: &[u8]| {
            let header = [Type::SERVER_HELLO.0, length[0], length[1], length[2], hi, lo, 0, 0, offset];
            [&header[..], &[0, 0, body.len() as u8], body].concat()
        };
        let whole = message(Type::SERVER_HELLO, seq, &[7; 40]);
        for bad in [
            fragment([0, 0, 40], 0, &[]),
            fragment([0, 0, 40], 40, &[]),
            fragment([0, 0, 40], 39, &[7, 7]),
            fragment([0, 0, 40], 41, &[7]),
            fragment([0xff, 0xff, 0xff], 0, &[7]),
            whole[..whole.len() - 1].to_vec(),
            whole[..11].to_vec(),
        ] {
            assert_noise(peer.clone(), ContentType::HANDSHAKE, &bad);
        }
        // Far ahead of what comes next.
        let far = message(Type::SERVER_HELLO, seq.wrapping_add(20_000), &[7; 40]);
        assert_noise(peer, ContentType::HANDSHAKE, &far);
    });
}

/// Hellos to a server that has one already: the one that it answered, and such as it could never answer.
#[test]
fn another_client_hello_in_the_middle_of_a_handshake() {
    for setup in setups() {
        let honest = WrongPeer::new(&setup, Side::Server).next_body().to_vec();
        for peer in steps(&setup, Side::Server) {
            let mut bad_suite = honest.clone();
            bad_suite[36..40].fill(0xee);
            let mut bad_version = honest.clone();
            bad_version[..2].copy_from_slice(&[0xfe, 0xff]);
            for hello in [&honest, &bad_suite, &bad_version, &vec![]] {
                assert_noise(peer.clone(), ContentType::HANDSHAKE, &message(Type::CLIENT_HELLO, 0, hello));
            }
        }
    }
}

/// A record of the newest epoch with a bad tag is dropped for that reason and no other, wherever there is such an epoch.
///
/// 9147-4.5.2-inv-3
#[test]
fn forged_records_of_a_protected_epoch() {
    let mut protected = 0;
    every_step(|peer, _| {
        let reads = peer.end().unwrap().connection().read_epoch();
        if reads == 0 {
            return;
        }
        protected += 1;
        let forged = match reads {
            1 => [&[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0, 0, 40][..], &[7; 40]].concat(),
            _ => [&[0x20 | 8 | reads as u8, 1, 1][..], &[7; 40]].concat(),
        };
        let fingerprint = peer.end().map(End::fingerprint);
        let after = peer.bytes(&forged);
        assert_eq!(after.end().map(End::fingerprint), fingerprint);
        after.assert_ignored(Discard::BadTag);
    });
    assert!(protected > 10, "{protected}");
}
