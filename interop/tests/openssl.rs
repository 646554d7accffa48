//! OpenSSL over loopback UDP, both roles: data both ways and a clean close.

use child_process::{Process, Way, Wiretap};
use interop::{Case, KEY, dtls, free_port};

const CCM_8: Case<'_> = Case::new("PSK-AES128-CCM8:@SECLEVEL=0", "TLS_PSK_WITH_AES_128_CCM_8");
const GCM: Case<'_> = Case::new("PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256");
const ECDHE_CHACHA: Case<'_> =
    Case::new("ECDHE-PSK-CHACHA20-POLY1305", "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256");

/// `openssl s_server` on a free port.
fn their_server(case: &Case<'_>) -> (Process, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let mut arguments = vec!["s_server", "-dtls1_2", "-accept", &address, "-nocert", "-naccept", "1"];
    arguments.extend(["-psk", KEY, "-cipher", case.theirs]);
    arguments.extend(case.their_options);
    let mut server = Process::start("openssl", &arguments);
    server.expect("ACCEPT");
    (server, address)
}

fn we_are_client(case: &Case<'_>) -> Wiretap {
    let (mut server, address) = their_server(case);
    let (mut client, tap) = case.our_client("Client_identity", &address);
    client.type_line("from dtls to OpenSSL");
    server.expect("from dtls to OpenSSL");
    server.type_line("from OpenSSL to dtls");
    client.expect("from OpenSSL to dtls");
    client.finish(0);
    server.expect("CONNECTION CLOSED");
    server.finish(0);
    tap
}

fn we_are_server(case: &Case<'_>) -> Wiretap {
    let (server, tap) = case.our_server();
    let address = tap.address();
    let mut arguments = vec!["s_client", "-dtls1_2", "-connect", &address];
    arguments.extend(["-psk", KEY, "-psk_identity", "sensor", "-cipher", case.theirs]);
    arguments.extend(case.their_options);
    case.echo(Process::start("openssl", &arguments), server);
    tap
}

/// Whether a datagram that went this way contains `bytes`.
fn went(tap: &Wiretap, way: Way, bytes: &[u8]) -> bool {
    tap.datagrams(way).iter().any(|datagram| datagram.windows(bytes.len()).any(|w| w == bytes))
}

#[test]
fn client_of_both_versions() {
    for case in [GCM, ECDHE_CHACHA, GCM.options(&["-listen"], &[]), ECDHE_CHACHA.through_losses()] {
        let tap = we_are_client(&case.dual());
        // supported_versions: 1.3, 1.2.
        assert!(went(&tap, Way::ToServer, &[0, 0x2b, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd]));
    }
}

#[test]
fn server_of_both_versions() {
    for case in [GCM, ECDHE_CHACHA, GCM.options(&[], &["--no-cookie"]), ECDHE_CHACHA.through_losses()] {
        let tap = we_are_server(&case.dual());
        // The server random says that a newer version was possible (RFC 8446 §4.1.3).
        assert!(went(&tap, Way::ToClient, b"DOWNGRD\x01"));
    }
}

#[test]
fn client_of_a_newer_version_only() {
    let (mut server, address) = their_server(&GCM);
    let psk = format!("Client_identity={KEY}");
    let output = dtls(&["client", &address, "--psk", &psk, "--versions", "1.3"]).finish(1);
    assert!(output.stderr.contains("no protocol version in common"), "{}", output.stderr);
    server.expect("SSL alert number 70");
}

#[test]
fn server_of_a_newer_version_only() {
    let psk = format!("sensor={KEY}");
    let mut server = dtls(&["server", "--listen", "127.0.0.1:0", "--psk", &psk, "--versions", "1.3"]);
    let address = server.line_after("listening on ");
    let arguments = ["s_client", "-dtls1_2", "-connect", &address, "-psk", KEY, "-psk_identity", "sensor"];
    let mut client = Process::start("openssl", &arguments);
    client.expect("SSL alert number 70");
}

#[test]
fn client_psk_ccm_8() {
    let _tap = we_are_client(&CCM_8);
}

#[test]
fn client_psk_gcm() {
    let _tap = we_are_client(&GCM);
}

#[test]
fn client_ecdhe_psk_chacha20() {
    let _tap = we_are_client(&ECDHE_CHACHA);
}

#[test]
fn client_p256_and_a_psk_hint() {
    let _tap = we_are_client(&ECDHE_CHACHA.options(&["-groups", "P-256", "-psk_hint", "meter"], &[]));
}

#[test]
fn client_small_datagrams_both_ways() {
    let _tap = we_are_client(&ECDHE_CHACHA.options(&["-mtu", "256"], &["--mtu", "228"]));
}

#[test]
fn client_against_a_listening_server_with_cookies() {
    let _tap = we_are_client(&GCM.options(&["-listen"], &[]));
}

#[test]
fn client_through_losses() {
    let _tap = we_are_client(&ECDHE_CHACHA.options(&[], &["--mtu", "228"]).through_losses());
}

#[test]
fn client_with_a_wrong_key() {
    let (_server, address) = their_server(&GCM);
    let psk = format!("Client_identity={}", KEY.replace('5', "6"));
    let output = dtls(&["client", &address, "--psk", &psk, "--timeout", "3"]).finish(1);
    assert!(output.stderr.contains("no answer to Finished: wrong key?"), "{}", output.stderr);
}

#[test]
fn server_psk_ccm_8() {
    let _tap = we_are_server(&CCM_8);
}

#[test]
fn server_psk_gcm() {
    let _tap = we_are_server(&GCM);
}

#[test]
fn server_ecdhe_psk_chacha20() {
    let _tap = we_are_server(&ECDHE_CHACHA);
}

#[test]
fn server_p256() {
    let _tap = we_are_server(&ECDHE_CHACHA.options(&["-groups", "P-256"], &[]));
}

#[test]
fn server_small_datagrams_both_ways() {
    let _tap = we_are_server(&ECDHE_CHACHA.options(&["-mtu", "256"], &["--mtu", "228"]));
}

#[test]
fn server_without_cookie() {
    let _tap = we_are_server(&GCM.options(&[], &["--no-cookie"]));
}

#[test]
fn server_through_losses() {
    let _tap = we_are_server(&ECDHE_CHACHA.options(&["-mtu", "256"], &["--mtu", "228"]).through_losses());
}

#[test]
fn server_that_does_not_know_the_identity() {
    let (mut server, tap) = GCM.our_server();
    let address = tap.address();
    let arguments = ["s_client", "-dtls1_2", "-connect", &address, "-psk", KEY, "-psk_identity", "stranger"];
    let mut client = Process::start("openssl", &arguments);
    client.expect("SSL alert number 51");
    server.expect("handshake failed");
}
