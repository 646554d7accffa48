//! What honest ends put on the wire, whatever is lost: versions and numbers of records, epochs, message_seqs, the fields of hellos
//! that DTLS fixes, and that no byte of a handshake message ever changes.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use dtls_core::{
    CipherSuite, ContentType, HandshakeType as Type, NamedGroup, ProtocolVersion, PskMode, TraceEvent,
};
use ideal_crypto::PROVIDER;
use model_tests::{
    Pair, Recipe, Setup, Side,
    wire::{RawRecord, records},
    wrong_peer::{ClientHello, ServerHello, WrongPeer, get},
};
use simulated_network::Faults;

const SUPPORTED_VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const HELLO_VERIFY_REQUEST: u8 = 3;

const DTLS12: [u8; 2] = [0xfe, 0xfd];
const ANY_FIRST: [u8; 2] = [0xfe, 0xff];

/// Set-ups that end in either version, with and without another hello, whole and cut.
fn setups() -> Vec<(Setup, ProtocolVersion)> {
    let both = vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let in12 = |suite| Recipe { suites: vec![suite], ..Recipe::new(PROVIDER) };
    let in13 = |mode| Recipe::new13(PROVIDER, mode);
    let groups = [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]];
    let suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    let fallback = Recipe { suites, ..in13(PskMode::PskOnly) };
    let fallback = Recipe { versions: [both, vec![ProtocolVersion::DTLS1_2]], ..fallback };
    let (v12, v13) = (ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3);
    let recipes = [
        (in12(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8), v12),
        (in12(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256), v12),
        (fallback, v12),
        (in13(PskMode::PskOnly), v13),
        (in13(PskMode::PskDhe), v13),
        (Recipe { groups, ..in13(PskMode::PskDhe) }, v13),
    ];
    let mut setups = Vec::new();
    for (recipe, version) in recipes {
        for cookies in [true, false] {
            for room in [2048, 70] {
                let mut recipe = recipe.clone();
                recipe.listener.cookies = cookies;
                setups.push((Setup { room: [room; 2], ..recipe.setup() }, version));
            }
        }
    }
    setups
}

/// Runs each set-up over good and bad links until data has gone both ways; `check` sees the pair, the version and the records
/// that were sent from each side under a unified header: content type, epoch, number.
fn runs(check: impl Fn(&Pair, ProtocolVersion, &[Vec<(ContentType, u16, u64)>; 2])) {
    for (setup, version) in setups() {
        for seed in 0..12 {
            let loss = if seed < 2 { 0.0 } else { 0.4 };
            let mut pair = Pair::new(&Setup { seed, ..setup.clone() }, Faults { loss, ..Faults::default() });
            for side in Side::BOTH {
                pair.ends.take_trace(side);
            }
            pair.run_for(Duration::from_secs(8));
            Side::BOTH.iter().for_each(|side| pair.network.set_faults(*side, Faults::default()));
            pair.connect();
            for side in Side::BOTH {
                (0..3).for_each(|_| pair.send(side, b"reading"));
            }
            pair.run_for(Duration::from_secs(300));
            let unified = Side::BOTH.map(|side| {
                let sent = pair.ends.take_trace(side).into_iter().filter_map(|event| match event {
                    TraceEvent::RecordSent { content, number, .. } => {
                        Some((content, number.epoch(), number.seq()))
                    }
                    _ => None,
                });
                sent.filter(|(_, epoch, _)| version == ProtocolVersion::DTLS1_3 && *epoch > 0).collect()
            });
            check(&pair, version, &unified);
        }
    }
}

/// The records with the old header that `from` sent, in order.
fn legacy(pair: &Pair, from: Side) -> impl Iterator<Item = RawRecord<'_>> {
    let sent = pair.network.sent().iter().filter(move |sent| sent.from == from);
    sent.flat_map(|sent| records(&sent.bytes)).filter(|record| record.content_type().is_some())
}

