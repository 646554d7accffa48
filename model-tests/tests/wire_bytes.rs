//! Bytes of each flight on the wire, against the least the protocol allows. A flight that grows fails, and one that shrinks
//! must be entered here.
//!
//! One suite, one group, an identity of one byte, flights whole. What is counted on top of the least is named beside it.

use core::time::Duration;

use dtls_core::{CipherSuite, Limits, ListenerLimits, NamedGroup, ProtocolVersion, PskMode};
use model_tests::{Pair, Recipe, Side};
use simulated_network::Faults;

/// Headers of an unprotected record and of a handshake message (RFC 6347 §4.1, §4.2.2).
const PLAIN: usize = 13 + 12;
/// A record of DTLS 1.3 that is alone in its datagram or last: flags, an 8-bit number, the content type.
const SHORT: usize = 1 + 1 + 1;
/// What our cookie of DTLS 1.2 has besides its 16-byte MAC: version, key id, flags.
const COOKIE_HEAD: usize = 3;
/// The cookie of a server without memory: head, hash of the first hello, MAC.
const COOKIE13: usize = COOKIE_HEAD + 32 + 16;

/// Bytes of each flight, in order: the datagrams of one side until the other one answers.
fn flights(recipe: &Recipe) -> Vec<usize> {
    let mut pair = Pair::new(&recipe.setup(), Faults::default());
    pair.connect();
    pair.run_for(Duration::from_millis(100));
    let mut flights: Vec<(Side, usize)> = Vec::new();
    for sent in pair.network.sent() {
        match flights.last_mut() {
            Some((side, bytes)) if *side == sent.from => *bytes += sent.bytes.len(),
            _ => flights.push((sent.from, sent.bytes.len())),
        }
    }
    flights.into_iter().map(|(_, bytes)| bytes).collect()
}

fn recipe(suite: CipherSuite, mode: PskMode, group: NamedGroup, cookies: bool) -> Recipe {
    let mut listener = ListenerLimits::default();
    listener.cookies = cookies;
    Recipe {
        suites: vec![suite],
        identity: b"i".to_vec(),
        groups: [vec![group], vec![group]],
        listener,
        ..Recipe::new13(dtls_crypto::PROVIDER, mode)
    }
}

/// The least bytes of the flights of a DTLS 1.3 handshake with a pre-shared key (RFC 8446 §4, RFC 9147 §4, §5). `share` is the
/// length of a public key, 0 without an ephemeral key exchange.
fn least13(share: usize, tag: usize, cookies: bool) -> Vec<usize> {
    let with = |present: bool, bytes: usize| if present { bytes } else { 0 };
    // version, random, session id, cookie, one suite, compression, length of extensions
    let hello_fields = 2 + 32 + 1 + 1 + 4 + 2 + 2;
    // supported_versions, psk_key_exchange_modes, one identity of one byte with its binder
    let hello_extensions = 7 + 6 + (4 + 2 + (2 + 1 + 4) + 2 + (1 + 32));
    // supported_groups and key_share with one entry
    let hello_groups = with(share > 0, 8 + 4 + 2 + 2 + 2 + share);
    let hello = PLAIN + hello_fields + hello_extensions + hello_groups;
    // version, random, session id, suite, compression, length of extensions, supported_versions
    let answer_fields = 2 + 32 + 1 + 2 + 1 + 2 + 6;
    let server_hello = PLAIN + answer_fields + with(share > 0, 4 + 2 + 2 + share) + 6;
    let finished = 12 + 32;
    let encrypted = SHORT + tag + (12 + 2) + finished;
    let ack = SHORT + tag + 2 + 16;
    let mut flights = vec![hello];
    if cookies {
        let cookie_extension = 4 + 2 + COOKIE13;
        flights.extend([PLAIN + answer_fields + cookie_extension, hello + cookie_extension]);
    }
    flights.extend([server_hello + encrypted, SHORT + tag + finished, ack]);
    flights
}

