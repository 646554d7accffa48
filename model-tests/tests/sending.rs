//! What the calls of a connection do at their edges: sizes, buffers, and each state in which a connection can be ended.

use dtls_core::{
    AlertDescription, ApiMisuse, CipherSuite, CloseReason, Error, Event, ProtocolVersion, PskMode, SendError,
    StateKind,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{KEY, Pair, Prng, Recipe, Script, Side, Watched, schedule::Step};
use simulated_network::Faults;

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
    CipherSuite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_AES_128_GCM_SHA256,
];

fn connected(suite: CipherSuite) -> ([Watched; 2], dtls_core::Instant) {
    let mut pair =
        Pair::new(&Recipe { suites: vec![suite], ..Recipe::new(PROVIDER) }.setup(), Faults::default());
    pair.connect();
    let now = pair.ends.now();
    (pair.ends.into_watched().unwrap(), now)
}

fn receive(to: &mut Watched, now: dtls_core::Instant, record: &[u8]) -> Option<Vec<u8>> {
    let mut datagram = record.to_vec();
    let mut rng = Prng::new(0);
    let mut incoming = to.handle_datagram(now, &mut rng, &mut datagram);
    incoming.next_data().unwrap().map(|data| data.bytes.to_vec())
}

#[test]
fn records_of_every_size_up_to_the_protocols_limit() {
    World::unchecked().run(|| {
        for suite in SUITES {
            let ([mut client, mut server], now) = connected(suite);
            let overhead = client.overhead();
            let mut out = vec![0; 20_000];
            for size in [0, 1, 2, 15, 16, 17, 1 << 10, (1 << 14) - 1, 1 << 14] {
                let data: Vec<u8> = (0..size).map(|i| i as u8).collect();
                let needed = overhead.total() + size;
                let too_small = client.send(&data, &mut out[..needed - 1]);
                assert_eq!(too_small, Err(SendError::BufferTooSmall { needed }));
                assert_eq!(client.send(&data, &mut out[..needed]), Ok(needed));
                assert_eq!(receive(&mut server, now, &out[..needed]), Some(data.clone()), "{size}");

                let body = overhead.head + 3..overhead.head + 3 + size;
                out[body.clone()].copy_from_slice(&data);
                let record = client.seal_in_place(&mut out, body).unwrap().to_vec();
                assert_eq!(record.len(), needed);
                assert_eq!(receive(&mut server, now, &record), Some(data), "{size} in place");
            }
            let max = 1 << 14;
            assert_eq!(client.send(&vec![0; max + 1], &mut out), Err(SendError::TooLarge { max }));
            let refused = client.seal_in_place(&mut out, 100..100 + max + 1);
            assert_eq!(refused.err(), Some(SendError::TooLarge { max }));
        }
    });
}

#[test]
fn sealing_in_place_refuses_what_has_no_room() {
    World::unchecked().run(|| {
        let ([mut client, mut server], now) = connected(SUITES[0]);
        let (head, tail) = (client.overhead().head, client.overhead().tail);
        let mut buffer = vec![7; head + 10 + tail];
        let needed = buffer.len();
        let too_small = Some(SendError::BufferTooSmall { needed });
        for start in [0, 1, head - 1, head + 1, needed, usize::MAX - 10] {
            assert_eq!(client.seal_in_place(&mut buffer, start..start + 10).err(), too_small, "{start}");
        }
        assert!(client.seal_in_place(&mut buffer, head..usize::MAX).is_err());
        #[allow(clippy::reversed_empty_ranges, reason = "what a caller may get wrong")]
        let reversed =
            client.seal_in_place(&mut buffer, head + 5..head).map(|record| record.to_vec()).unwrap();
        assert_eq!(receive(&mut server, now, &reversed), Some(vec![]), "taken as empty");
        let record = client.seal_in_place(&mut buffer, head..head + 10).unwrap().to_vec();
        assert_eq!(record.len(), needed);
    });
}

/// The largest data that fits the MTU is said, and is exact.
#[test]
fn the_room_in_a_datagram() {
    World::unchecked().run(|| {
        for suite in SUITES {
            let ([mut client, _], _) = connected(suite);
            let room = client.max_application_data();
            let mut out = vec![0; 2048];
            assert_eq!(client.send(&vec![0; room], &mut out), Ok(client.mtu()));
        }
    });
}

/// Whatever the size of the buffer, a datagram fits it, whole records are in it, and with enough room the handshake goes on.
#[test]
fn buffers_of_every_size() {
    for room in 0..=300 {
        let mut setup = Recipe { suites: vec![SUITES[0]], ..Recipe::new(PROVIDER) }.setup();
        setup.room = [room; 2];
        let mut script = Script::new(&setup);
        script.finish(3_000);
        // A Finished one byte at a time needs 13 + 8 + 12 + 1 + 8. HelloVerifyRequest comes in a buffer of the listener.
        assert_eq!(script.ends.connected(), room >= 42, "{room}");
    }
}

/// Scripts in which `side` is in each kind of state it can be in, of either version.
fn states(side: Side) -> Vec<(StateKind, Script)> {
    let mut found = states_of(side, &Recipe::new(PROVIDER));
    found.extend(states_of(side, &Recipe::new13(PROVIDER, PskMode::PskOnly)));
    found
}