/// Type, message_seq, offset and bytes of each plaintext fragment that `from` sent.
fn fragments(pair: &Pair, from: Side) -> Vec<(u8, u16, usize, Vec<u8>)> {
    let mut found = Vec::new();
    for record in legacy(pair, from).filter(|r| r.content_type() == Some(22) && r.epoch() == 0) {
        let mut rest = record.body();
        while let Some((header, tail)) = rest.split_at_checked(12) {
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            let (body, tail) = tail.split_at(number(&header[9..12]));
            let seq = u16::from_be_bytes([header[4], header[5]]);
            found.push((header[0], seq, number(&header[6..9]), body.to_vec()));
            rest = tail;
        }
        assert!(rest.is_empty());
    }
    found
}

/// The number of HelloVerifyRequest and HelloRetryRequest is that of the hello they answer, for nobody counts records there;
/// the connection that comes of the hello with the cookie goes on from its number.
///
/// 6347-4.1-seq-1, 9147-4.2-seq-1
#[test]
fn record_numbers_begin_with_0_and_rise_by_1() {
    runs(|pair, version, unified| {
        for side in Side::BOTH {
            let mut numbers: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
            for record in legacy(pair, side).filter(|record| !is_from_listener(pair, side, record)) {
                numbers.entry(record.epoch()).or_default().extend(record.sequence());
            }
            for (_, epoch, seq) in &unified[side as usize] {
                numbers.entry(*epoch).or_default().push(*seq);
            }
            let expected: &[u16] = if version == ProtocolVersion::DTLS1_2 { &[0, 1] } else { &[0, 2, 3] };
            assert_eq!(numbers.keys().copied().collect::<Vec<_>>(), expected, "{side} {version:?}");
            for (epoch, numbers) in numbers {
                let start = if (side, epoch) == (Side::Server, 0) { numbers[0] } else { 0 };
                let expected: Vec<u64> = (start..).take(numbers.len()).collect();
                assert_eq!(numbers, expected, "{side} epoch {epoch}\n{}", pair.diagram());
            }
        }
    });
}

/// Whether a record of the server's is an answer that it keeps nothing of.
fn is_from_listener(pair: &Pair, side: Side, record: &RawRecord<'_>) -> bool {
    let first = fragments(pair, Side::Server).into_iter().find(|(typ, _, _, body)| {
        *typ == Type::SERVER_HELLO.0 && !body.starts_with(&[&DTLS12[..], &RETRY_RANDOM].concat())
    });
    let (_, seq, ..) = first.expect("a ServerHello was sent");
    let message_seq = record.body().get(4..6).map(|seq| u16::from_be_bytes([seq[0], seq[1]]));
    let is_plain = record.content_type() == Some(22) && record.epoch() == 0;
    side == Side::Server && is_plain && message_seq.is_some_and(|of_record| of_record < seq)
}

