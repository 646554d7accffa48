//! OpenSSL over loopback UDP, both roles: data both ways and a clean close.

use child_process::Process;
use interop::{dtls, free_port};

const KEY: &str = "5a17b3c4d5e6f708192a3b4c5d6e7f80";

/// OpenSSL's name and ours.
const CCM_8: (&str, &str) = ("PSK-AES128-CCM8:@SECLEVEL=0", "TLS_PSK_WITH_AES_128_CCM_8");
const GCM: (&str, &str) = ("PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256");
const ECDHE_CHACHA: (&str, &str) =
    ("ECDHE-PSK-CHACHA20-POLY1305", "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256");

/// `openssl s_server` and our client.
fn we_are_client((theirs, ours): (&str, &str), their_options: &[&str], our_options: &[&str]) {
    let address = format!("127.0.0.1:{}", free_port());
    let mut arguments = vec!["s_server", "-dtls1_2", "-accept", &address, "-nocert", "-naccept", "1"];
    arguments.extend(["-psk", KEY, "-cipher", theirs]);
    arguments.extend(their_options);
    let mut server = Process::start("openssl", &arguments);
    server.expect("ACCEPT");

    let psk = format!("Client_identity={KEY}");
    let mut arguments = vec!["client", &address, "--psk", &psk, "--suites", ours];
    arguments.extend(our_options);
    let mut client = dtls(&arguments);
    client.expect(&format!("DTLS 1.2, {ours}"));
    client.type_line("from dtls to OpenSSL");
    server.expect("from dtls to OpenSSL");
    server.type_line("from OpenSSL to dtls");
    client.expect("from OpenSSL to dtls");
    client.finish(0);
    server.expect("CONNECTION CLOSED");
    server.finish(0);
}

/// `openssl s_client` and our server, which echoes.
fn we_are_server((theirs, ours): (&str, &str), their_options: &[&str], our_options: &[&str]) {
    let psk = format!("sensor={KEY}");
    let mut arguments = vec!["server", "--listen", "127.0.0.1:0", "--psk", &psk, "--suites", ours];
    arguments.extend(our_options);
    let mut server = dtls(&arguments);
    let address = server.line_after("listening on ");

    let mut arguments = vec!["s_client", "-dtls1_2", "-connect", &address];
    arguments.extend(["-psk", KEY, "-psk_identity", "sensor", "-cipher", theirs]);
    arguments.extend(their_options);
    let mut client = Process::start("openssl", &arguments);
    server.expect(&format!("connected: DTLS 1.2, {ours}, identity 'sensor'"));
    // What is typed is not shown, so this is the echo.
    client.type_line("there and back");
    client.expect("there and back");
    client.finish(0);
    server.expect("closed: close_notify from the peer");
}

#[test]
fn client_psk_ccm_8() {
    we_are_client(CCM_8, &[], &[]);
}

#[test]
fn client_psk_gcm() {
    we_are_client(GCM, &[], &[]);
}

#[test]
fn client_ecdhe_psk_chacha20() {
    we_are_client(ECDHE_CHACHA, &[], &[]);
}

#[test]
fn client_p256_and_a_key_exchange_hint() {
    we_are_client(ECDHE_CHACHA, &["-groups", "P-256", "-psk_hint", "meter"], &[]);
}

#[test]
fn client_small_datagrams_both_ways() {
    we_are_client(ECDHE_CHACHA, &["-mtu", "256"], &["--mtu", "228"]);
}

#[test]
fn client_against_a_listening_server_with_cookies() {
    we_are_client(GCM, &["-listen"], &[]);
}

#[test]
fn server_psk_ccm_8() {
    we_are_server(CCM_8, &[], &[]);
}

#[test]
fn server_psk_gcm() {
    we_are_server(GCM, &[], &[]);
}

#[test]
fn server_ecdhe_psk_chacha20() {
    we_are_server(ECDHE_CHACHA, &[], &[]);
}

#[test]
fn server_p256() {
    we_are_server(ECDHE_CHACHA, &["-groups", "P-256"], &[]);
}

#[test]
fn server_small_datagrams_both_ways() {
    we_are_server(ECDHE_CHACHA, &["-mtu", "256"], &["--mtu", "228"]);
}

#[test]
fn server_without_cookie() {
    we_are_server(GCM, &[], &["--no-cookie"]);
}
