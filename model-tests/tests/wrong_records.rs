//! Records and acknowledgements that break a rule of DTLS 1.3, from whichever side: what is fatal and what is noise.

use dtls_core::{
    AlertDescription as Alert, CipherSuite, CloseReason, ContentType, Discard, Error, HandshakeType,
    PeerMisbehaved as Rule, PskMode, StateKind, TraceEvent,
};
use model_tests::{
    Recipe, Setup, Side,
    wire::records,
    wrong_peer::{WrongPeer, message},
};

const DATA: ContentType = ContentType::APPLICATION_DATA;

fn setup() -> Setup {
    Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly).setup()
}

/// Victims with the epoch that they read: in the middle of the encrypted handshake, and after it.
fn victims() -> Vec<(WrongPeer, u16)> {
    victims_of(&setup())
}

fn victims_of(setup: &Setup) -> Vec<(WrongPeer, u16)> {
    let client = || WrongPeer::new(setup, Side::Client);
    let server = || WrongPeer::new(setup, Side::Server);
    vec![
        (client().reach(StateKind::ExpectEncryptedExtensions13), 2),
        // The client must have its keys, too.
        (server().until(|script| script.ends.end(Side::Client).is_some_and(model_tests::End::connected)), 2),
        (client().reach(StateKind::Established), 3),
        (server().reach(StateKind::Established), 3),
    ]
}

/// Nothing is waiting to be acknowledged.
fn is_idle(end: &model_tests::End) -> bool {
    end.connected() && !end.connection().holds_handshake()
}

fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let entries = numbers.iter().flat_map(|(epoch, seq)| [epoch.to_be_bytes(), seq.to_be_bytes()]).flatten();
    let entries: Vec<u8> = entries.collect();
    [&(entries.len() as u16).to_be_bytes()[..], &entries].concat()
}

#[test]
fn acknowledgements_of_a_higher_epoch_or_of_another_form_are_fatal() {
    let idle = WrongPeer::new(&setup(), Side::Client)
        .until(|script| script.ends.end(Side::Client).is_some_and(is_idle));
    for (victim, epoch) in victims().into_iter().chain([(idle, 3)]) {
        for higher in [u64::from(epoch) + 1, 7, u64::MAX] {
            let body = ack(&[(0, 0), (higher, 0)]);
            victim
                .clone()
                .record(epoch, ContentType::ACK, &body)
                .assert_refused(Rule::AckOfHigherEpoch, Alert::IllegalParameter);
        }
        let whole = ack(&[(0, 0)]);
        for body in [&[][..], &[0], &[0, 0, 7], &whole[..17], &[&whole[..], &[7]].concat(), &[0, 1, 7]] {
            victim
                .clone()
                .record(epoch, ContentType::ACK, body)
                .assert_refused(Rule::MalformedAck, Alert::DecodeError);
        }
    }
}

#[test]
fn acknowledgements_of_nothing_that_was_sent_are_without_effect() {
    for (victim, epoch) in victims() {
        for body in [ack(&[]), ack(&[(0, 99), (u64::from(epoch), 1 << 47)]), ack(&[(0, u64::MAX)])] {
            let mut peer = victim.clone();
            for _ in 0..20 {
                let sent = peer.script.mailbox.sent().len();
                peer = peer.record(epoch, ContentType::ACK, &body);
                assert_eq!(peer.script.mailbox.sent().len(), sent, "an answer");
            }
            peer.assert_unharmed();
            peer.script.finish(200);
            assert!(peer.script.ends.connected());
        }
    }
}

/// There is no epoch 1 without early data, and none between plaintext and it.
#[test]
fn acknowledgements_in_epoch_1_are_noise() {
    for (victim, epoch) in victims() {
        let body = ack(&[(0, 0)]);
        victim.clone().plain_record(1, ContentType::ACK, &body).assert_ignored(Discard::UnknownEpoch);
        let unified = [&[0x21, 0][..], &[7; 40]].concat();
        victim.clone().bytes(&unified).assert_ignored(Discard::UnknownEpoch);
        let known = [&[0x20 | epoch as u8, 0][..], &[7; 40]].concat();
        victim.bytes(&known).assert_ignored(Discard::BadTag);
    }
}