#[test]
fn flights_of_dtls13_are_as_short_as_they_can_be() {
    use CipherSuite as S;
    use PskMode::{PskDhe, PskOnly};
    println!("bytes of each flight, and in all");
    for (suite, tag) in [(S::TLS_AES_128_CCM_8_SHA256, 8), (S::TLS_AES_128_GCM_SHA256, 16)] {
        for (mode, group, share) in [
            (PskOnly, NamedGroup::X25519, 0),
            (PskDhe, NamedGroup::X25519, 32),
            (PskDhe, NamedGroup::SECP256R1, 65),
        ] {
            for cookies in [false, true] {
                let found = flights(&recipe(suite, mode, group, cookies));
                let sum: usize = found.iter().sum();
                println!("{suite:?} {mode:?} {share:2} {found:?} {sum}");
                assert_eq!(found, least13(share, tag, cookies), "{suite:?} {mode:?} {group:?} {cookies}");
            }
        }
    }
}

/// The sums everybody compares, so that a mistake in the arithmetic above cannot hide one in the code.
#[test]
fn the_least_is_what_others_count() {
    assert_eq!(least13(0, 8, false), [130, 146, 55, 29]);
    assert_eq!(least13(0, 8, true).iter().sum::<usize>(), 675);
    assert_eq!(least13(32, 8, false).iter().sum::<usize>(), 450);
    assert_eq!(least13(65, 8, false).iter().sum::<usize>(), 516);
    assert_eq!(least13(65, 16, false), [213, 227, 63, 37]);
}

/// What is configured, and no more, comes on top.
#[test]
fn what_is_configured_comes_on_top_of_dtls13() {
    let plain = || recipe(CipherSuite::TLS_AES_128_GCM_SHA256, PskMode::PskDhe, NamedGroup::X25519, true);
    let mut wide = Limits::default();
    wide.wide_record_numbers = true;
    let dual = Recipe {
        suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256],
        ..plain()
    };
    let rows = [
        ("identity of 9 bytes", Recipe { identity: b"sensor-07".to_vec(), ..plain() }, [8, 0, 8, 0, 0, 0]),
        // Lengths of identity and context, the context, protocol and KDF.
        ("importer", Recipe { importer: Some(b"ctx".to_vec()), ..plain() }, [11, 0, 11, 0, 0, 0]),
        ("16-bit numbers", Recipe { limits: wide, ..plain() }, [0, 0, 0, 1, 1, 1]),
        // A version, a suite, the signal of secure renegotiation, extended_master_secret.
        ("DTLS 1.2 as well", dual, [10, 0, 10, 0, 0, 0]),
        (
            "a second suite",
            Recipe {
                suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_128_CCM_SHA256],
                ..plain()
            },
            [2, 0, 2, 0, 0, 0],
        ),
        // The first hello offers another key; the request names the group. Its key is of 65 bytes and not of 32.
        (
            "another group",
            Recipe {
                groups: [vec![NamedGroup::SECP256R1, NamedGroup::X25519], vec![NamedGroup::X25519]],
                ..plain()
            },
            [33 + 2, 6, 2, 0, 0, 0],
        ),
    ];
    for (name, recipe, on_top) in rows {
        let expected: Vec<usize> =
            least13(32, 16, true).iter().zip(on_top).map(|(least, more)| least + more).collect();
        assert_eq!(flights(&recipe), expected, "{name}");
    }
}

/// The least bytes of a DTLS 1.2 handshake with extended_master_secret, the signal of secure renegotiation, and a cookie of
/// 16 bytes (RFC 6347 §4.2, RFC 4279 §2, RFC 5489 §2). Messages share records.
fn least12(share: usize, tag: usize) -> Vec<usize> {
    let with = |present: bool, bytes: usize| if present { bytes } else { 0 };
    let cookie = 16;
    let groups = with(share > 0, 8 + 6);
    let hello = PLAIN + 2 + 32 + 1 + 1 + 2 + 2 + 2 + 2 + 2 + 4 + groups;
    // The empty renegotiation_info answers the signal.
    let server_hello = 12 + 2 + 32 + 1 + 2 + 1 + 2 + 4 + 5 + with(share > 0, 6);
    let server_key = with(share > 0, 12 + 2 + 1 + 2 + 1 + share);
    let client_key = 12 + 2 + 1 + with(share > 0, 1 + share);
    let finished = 14 + 13 + 8 + 12 + 12 + tag;
    vec![
        hello,
        PLAIN + 2 + 1 + cookie,
        hello + cookie,
        13 + server_hello + server_key + 12,
        13 + client_key + finished,
        finished,
    ]
}

