//! DTLS 1.3 with a pre-shared key against wolfSSL, both roles: every suite, mode and group, with and without
//! HelloRetryRequest, data both ways, a clean close, and losses.

use std::thread;

use dtls_core::{
    AlertDescription, CipherSuite, CloseReason, Error, HandshakeType, NamedGroup, PeerIncompatible,
    PeerMisbehaved, ProtocolVersion, PskMode, TraceEvent, crypto::HashAlgorithm,
};
use interop_wolfssl::{
    case::{Case, DTLS13, P256, X25519},
    pair::{Loss, Pair},
    wolf::Modes,
};

fn both_ways(case: Case<'_>) {
    as_client(case);
    as_server(case);
}

/// Our client: sees wolfSSL's ticket, and closes.
fn as_client(case: Case<'_>) {
    let (mut pair, notes) = case.client();
    case.converse(&mut pair, ProtocolVersion::DTLS1_3);
    check(case, &mut pair);
    let is_ticket = |event: &_| {
        matches!(event, TraceEvent::MessageProcessed { typ: HandshakeType::NEW_SESSION_TICKET, .. })
    };
    assert_eq!(notes.count(is_ticket), 1, "wolfSSL's ticket is taken note of");
    pair.we_close();
}

/// Our server: is closed by wolfSSL.
fn as_server(case: Case<'_>) {
    let (mut pair, _) = case.server();
    case.converse(&mut pair, ProtocolVersion::DTLS1_3);
    check(case, &mut pair);
    pair.wolf_closes();
}

/// What was agreed on is what the case is about.
fn check(case: Case<'_>, pair: &mut Pair) {
    let agreed = pair.connection().negotiated().expect("connected").clone();
    assert_eq!((Some(&agreed.suite), pair.wolf().suite().as_str()), (case.suites.first(), case.wolf_suites));
    let ephemeral = case.modes == [PskMode::PskDhe];
    assert_eq!(agreed.group.is_some(), ephemeral);
    let other_group = ephemeral && case.wolf_groups[0] != case.groups[0].0;
    // Losses make more of them.
    assert_eq!(pair.retries() > 0, case.cookie || other_group, "HelloRetryRequests: {}", pair.retries());
}

#[test]
fn aes_128_gcm() {
    both_ways(DTLS13);
}

const WITHOUT_COOKIE: Case<'_> = Case { cookie: false, ..DTLS13 };
const PSK_ONLY: Case<'_> = Case { modes: &[PskMode::PskOnly], wolf_modes: Modes::OnlyPsk, ..DTLS13 };

#[test]
fn aes_256_gcm_with_sha_384() {
    both_ways(Case {
        suites: &[CipherSuite::TLS_AES_256_GCM_SHA384],
        wolf_suites: "TLS13-AES256-GCM-SHA384",
        hash: HashAlgorithm::Sha384,
        ..DTLS13
    });
}

#[test]
fn chacha20_poly1305() {
    both_ways(Case {
        suites: &[CipherSuite::TLS_CHACHA20_POLY1305_SHA256],
        wolf_suites: "TLS13-CHACHA20-POLY1305-SHA256",
        ..DTLS13
    });
}

#[test]
fn aes_128_ccm() {
    both_ways(Case {
        suites: &[CipherSuite::TLS_AES_128_CCM_SHA256],
        wolf_suites: "TLS13-AES128-CCM-SHA256",
        ..DTLS13
    });
}

#[test]
fn aes_128_ccm_8() {
    both_ways(Case {
        suites: &[CipherSuite::TLS_AES_128_CCM_8_SHA256],
        wolf_suites: "TLS13-AES128-CCM-8-SHA256",
        ..DTLS13
    });
}

#[test]
fn psk_alone() {
    both_ways(PSK_ONLY);
}

#[test]
fn psk_alone_without_cookie() {
    both_ways(Case { cookie: false, ..PSK_ONLY });
}

#[test]
fn either_mode() {
    let either = Case { modes: &[PskMode::PskOnly, PskMode::PskDhe], wolf_modes: Modes::Any, ..DTLS13 };
    let (mut pair, _) = either.client();
    either.converse(&mut pair, ProtocolVersion::DTLS1_3);
    let (mut pair, _) = either.server();
    either.converse(&mut pair, ProtocolVersion::DTLS1_3);
    let agreed = pair.connection().negotiated().expect("connected");
    assert_eq!(agreed.group, None, "the server's preference counts");
}