fn states_of(side: Side, recipe: &Recipe) -> Vec<(StateKind, Script)> {
    let mut script = Script::new(&Recipe { deferred: true, ..recipe.clone() }.setup());
    let mut found: Vec<(StateKind, Script)> = Vec::new();
    for _ in 0..40 {
        if let Some(end) = script.ends.end(side) {
            let kind = end.connection().state_kind();
            if found.last().is_none_or(|(known, _)| *known != kind) {
                found.push((kind, script.clone()));
            }
        }
        script.apply(&Step::Split(0, 1));
        script.apply(&Step::Deliver(0));
        if script.ends.end(Side::Server).is_some_and(|end| is_waiting(end.connection().state_kind()))
            && (side == Side::Client || found.iter().any(|(kind, _)| is_waiting(*kind)))
        {
            script.ends.provide_psk(Some(KEY)).unwrap();
        }
        if script.mailbox.live().is_empty() {
            script.apply(&Step::NextTimer);
        }
    }
    found
}

fn is_waiting(kind: StateKind) -> bool {
    matches!(kind, StateKind::AwaitPsk12 | StateKind::AwaitPsk13)
}

#[test]
fn closing_in_every_state() {
    let mut kinds = Vec::new();
    for side in Side::BOTH {
        for (kind, mut script) in states(side) {
            let negotiated = script.ends.end(side).unwrap().connection().negotiated();
            let in13 = negotiated.is_some_and(|n| n.version == ProtocolVersion::DTLS1_3);
            script.ends.close(side);
            let end = script.ends.end(side).unwrap();
            assert_eq!(end.closed(), Some(CloseReason::Local), "{kind:?}");
            assert!(end.connection().is_closed(), "{kind:?}");
            // Who has spoken last still owes an answer to a peer that missed it, for a limited time. A client of DTLS 1.3 does
            // not know yet whether its Finished has arrived.
            let owes = kind == StateKind::Established && (side == Side::Server || in13);
            assert_eq!(end.connection().holds_handshake(), owes, "{kind:?}");
            assert_eq!(end.connection().poll_timeout().is_some(), owes, "{kind:?}");
            assert_eq!(end.connection().is_drained(), !owes, "{kind:?}");
            let sent = script.ends.take_outgoing();
            assert_eq!(sent.len(), 1, "{kind:?}: one datagram with close_notify");
            assert_eq!(script.ends.send(side, b"more"), Err(SendError::Closed), "{kind:?}");
            script.ends.close(side);
            assert!(script.ends.take_outgoing().is_empty(), "{kind:?}: only once");
            kinds.push(kind);
        }
    }
    let reachable = StateKind::ALL
        .iter()
        .filter(|kind| !matches!(kind, StateKind::ExpectClientHello | StateKind::Closed | StateKind::Failed))
        // EncryptedExtensions and Finished share a record.
        .filter(|kind| !matches!(kind, StateKind::ClientExpectFinished13));
    for kind in reachable {
        assert!(kinds.contains(kind), "{kind:?} was not tried");
    }
}

#[test]
fn aborting_in_every_state() {
    for side in Side::BOTH {
        for (kind, script) in states(side) {
            let [client, server] = script.ends.into_watched().map_or([None, None], |both| both.map(Some));
            let end = if side == Side::Client { client } else { server };
            let Some(mut end) = end else { continue };
            let now = dtls_core::Instant::from_micros(90_000_000);
            World::unchecked().run(|| {
                let mut out = [0; 2048];
                end.abort(AlertDescription::AccessDenied);
                let error = Error::Aborted(AlertDescription::AccessDenied);
                assert_eq!(end.poll_event(), Some(Event::Closed(CloseReason::Failed(error))), "{kind:?}");
                let alert = end.poll_transmit(now, &mut out).map(|datagram| datagram.to_vec());
                let first = alert.map(|datagram| datagram[0]);
                let masked = matches!(first, Some(0x20..=0x3f));
                assert!(masked || first == Some(21), "{kind:?}: nothing but the alert");
                assert!(end.poll_transmit(now, &mut out).is_none() && end.poll_event().is_none());
                assert_eq!(end.provide_psk(&mut Prng::new(0), Some(KEY)), Err(ApiMisuse::NoPskWanted));
                assert_eq!((end.poll_timeout(), end.handle_timeout(now)), (None, Ok(())));
            });
        }
    }
}

#[test]
fn an_unknown_identity_is_refused_and_a_key_of_no_length_is_not_taken() {
    let (_, mut script) =
        states(Side::Server).into_iter().find(|(kind, _)| *kind == StateKind::AwaitPsk12).unwrap();
    assert_eq!(script.ends.provide_psk(Some(&[])), Err(ApiMisuse::PskLength));
    assert_eq!(script.ends.provide_psk(Some(&[0; 257])), Err(ApiMisuse::PskLength));
    assert_eq!(script.ends.provide_psk(None), Ok(()));
    let reason = script.ends.end(Side::Server).unwrap().closed();
    assert!(matches!(reason, Some(CloseReason::Failed(Error::Incompatible(_)))), "{reason:?}");
    let sent = script.ends.take_outgoing();
    let [alert] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(alert.from, Side::Server);
    let alert = &alert.bytes;
    assert_eq!((alert[0], &alert[13..]), (21, &[2, 51][..]), "decrypt_error (RFC 7925 §4.2)");
    assert_eq!(script.ends.provide_psk(Some(KEY)), Err(ApiMisuse::NoPskWanted));
}