#[test]
fn flights_of_dtls12_are_as_short_as_they_can_be() {
    use CipherSuite as S;
    assert_eq!(least12(0, 8), [75, 44, 91, 86, 95, 67]);
    for (suite, share, tag) in
        [(S::TLS_PSK_WITH_AES_128_CCM_8, 0, 8), (S::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, 65, 16)]
    {
        for pack in [true, false] {
            let mut limits = Limits::default();
            limits.pack_plain_records = pack;
            let recipe = Recipe { limits, ..recipe(suite, PskMode::PskDhe, NamedGroup::SECP256R1, true) };
            let mut expected = least12(share, tag);
            expected[1] += COOKIE_HEAD;
            expected[2] += COOKIE_HEAD;
            if !pack {
                // Each further message of the server's flight in a record of its own, as deployed peers need it.
                expected[3] += if share > 0 { 2 * 13 } else { 13 };
            }
            let found = flights(&recipe);
            println!("{suite:?} packed {pack} {found:?} {}", found.iter().sum::<usize>());
            assert_eq!(found, expected, "{suite:?} {pack}");
        }
    }
}

/// Lengths of records of application data, by length of the data, after `before` records.
fn record_len(suite: CipherSuite, data: usize, before: usize) -> usize {
    let mut pair =
        Pair::new(&recipe(suite, PskMode::PskOnly, NamedGroup::X25519, true).setup(), Faults::default());
    pair.connect();
    for _ in 0..before {
        pair.ends.send(Side::Client, b"").unwrap();
    }
    pair.ends.take_outgoing();
    pair.ends.send(Side::Client, &vec![7; data]).unwrap();
    let [datagram] = &pair.ends.take_outgoing()[..] else { panic!("one datagram") };
    datagram.bytes.len()
}

#[test]
fn records_are_as_short_as_they_can_be() {
    use CipherSuite as S;
    println!("bytes a record adds to 20 bytes of data, at first and after 128 records");
    for (suite, overhead, later) in [
        (S::TLS_PSK_WITH_AES_128_CCM_8, 29, 29),
        (S::TLS_PSK_WITH_AES_128_GCM_SHA256, 37, 37),
        (S::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, 29, 29),
        (S::TLS_AES_128_CCM_8_SHA256, 11, 12),
        (S::TLS_AES_128_GCM_SHA256, 19, 20),
        (S::TLS_CHACHA20_POLY1305_SHA256, 19, 20),
    ] {
        let found = [0, 127, 128, 300].map(|before| record_len(suite, 20, before) - 20);
        println!("{suite:?}: {found:?}");
        assert_eq!(found, [overhead, overhead, later, later], "{suite:?}");
    }
    // A ciphertext has at least 16 bytes (RFC 9147 §4.2.3): a short tag and little data need padding.
    for data in 0..=7 {
        assert_eq!(record_len(S::TLS_AES_128_CCM_8_SHA256, data, 0), 2 + 16, "{data}");
    }
    assert_eq!(record_len(S::TLS_AES_128_CCM_8_SHA256, 8, 0), 2 + 17);
}

/// A client of one version says nothing about the other.
#[test]
fn one_version_alone_costs_nothing_for_the_other() {
    let both = vec![CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256];
    let of = |version: ProtocolVersion| {
        let recipe = recipe(both[0], PskMode::PskOnly, NamedGroup::X25519, true);
        let versions = [(); 2].map(|()| vec![version]);
        flights(&Recipe { suites: both.clone(), versions, ..recipe })
    };
    assert_eq!(of(ProtocolVersion::DTLS1_3), least13(0, 16, true));
    assert_eq!(of(ProtocolVersion::DTLS1_2)[0], least12(0, 16)[0]);
}