/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// 6347-4.1-epoch-1, 9147-6.1-epoch-1, 9147-5-ccs-1, 9147-7-epoch-3
#[test]
fn each_message_is_in_its_epoch() {
    const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
    runs(|pair, version, unified| {
        for side in Side::BOTH {
            let plain: Vec<(u8, u16)> =
                legacy(pair, side).map(|r| (r.content_type().unwrap(), r.epoch())).collect();
            if version == ProtocolVersion::DTLS1_2 {
                assert!(unified[side as usize].is_empty());
                let allowed = [(22, 0), (20, 0), (22, 1), (23, 1)];
                assert!(plain.iter().all(|kind| allowed.contains(kind)), "{plain:?}");
                assert!(allowed.iter().all(|kind| plain.contains(kind)), "{plain:?}");
                // Finished is the only message in epoch 1, and no record of that epoch comes before ChangeCipherSpec.
                let first = plain.iter().position(|(_, epoch)| *epoch == 1).unwrap();
                assert!(plain[..first].contains(&(20, 0)), "{plain:?}");
            } else {
                // What the client has of a ServerHello after a HelloRetryRequest it acknowledges where it is.
                let allowed = |kind: &(u8, u16)| *kind == (22, 0) || (side, *kind) == (Side::Client, (26, 0));
                assert!(plain.iter().all(allowed), "{side}, no ChangeCipherSpec: {plain:?}");
                let of = |content, epoch| {
                    unified[side as usize].iter().filter(|(c, e, _)| (*c, *e) == (content, epoch)).count()
                };
                let [handshake, data] = [of(HANDSHAKE, 2), of(ContentType::APPLICATION_DATA, 3)];
                assert!(handshake > 0 && data == 3, "{:?}", unified[side as usize]);
                assert_eq!(of(HANDSHAKE, 3) + of(ContentType::APPLICATION_DATA, 2), 0);
                // While it waits for Finished a server writes in epoch 3 already, and never acknowledges in an older one.
                let (own, other) = if side == Side::Client { (2, 3) } else { (3, 2) };
                assert!(side == Side::Client || of(ContentType::ACK, own) > 0);
                assert_eq!(of(ContentType::ACK, other), 0, "{side} {:?}", unified[side as usize]);
            }
            let types: Vec<u8> = fragments(pair, side).into_iter().map(|(typ, ..)| typ).collect();
            let of_both: &[u8] = match (side, version) {
                (Side::Client, ProtocolVersion::DTLS1_2) => &[1, 16],
                (Side::Server, ProtocolVersion::DTLS1_2) => &[2, HELLO_VERIFY_REQUEST, 12, 14],
                (Side::Client, _) => &[1],
                // Not even the request for a cookie is a HelloVerifyRequest (9147-5.2-hvr-1).
                (Side::Server, _) => &[2],
            };
            assert!(types.iter().all(|typ| of_both.contains(typ)), "{side} {version:?} {types:?}");
        }
    });
}

/// 6347-4.1-version-1, 9147-4-plain-3
#[test]
fn records_say_1_2_but_for_first_hellos_and_hello_verify_request() {
    runs(|pair, version, _| {
        for side in Side::BOTH {
            for record in legacy(pair, side) {
                let said = [record.bytes[1], record.bytes[2]];
                let typ = record.body().first().copied();
                let seq = record.body().get(4..6);
                let is_handshake = record.content_type() == Some(22) && record.epoch() == 0;
                let is_first_hello = is_handshake && typ == Some(1) && seq == Some(&[0, 0]);
                // Whatever hello a HelloVerifyRequest asked for may be the first that a server sees.
                let is_hello12 = is_handshake && typ == Some(1) && version == ProtocolVersion::DTLS1_2;
                let is_request = is_handshake && typ == Some(HELLO_VERIFY_REQUEST);
                if is_first_hello || is_hello12 || is_request {
                    assert!(said == ANY_FIRST || said == DTLS12, "{said:x?}");
                } else {
                    assert_eq!(said, DTLS12, "{side} {record:x?}");
                }
            }
        }
    });
}

/// 9147-5.5-frag-5, 6347-4.2.2-seq-1, 9147-5.2-seq-1
#[test]
fn no_byte_of_a_message_ever_changes_and_message_seqs_rise_by_1() {
    runs(|pair, _, _| {
        for side in Side::BOTH {
            let mut bytes: BTreeMap<(u16, usize), (u8, u8)> = BTreeMap::new();
            let mut seqs = Vec::new();
            for (typ, seq, offset, body) in fragments(pair, side) {
                seqs.push(seq);
                for (at, byte) in body.into_iter().enumerate() {
                    let known = *bytes.entry((seq, offset + at)).or_insert((typ, byte));
                    assert_eq!(known, (typ, byte), "{side} message {seq} byte {}", offset + at);
                }
            }
            seqs.sort_unstable();
            seqs.dedup();
            let expected: Vec<u16> = (0..).take(seqs.len()).collect();
            assert_eq!(seqs, expected, "{side}");
        }
    });
}

