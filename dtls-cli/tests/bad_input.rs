//! What goes wrong, each case with its sentence, its alert on the wire or none, and its exit code.

mod harness;

use std::{fs, net::UdpSocket};

use child_process::{Way, Wiretap};
use harness::{PSK, TempPath, Untouched, WRONG_PSK, alerts, connected_client, dtls, echo, server};

/// A fatal alert in epoch 0, up to its record number.
fn is_plain_alert(record: &[u8], description: u8) -> bool {
    record[..5] == [21, 0xfe, 0xfd, 0, 0] && record[11..] == [0, 2, 2, description]
}

/// Runs a command that must end with `code` before it sends anything, and checks its sentence.
fn refused(arguments: &[&str], says: &[&str]) {
    let output = dtls(arguments).finish(2);
    assert_eq!(output.stdout, "");
    for text in says {
        assert!(output.stderr.contains(text), "no '{text}' in: {}", output.stderr);
    }
    assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    assert!(!output.stderr.contains("5a17b3c4"), "a key is shown: {}", output.stderr);
}

/// The same for a client, whose server must not hear of it.
fn client_refused(arguments: &[&str], says: &[&str]) {
    let peer = Untouched::new();
    let address = peer.address();
    let mut all = vec!["client", &address];
    all.extend(arguments);
    refused(&all, says);
    peer.assert_untouched();
}

#[test]
fn wrong_key() {
    let (mut server, address) = server(&["--psk", PSK, "--trace"]);
    let tap = Wiretap::before(&address);
    let output = dtls(&["client", &tap.address(), "--psk", WRONG_PSK, "--timeout", "3", "--versions", "1.2"])
        .finish(1);
    assert!(output.stderr.contains("no answer to Finished: wrong key?"), "{}", output.stderr);
    // The server drops the record, says why, and nothing to the peer.
    server.expect("the record does not authenticate");
    assert_eq!(alerts(&tap, Way::ToClient), Vec::<Vec<u8>>::new());
    assert_eq!(alerts(&tap, Way::ToServer), Vec::<Vec<u8>>::new());
}

#[test]
fn unknown_identity() {
    let (mut server, address) = server(&["--psk", PSK]);
    let tap = Wiretap::before(&address);
    let output = dtls(&["client", &tap.address(), "--psk", "stranger=0011223344"]).finish(1);
    assert!(output.stderr.contains("the alert decrypt_error (51)"), "{}", output.stderr);
    let alerts = alerts(&tap, Way::ToClient);
    assert!(matches!(&alerts[..], [alert, ..] if is_plain_alert(alert, 51)), "{alerts:x?}");
    server.expect("handshake failed: the PSK identity is not known, or its key is wrong");
}

#[test]
fn no_common_suite() {
    let (mut server, address) = server(&["--psk", PSK, "--suites", "TLS_PSK_WITH_AES_128_GCM_SHA256"]);
    let tap = Wiretap::before(&address);
    let suites = "TLS_PSK_WITH_AES_128_CCM_8,TLS_PSK_WITH_AES_256_CCM";
    let output = dtls(&["client", &tap.address(), "--psk", PSK, "--suites", suites]).finish(1);
    assert!(output.stderr.contains("the alert handshake_failure (40)"), "{}", output.stderr);
    let alerts = alerts(&tap, Way::ToClient);
    assert!(matches!(&alerts[..], [alert, ..] if is_plain_alert(alert, 40)), "{alerts:x?}");
    server.expect("no cipher suite in common");
}

#[test]
fn bad_hexadecimal() {
    let says = ["--psk: the key of identity 'sensor' is not hexadecimal", "ID=HEX", "ID=text:TEXT"];
    client_refused(&["--psk", "sensor=5a17b3c4xx"], &says);
    client_refused(&["--psk", "sensor=5a17b3c4f"], &["odd number"]);
    refused(&["server", "--listen", "127.0.0.1:0", "--psk", "sensor=5a17b3c4xx"], &says);
}

#[test]
fn key_without_an_identity() {
    client_refused(&["--psk", "5a17b3c4"], &["--psk: there is no '='", "ID=HEX"]);
}

#[test]
fn key_of_no_or_too_many_bytes() {
    client_refused(&["--psk", "sensor="], &["has 0 bytes: give 1 to 256"]);
    client_refused(&["--psk", &format!("sensor={}", "5a".repeat(257))], &["has 257 bytes: give 1 to 256"]);
}

#[test]
fn no_key() {
    client_refused(&[], &["no pre-shared key is given", "--psk-file"]);
    refused(&["server", "--listen", "127.0.0.1:0"], &["no pre-shared key is given"]);
}

#[test]
fn more_keys_than_a_client_takes() {
    client_refused(
        &["--psk", PSK, "--psk", "other=00"],
        &["2 pre-shared keys are given: a client takes one"],
    );
}

#[test]
fn missing_key_file() {
    let says = ["the key file /nonexistent/keys cannot be read: No such file"];
    client_refused(&["--psk-file", "/nonexistent/keys"], &says);
    refused(&["server", "--listen", "127.0.0.1:0", "--psk-file", "/nonexistent/keys"], &says);
}