#[test]
fn without_cookie() {
    both_ways(WITHOUT_COOKIE);
}

#[test]
fn p256() {
    both_ways(Case { groups: &[NamedGroup::SECP256R1], wolf_groups: &[P256], ..DTLS13 });
}

#[test]
fn another_group_and_a_cookie() {
    as_server(Case { wolf_groups: &[P256, X25519], ..DTLS13 });
    as_client(Case { wolf_groups: &[P256], ..DTLS13 });
}

#[test]
fn another_group_without_cookie() {
    as_server(Case { groups: &[NamedGroup::SECP256R1], ..WITHOUT_COOKIE });
    as_client(Case { wolf_groups: &[P256], ..WITHOUT_COOKIE });
}

/// Small datagrams, so that messages are fragmented.
const SMALL: Case<'_> = Case { mtu: 228, wolf_mtu: 700, ..DTLS13 };

/// Tries the handshake with each of these losses, all at the same time: they mostly wait.
fn through_losses(case: Case<'_>, losses: impl Iterator<Item = Loss>) {
    thread::scope(|scope| {
        for loss in losses {
            let case = Case { loss, ..case };
            scope.spawn(move || as_client(case));
            scope.spawn(move || as_server(case));
        }
    });
}

/// Each datagram alone, then each set of the first three in each direction.
fn losses() -> impl Iterator<Item = Loss> {
    let alone = (3..10)
        .flat_map(|n| [Loss { from_us: 1 << n, from_wolf: 0 }, Loss { from_us: 0, from_wolf: 1 << n }]);
    alone.chain((0..64).map(|mask| Loss { from_us: mask & 7, from_wolf: mask >> 3 }))
}

#[test]
fn losses_with_cookie() {
    through_losses(DTLS13, losses());
}

#[test]
fn losses_without_cookie() {
    through_losses(WITHOUT_COOKIE, losses());
}

#[test]
fn losses_of_small_datagrams() {
    through_losses(SMALL, losses());
}

#[test]
fn a_wrong_key() {
    let case = Case { key: [0xa5; 32], ..DTLS13 };
    let (mut pair, _) = case.client();
    pair.fail();
    assert_eq!(pair.closed(), failed(Error::PeerAlert(AlertDescription::DecryptError)));
    let (mut pair, _) = case.server();
    pair.fail();
    assert_eq!(pair.closed(), failed(Error::Misbehaved(PeerMisbehaved::BadBinder)));
    assert!(pair.wolf_was_told(AlertDescription::DecryptError));
}

#[test]
fn an_unknown_identity() {
    let case = Case { identity: "stranger", ..DTLS13 };
    let (mut pair, _) = case.client();
    pair.fail();
    // wolfSSL goes on without the key, for which it misses what certificates need.
    assert_eq!(pair.closed(), failed(Error::PeerAlert(AlertDescription::MissingExtension)));
    let (mut pair, _) = case.server();
    pair.fail();
    assert_eq!(pair.closed(), failed(Error::Incompatible(PeerIncompatible::UnknownPskIdentity)));
    assert!(pair.wolf_was_told(AlertDescription::DecryptError));
}

fn failed(error: Error) -> Option<CloseReason> {
    Some(CloseReason::Failed(error))
}

#[test]
fn a_quarter_of_the_datagrams_lost() {
    let rounds = std::env::var("ROUNDS").map_or(2, |rounds| rounds.parse().expect("a number"));
    let mut state: u64 = 1;
    let mut random = || {
        // xorshift64 of Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..rounds {
        for case in [DTLS13, WITHOUT_COOKIE, PSK_ONLY, SMALL, Case { cookie: false, ..SMALL }] {
            let losses: Vec<Loss> = (0..8)
                .map(|_| Loss {
                    from_us: random() & random() & 0xffff,
                    from_wolf: random() & random() & 0xffff,
                })
                .collect();
            through_losses(case, losses.into_iter());
        }
    }
}