/// Of either version, and of both.
///
/// 6347-4.2.1-cookie-1, 9147-5.3-ver-1, 9147-5.3-cookie-1, 9147-5.3-sid-3, 9147-5.1-hrr-2
#[test]
fn the_fixed_fields_of_the_first_hello() {
    let suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    let recipe = Recipe { suites, ..Recipe::new13(PROVIDER, PskMode::PskDhe) };
    let (v12, v13) = (ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3);
    let cases: [(Vec<ProtocolVersion>, Option<&[u8]>); 3] = [
        (vec![v12], None),
        (vec![v13], Some(&[2, 0xfe, 0xfc])),
        // Most wanted first.
        (vec![v12, v13], Some(&[4, 0xfe, 0xfc, 0xfe, 0xfd])),
    ];
    for (versions, extension) in cases {
        let setup = Recipe { versions: [versions.clone(), versions], ..recipe.clone() }.setup();
        let hello = ClientHello::parse(WrongPeer::new(&setup, Side::Client).next_body()).unwrap();
        assert_eq!(hello.legacy_version, DTLS12);
        assert!(hello.legacy_session_id.is_empty());
        assert!(hello.legacy_cookie.is_empty());
        assert_eq!(hello.legacy_compression_methods, [0]);
        assert_eq!(get(&hello.extensions, SUPPORTED_VERSIONS), extension);
        assert_eq!(get(&hello.extensions, COOKIE), None);
    }
}

/// Whatever session a client says it had under an older version.
///
/// 9147-5-sid-1, 9147-5.4-sh-1, 9147-5.3-ver-2
#[test]
fn the_fixed_fields_of_the_servers_hellos() {
    for cookies in [true, false] {
        let mut recipe = Recipe::new13(PROVIDER, PskMode::PskDhe);
        recipe.listener.cookies = cookies;
        let setup = recipe.setup();
        let with_session =
            |peer: WrongPeer| peer.client_hello(|h| h.legacy_session_id = vec![7; 32]).deliver();
        let mut answers = vec![WrongPeer::new(&setup, Side::Server).deliver()];
        if cookies {
            // The binder of a hello without cookie is not looked at.
            answers.push(with_session(WrongPeer::new(&setup, Side::Server)));
        }
        for answer in answers {
            let hello = ServerHello::parse(answer.next_body()).unwrap();
            assert_eq!(hello.random.starts_with(&RETRY_RANDOM), cookies);
            assert_eq!(hello.legacy_version, DTLS12);
            assert!(hello.legacy_session_id_echo.is_empty());
            assert_eq!(hello.legacy_compression_method, 0);
            assert_eq!(get(&hello.extensions, SUPPORTED_VERSIONS), Some(&[0xfe, 0xfc][..]));
        }
    }
}

/// Others for every connection and end, and none of them nothing. A source that gives none is an error (`properties.rs`).
#[test]
fn random_values_are_random() {
    for (setup, version) in setups() {
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            let mut pair = Pair::new(&Setup { seed, room: [2048; 2], ..setup.clone() }, Faults::default());
            pair.connect();
            for (side, typ) in [(Side::Client, Type::CLIENT_HELLO), (Side::Server, Type::SERVER_HELLO)] {
                let hellos = fragments(&pair, side).into_iter().filter(|(found, ..)| *found == typ.0);
                let mut randoms: Vec<Vec<u8>> = hellos.map(|(.., body)| body[2..34].to_vec()).collect();
                randoms.retain(|random| !random.starts_with(&RETRY_RANDOM));
                randoms.dedup();
                assert_eq!(randoms.len(), 1, "that of the hello comes again with the cookie: {version:?}");
                assert!(randoms[0].iter().filter(|byte| **byte == 0).count() < 8, "{randoms:x?}");
                seen.extend(randoms);
            }
        }
        assert_eq!(seen.len(), 40, "{version:?}");
    }
}
