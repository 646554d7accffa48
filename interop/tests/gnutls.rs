//! GnuTLS over loopback UDP, both roles: data both ways and a clean close.

use std::fs;

use child_process::Process;
use interop::{dtls, free_port};

const KEY: &str = "5a17b3c4d5e6f708192a3b4c5d6e7f80";

/// GnuTLS' name and ours.
const CCM_8: (&str, &str) = ("AES-128-CCM-8", "TLS_PSK_WITH_AES_128_CCM_8");
const GCM: (&str, &str) = ("AES-128-GCM", "TLS_PSK_WITH_AES_128_GCM_SHA256");

/// `gnutls-serv --echo` and our client.
fn we_are_client((theirs, ours): (&str, &str), their_options: &[&str], our_options: &[&str]) {
    let port = free_port().to_string();
    let keys = std::env::temp_dir().join(format!("interop-gnutls-{}-{port}", std::process::id()));
    fs::write(&keys, format!("sensor:{KEY}\n")).expect("a key file");
    let priority = format!("NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+{theirs}");
    let mut arguments = vec!["-u", "-p", &port, "--echo", "--pskpasswd", keys.to_str().expect("UTF-8")];
    arguments.extend(["--priority", &priority]);
    arguments.extend(their_options);
    let mut server = Process::start("gnutls-serv", &arguments);
    server.expect("listening on");

    let address = format!("127.0.0.1:{port}");
    let psk = format!("sensor={KEY}");
    // Twice: the server goes on after the first has closed.
    for text in ["there and back", "once more"] {
        let mut arguments = vec!["client", &address, "--psk", &psk, "--suites", ours];
        arguments.extend(our_options);
        let mut client = dtls(&arguments);
        client.expect(&format!("DTLS 1.2, {ours}"));
        client.type_line(text);
        client.expect(text);
        client.finish(0);
    }
    let _ = fs::remove_file(keys);
}

/// `gnutls-cli` and our server, which echoes.
fn we_are_server((theirs, ours): (&str, &str), their_options: &[&str], our_options: &[&str]) {
    let psk = format!("sensor={KEY}");
    let mut arguments = vec!["server", "--listen", "127.0.0.1:0", "--psk", &psk, "--suites", ours];
    arguments.extend(our_options);
    let mut server = dtls(&arguments);
    let address = server.line_after("listening on ");
    let (host, port) = address.split_once(':').expect("host and port");

    let priority = format!("NONE:+VERS-DTLS1.2:+PSK:+{theirs}:+AEAD:+SIGN-ALL:+COMP-NULL");
    let mut arguments = vec!["-u", host, "-p", port, "--pskusername", "sensor", "--pskkey", KEY];
    arguments.extend(["--priority", &priority]);
    arguments.extend(their_options);
    let mut client = Process::start("gnutls-cli", &arguments);
    server.expect(&format!("connected: DTLS 1.2, {ours}, identity 'sensor'"));
    client.expect("Simple Client Mode");
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
fn client_small_datagrams_both_ways() {
    we_are_client(GCM, &["--mtu", "300"], &["--mtu", "228"]);
}

#[test]
fn client_without_cookies() {
    we_are_client(GCM, &["--nocookie"], &[]);
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
fn server_small_datagrams_both_ways() {
    we_are_server(GCM, &["--mtu", "300"], &["--mtu", "228"]);
}
