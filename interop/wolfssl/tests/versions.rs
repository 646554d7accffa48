//! Both versions on either side: the newest that both speak is used, in both roles. And DTLS 1.2 with wolfSSL.

use std::thread;

use dtls_core::{AlertDescription, CipherSuite, CloseReason, Error, PeerIncompatible, ProtocolVersion};
use interop_wolfssl::{
    case::{Case, DTLS13},
    pair::Loss,
    wolf::Versions,
};

const V12: ProtocolVersion = ProtocolVersion::DTLS1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS1_3;

/// Both versions on both sides.
const DUAL: Case<'_> = Case {
    versions: &[V13, V12],
    wolf_versions: Versions::Both,
    suites: &[
        CipherSuite::TLS_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256,
    ],
    wolf_suites: "TLS13-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256",
    ..DTLS13
};

fn both_ways(case: Case<'_>, version: ProtocolVersion) {
    as_client(case, version);
    as_server(case, version);
}

fn as_client(case: Case<'_>, version: ProtocolVersion) {
    let (mut pair, _) = case.client();
    case.converse(&mut pair, version);
    pair.we_close();
}

fn as_server(case: Case<'_>, version: ProtocolVersion) {
    let (mut pair, _) = case.server();
    case.converse(&mut pair, version);
    pair.wolf_closes();
}

#[test]
fn both_speak_both() {
    both_ways(DUAL, V13);
}

#[test]
fn only_we_speak_both() {
    both_ways(Case { wolf_versions: Versions::Only12, ..DUAL }, V12);
    both_ways(Case { wolf_versions: Versions::Only13, ..DUAL }, V13);
}

#[test]
fn only_wolfssl_speaks_both() {
    both_ways(Case { versions: &[V12], ..DUAL }, V12);
    both_ways(Case { versions: &[V13], ..DUAL }, V13);
}

#[test]
fn falling_back_through_losses() {
    let case = Case { wolf_versions: Versions::Only12, ..DUAL };
    thread::scope(|scope| {
        for mask in 0..16 {
            let case = Case { loss: Loss { from_us: mask & 3, from_wolf: mask >> 2 }, ..case };
            scope.spawn(move || both_ways(case, V12));
        }
    });
}

#[test]
fn a_server_of_older_versions_is_told_so() {
    let (mut pair, _) = Case { wolf_versions: Versions::Only12, ..DTLS13 }.client();
    pair.fail();
    let error = Error::Incompatible(PeerIncompatible::NoCommonVersion);
    assert_eq!(pair.closed(), Some(CloseReason::Failed(error)));
    assert_eq!(error.alert(), Some(AlertDescription::ProtocolVersion));
}

#[test]
fn a_server_of_newer_versions_tells_us() {
    let (mut pair, _) = Case { versions: &[V12], wolf_versions: Versions::Only13, ..DUAL }.client();
    pair.fail();
    let error = Error::PeerAlert(AlertDescription::ProtocolVersion);
    assert_eq!(pair.closed(), Some(CloseReason::Failed(error)));
}

#[test]
fn a_client_of_other_versions_is_told_so() {
    for case in [
        Case { wolf_versions: Versions::Only12, ..DTLS13 },
        Case { versions: &[V12], wolf_versions: Versions::Only13, ..DUAL },
    ] {
        let (mut pair, _) = case.server();
        pair.fail();
        assert!(pair.wolf_was_told(AlertDescription::ProtocolVersion));
    }
}

#[test]
fn dtls12_suites() {
    for (suite, wolf_suites) in [
        (CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, "PSK-AES128-CCM-8"),
        (CipherSuite::TLS_PSK_WITH_AES_128_CCM, "PSK-AES128-CCM"),
        (CipherSuite::TLS_PSK_WITH_AES_256_CCM, "PSK-AES256-CCM"),
        (CipherSuite::TLS_PSK_WITH_AES_256_GCM_SHA384, "PSK-AES256-GCM-SHA384"),
        (CipherSuite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, "PSK-CHACHA20-POLY1305"),
        (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, "ECDHE-PSK-AES128-GCM-SHA256"),
        (CipherSuite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-PSK-CHACHA20-POLY1305"),
    ] {
        let suites = [suite];
        let case =
            Case { versions: &[V12], wolf_versions: Versions::Only12, suites: &suites, wolf_suites, ..DUAL };
        both_ways(case, V12);
    }
}