/// Before the version is certain an ACK means nothing; afterwards it may come in plaintext as well, from anyone.
#[test]
fn plaintext_acknowledgements_are_never_fatal() {
    let client = WrongPeer::new(&setup(), Side::Client);
    for body in [&ack(&[(0, 0)])[..], &ack(&[(3, 0)]), &[7]] {
        client.clone().record(0, ContentType::ACK, body).assert_ignored(Discard::UnexpectedContent);
    }
    let retried = client.until_sent(HandshakeType::SERVER_HELLO).deliver();
    for body in [&ack(&[(3, 0)])[..], &[7]] {
        retried
            .clone()
            .until(|_| true)
            .record(0, ContentType::ACK, body)
            .assert_ignored(Discard::MalformedAck);
    }
    for (victim, _) in victims() {
        victim.record(0, ContentType::ACK, &ack(&[(0, 0)])).assert_ignored(Discard::PlaintextAfterKeys);
    }
}

#[test]
fn plaintext_after_keys_is_noise() {
    for (victim, _) in victims() {
        let message = message(HandshakeType::FINISHED, 2, &[0; 32]);
        for (content, body) in [
            (ContentType::HANDSHAKE, &message[..]),
            (ContentType::ALERT, &[2, 40]),
            (ContentType::ALERT, &[1, 0]),
            (ContentType::CHANGE_CIPHER_SPEC, &[1]),
            (DATA, b"reading"),
        ] {
            victim.clone().record(0, content, body).assert_ignored(Discard::PlaintextAfterKeys);
        }
    }
}

/// DTLS 1.3 has no ChangeCipherSpec, and no compatibility mode in which one would be expected.
#[test]
fn a_change_cipher_spec_is_no_record_of_dtls13() {
    let ccs = ContentType::CHANGE_CIPHER_SPEC;
    let client = WrongPeer::new(&setup(), Side::Client);
    client.clone().record(0, ccs, &[1]).assert_ignored(Discard::UnexpectedContent);
    let retried = client.until_sent(HandshakeType::SERVER_HELLO).deliver();
    retried.until(|_| true).record(0, ccs, &[1]).assert_ignored(Discard::UnexpectedContent);
    for (victim, epoch) in victims() {
        victim.clone().record(epoch, ccs, &[1]).assert_ignored(Discard::UnexpectedContent);
        victim.record(epoch, ContentType(99), &[1]).assert_ignored(Discard::UnexpectedContent);
    }
}

#[test]
fn records_that_cannot_be_are_noise() {
    for (victim, epoch) in victims() {
        let flags = 0x20 | epoch as u8;
        // A connection ID where none was negotiated.
        let with_cid = [&[flags | 0x10, 0][..], &[7; 40]].concat();
        victim.clone().bytes(&with_cid).assert_ignored(Discard::Malformed);
        // Longer than what is left, and longer than any record.
        victim
            .clone()
            .bytes(&[&[flags | 4, 0, 0, 41][..], &[7; 40]].concat())
            .assert_ignored(Discard::Malformed);
        let [hi, lo] = ((1_u16 << 14) + 257).to_be_bytes();
        let long = [&[flags | 4, 0, hi, lo][..], &vec![7; (1 << 14) + 257]].concat();
        victim.clone().bytes(&long).assert_ignored(Discard::TooLong);
        // Nothing but padding.
        for zeros in [0, 1, 100] {
            let padding = victim.clone().record(epoch, ContentType(0), &vec![0; zeros]);
            padding.assert_ignored(Discard::NoContentType);
        }
        // First bytes that belong to nobody (RFC 9147 §4.1).
        for first in (0..20).chain(64..=255) {
            victim.clone().bytes(&[first; 60]).assert_ignored(Discard::Malformed);
        }
    }
}