#[test]
fn bad_line_in_a_key_file() {
    let file = TempPath::new("bad-line");
    fs::write(&file.0, "# keys\n\nsensor=5a17b3c4\nmeter=5a17b3c4zz\n").unwrap();
    let says = ["line 4 of the key file", "identity 'meter' is not hexadecimal"];
    client_refused(&["--psk-file", file.as_str()], &says);
    fs::write(&file.0, [0xff, 0xfe, b'=']).unwrap();
    client_refused(&["--psk-file", file.as_str()], &["it is not UTF-8 text"]);
}

#[test]
fn unknown_suite() {
    client_refused(
        &["--psk", PSK, "--suites", "TLS_RSA_WITH_NULL_MD5"],
        &["--suites: 'TLS_RSA_WITH_NULL_MD5' is not one of", "TLS_PSK_WITH_AES_128_CCM_8"],
    );
}

#[test]
fn unknown_version_group_and_mode() {
    client_refused(&["--psk", PSK, "--versions", "1.3,1.1"], &["--versions: '1.1' is not one of 1.2, 1.3"]);
    let says = ["--groups: 'x448' is not one of x25519, secp256r1"];
    client_refused(&["--psk", PSK, "--groups", "x448"], &says);
    let says = ["--psk-modes: 'psk' is not one of psk_dhe_ke, psk_ke"];
    client_refused(&["--psk", PSK, "--psk-modes", "psk"], &says);
    // What is known but cannot work together.
    let says = ["no cipher suite is configured"];
    client_refused(&["--psk", PSK, "--versions", "1.2", "--suites", "TLS_AES_128_GCM_SHA256"], &says);
}

#[test]
fn mtu_out_of_range() {
    client_refused(&["--psk", PSK, "--mtu", "227"], &["227", "228..=65507"]);
}

#[test]
fn key_log_that_cannot_be_written() {
    client_refused(
        &["--psk", PSK, "--keylog", "/nonexistent/log"],
        &["the key log /nonexistent/log cannot be"],
    );
}

#[test]
fn server_address_without_a_port() {
    refused(&["client", "127.0.0.1", "--psk", PSK], &["'127.0.0.1' is not HOST:PORT", "[::1]:4433"]);
}

#[test]
fn listening_address_that_is_none() {
    refused(&["server", "--listen", "localhost", "--psk", PSK], &["'localhost'", "--listen <ADDRESS:PORT>"]);
}

#[test]
fn taken_port() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["server", "--listen", &address, "--psk", PSK];
    refused(&arguments, &[&format!("cannot listen on {address}: Address already in use")]);
    taken.set_nonblocking(true).unwrap();
    assert!(taken.recv(&mut [0; 16]).is_err());
}

#[test]
fn nobody_listens() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = dtls(&["client", &address, "--psk", PSK, "--timeout", "1"]).finish(1);
    assert!(output.stderr.contains("no answer to ClientHello within 1 s"), "{}", output.stderr);
}

#[test]
fn somebody_listens_and_never_answers() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = dtls(&["client", &address, "--psk", PSK, "--timeout", "2"]).finish(1);
    assert!(output.stderr.contains("no answer to ClientHello within 2 s"), "{}", output.stderr);
    silent.set_nonblocking(true).unwrap();
    let mut hellos = 0;
    let mut buffer = [0; 2048];
    while let Ok(len) = silent.recv(&mut buffer) {
        // A handshake record with a ClientHello.
        assert_eq!((buffer[0], buffer[13], len > 60), (22, 1, true));
        hellos += 1;
    }
    assert!(hellos >= 2, "the hello was sent {hellos} times");
}

#[test]
fn more_than_fits_into_a_datagram() {
    let (_server, address) = server(&["--psk", PSK]);
    let long = "x".repeat(1300);
    let output = dtls(&["client", &address, "--psk", PSK, "--send", "short", "--send", &long]).finish(2);
    assert!(output.stderr.contains("datagram 2 to send has 1300 bytes: at most"), "{}", output.stderr);
}

#[test]
fn others_go_on_while_bad_peers_come() {
    let (mut server, address) = server(&["--psk", PSK, "--trace"]);
    let mut good = connected_client(&address);
    echo(&mut good, "before");

    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in [&b""[..], b"GET / HTTP/1.1\r\n", &[22; 40], &[0xff; 1200]] {
        noise.send_to(datagram, &address).unwrap();
    }
    let short = ["--timeout", "1"];
    let wrong = dtls(&["client", &address, "--psk", WRONG_PSK, short[0], short[1]]);
    dtls(&["client", &address, "--psk", "stranger=00"]).finish(1);
    dtls(&["client", &address, "--psk", PSK, "--suites", "TLS_PSK_WITH_AES_128_CCM_8"]).finish(1);
    echo(&mut good, "during");
    wrong.finish(1);

    // Every drop has its reason in the trace, and nobody was answered without need.
    server.expect(&format!("{} datagram dropped: ", noise.local_addr().unwrap()));
    noise.set_nonblocking(true).unwrap();
    assert!(noise.recv(&mut [0; 64]).is_err());

    let mut late = connected_client(&address);
    echo(&mut late, "a new peer");
    echo(&mut good, "after");
    good.finish(0);
    late.finish(0);
}