/// Without 16 bytes of ciphertext there is nothing to unmask the number with, also where a tag would have room (RFC 9147 §4.2.3).
///
/// 9147-4.2.3-short-1
#[test]
fn a_ciphertext_of_less_than_16_bytes_is_noise() {
    let suites = vec![CipherSuite::TLS_AES_128_CCM_8_SHA256];
    let short_tag = Recipe { suites, ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly) }.setup();
    for setup in [setup(), short_tag] {
        for (victim, epoch) in victims_of(&setup) {
            for length in 0..16 {
                let short = [&[0x20 | epoch as u8, 0][..], &vec![7; length]].concat();
                victim.clone().bytes(&short).assert_ignored(Discard::Malformed);
            }
            let enough = [&[0x20 | epoch as u8, 0][..], &[7; 16]].concat();
            victim.bytes(&enough).assert_ignored(Discard::BadTag);
        }
    }
}

#[test]
fn an_empty_handshake_record_is_nothing() {
    for (victim, epoch) in victims() {
        let sent = victim.script.mailbox.sent().len();
        let peer = victim.record(epoch, ContentType::HANDSHAKE, &[]);
        peer.assert_unharmed();
        assert_eq!(peer.script.mailbox.sent().len(), sent, "nothing to acknowledge");
    }
}

/// A record without a length takes all that follows it.
#[test]
fn bytes_behind_a_record_without_a_length_spoil_it() {
    let mut peer = WrongPeer::new(&setup(), Side::Server).reach(StateKind::Established);
    let record = peer.script.ends.forge(Side::Client, 3, DATA, b"reading").unwrap();
    assert!(records(&record).next().unwrap().is_last());
    peer.clone().bytes(&[&record[..], &[0]].concat()).assert_ignored(Discard::BadTag);
    let two = [&record[..], &record].concat();
    peer.bytes(&two).assert_ignored(Discard::BadTag);
}

/// Zeros behind the content type say nothing, however many.
#[test]
fn padding_is_taken_off() {
    for zeros in [0, 1, 15, 1000] {
        let peer = WrongPeer::new(&setup(), Side::Server).reach(StateKind::Established);
        // What is sealed as content of type 0 ends with that zero.
        let mut peer = peer;
        let padded = [&b"reading"[..], &[DATA.0], &vec![0; zeros]].concat();
        let record = peer.script.ends.forge(Side::Client, 3, ContentType(0), &padded).unwrap();
        // The monitor that nothing is delivered which the peer did not send must know of it.
        peer.script.ends.forge(Side::Client, 3, DATA, b"reading").unwrap();
        let peer = peer.bytes(&record);
        assert_eq!(peer.end().unwrap().delivered(), [b"reading"]);
    }
}

#[test]
fn data_comes_under_the_keys_of_data() {
    for (victim, epoch) in victims() {
        let expected = if epoch == 2 { Discard::EarlyData } else { Discard::UnexpectedContent };
        victim.record(2, DATA, b"reading").assert_ignored(expected);
    }
}

/// 9147-5.8.1-app-1
#[test]
fn data_before_finished_is_dropped() {
    for (victim, epoch) in victims() {
        if epoch == 2 {
            // The peer has the keys of data already; the victim does not read them before it has checked Finished.
            let ignored = victim.record(3, DATA, b"early");
            assert!(ignored.end().unwrap().delivered().is_empty());
            ignored.assert_ignored(Discard::UnknownEpoch);
        }
    }
}

/// Plaintext longer than any record may carry, under no keys at all. Under keys a peer's `seal` must be made to: that is tried in
/// dtls-core's `too_much_plaintext_of_dtls12`.
///
/// 6347-4.1-length-1
#[test]
fn a_record_that_is_too_long_is_noise() {
    let old = Recipe::new(ideal_crypto::PROVIDER).setup();
    for setup in [old, setup()] {
        for (content, length) in
            [(ContentType::HANDSHAKE, 16_385), (DATA, 18_432), (ContentType::ALERT, 18_433)]
        {
            let peer = WrongPeer::new(&setup, Side::Client).plain_record(0, content, &vec![7; length]);
            peer.assert_ignored(Discard::TooLong);
        }
    }
}

/// What comes after close_notify was not sent by a peer that keeps to its word.
///
/// 9147-5.10-close-1
#[test]
fn data_after_a_close_is_not_delivered() {
    let old = Recipe::new(ideal_crypto::PROVIDER).setup();
    for (setup, epoch) in [(old, 1), (setup(), 3)] {
        for side in Side::BOTH {
            let peer = WrongPeer::new(&setup, side).reach(StateKind::Established);
            let before = peer.record(epoch, DATA, b"before");
            let closed = before.record(epoch, ContentType::ALERT, &[1, 0]);
            assert_eq!(closed.end().unwrap().closed(), Some(CloseReason::CloseNotify));
            let after = closed.record(epoch, DATA, b"after");
            assert_eq!(after.end().unwrap().delivered(), [b"before"]);
            let discarded =
                |event: &TraceEvent| matches!(event, TraceEvent::Discarded { reason: Discard::Closed, .. });
            assert!(after.log().iter().any(discarded), "{:?}", after.log());
        }
    }
}

/// The level of an alert means nothing, and only two are no errors (RFC 8446 §6).
#[test]
fn alerts_are_errors_whatever_their_level() {
    for (victim, epoch) in victims() {
        for level in [1, 2] {
            let peer =
                victim.clone().record(epoch, ContentType::ALERT, &[level, Alert::HandshakeFailure.code()]);
            peer.assert_ended_silently(Error::PeerAlert(Alert::HandshakeFailure));
            let unknown = victim.clone().record(epoch, ContentType::ALERT, &[level, 199]);
            unknown.assert_ended_silently(Error::PeerAlert(Alert::from_code(199)));
            let cancelled =
                victim.clone().record(epoch, ContentType::ALERT, &[level, Alert::UserCanceled.code()]);
            cancelled.assert_ignored(Discard::WarningAlert);
        }
        victim.clone().record(epoch, ContentType::ALERT, &[2]).assert_ignored(Discard::MalformedAlert);
        if epoch == 3 {
            let closed = victim.clone().record(3, ContentType::ALERT, &[1, 0]);
            assert_eq!(closed.end().unwrap().closed(), Some(CloseReason::CloseNotify));
            // The keys of the handshake speak for the handshake alone.
            victim.record(2, ContentType::ALERT, &[2, 40]).assert_ignored(Discard::UnexpectedContent);
        }
    }
}

/// After so many forgeries the key is not used any more; nobody is told, for the forger may be all who listens
/// (RFC 9147 §4.5.3).
#[test]
fn forgeries_end_a_connection_with_a_short_tag() {
    let suites = vec![CipherSuite::TLS_AES_128_CCM_8_SHA256];
    let recipe = Recipe { suites, ..Recipe::new13(ideal_crypto::PROVIDER, PskMode::PskOnly) };
    for victim in Side::BOTH {
        let mut peer = WrongPeer::new(&recipe.setup(), victim).reach(StateKind::Established);
        for number in 0..128 {
            peer = peer.bytes(&[&[0x23, number][..], &[7; 30]].concat());
            peer.assert_unharmed();
        }
        // Of epochs without keys there can be any number.
        for _ in 0..200 {
            peer = peer.bytes(&[&[0x21, 0][..], &[7; 30]].concat());
        }
        peer.assert_unharmed();
        peer.bytes(&[&[0x23, 200][..], &[7; 30]].concat()).assert_ended_silently(Error::IntegrityLimit);
    }
    // Each key has a count of its own.
    let early = [StateKind::ExpectEncryptedExtensions13, StateKind::ServerExpectFinished13];
    for (victim, state) in Side::BOTH.into_iter().zip(early) {
        let mut peer = WrongPeer::new(&recipe.setup(), victim).reach(state);
        for number in 0..128 {
            peer = peer.bytes(&[&[0x22, number][..], &[7; 30]].concat());
        }
        peer = peer.reach(StateKind::Established);
        for number in 0..128 {
            peer = peer.bytes(&[&[0x23, number][..], &[7; 30]].concat());
        }
        peer.assert_unharmed();
    }
    let mut peer = WrongPeer::new(&setup(), Side::Server).reach(StateKind::Established);
    for number in 0..2_000_u16 {
        peer = peer.bytes(&[&[0x23, number as u8][..], &[7; 30]].concat());
    }
    peer.assert_unharmed();
}
