//! CoAP with libcoap over loopback UDP, both roles and both of its DTLS libraries: get, put and observe.

use core::net::Ipv4Addr;
use std::net::UdpSocket;

use child_process::{Process, Way, Wiretap};
use interop::{Dtls, dtls, free_port};

const PSK: &str = "sensor=text:open sesame";
const CCM_8: &str = "TLS_PSK_WITH_AES_128_CCM_8";
const GCM: &str = "TLS_PSK_WITH_AES_128_GCM_SHA256";

/// Our server, and where it listens.
fn our_server(options: &[&str]) -> (Dtls, String) {
    let mut arguments = vec!["server", "--listen", "127.0.0.1:0", "--app", "coap", "--psk", PSK];
    arguments.extend(options);
    let mut server = dtls(&arguments);
    let address = server.line_after("listening on ");
    (server, address)
}

/// Our client, asking for a resource of the server at `address`.
fn our_client(address: &str, path: &str, options: &[&str]) -> Dtls {
    let uri = format!("coaps://{address}{path}");
    let mut arguments = vec!["client", &uri, "--psk", PSK];
    arguments.extend(options);
    dtls(&arguments)
}

/// `coap-server` with this DTLS library, and where it listens for DTLS.
fn their_server(library: &str) -> (Process, String) {
    // It takes the port that follows too.
    let next_is_free = |port: &u16| UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok();
    let port = core::iter::repeat_with(free_port).find(next_is_free).expect("two free ports");
    let arguments =
        ["-A", "127.0.0.1", "-p", &port.to_string(), "-k", "open sesame", "-h", "hint", "-d", "1"];
    let mut server =
        Process::start(&format!("coap-server-{library}"), &[&["-v", "7"], &arguments[..]].concat());
    let address = format!("127.0.0.1:{}", port + 1);
    server.expect(&format!("created DTLS endpoint {address}"));
    (server, address)
}

/// `coap-client` with this DTLS library, asking for a resource of the server at `address`.
fn their_client(library: &str, address: &str, path: &str, options: &[&str]) -> Process {
    let uri = format!("coaps://{address}{path}");
    let mut arguments = vec!["-u", "sensor", "-k", "open sesame"];
    arguments.extend(options);
    arguments.push(&uri);
    Process::start(&format!("coap-client-{library}"), &arguments)
}

fn gets_and_puts_ours(library: &str, suite: &str) {
    let (mut server, address) = our_server(&["--suites", suite]);
    let ask = |path, options: &[_]| their_client(library, &address, path, options).finish(0);
    assert_eq!(ask("/example_data", &[]).stdout.trim_end(), "21.5 C");
    server.expect(&format!("connected: DTLS 1.2, {suite}, identity 'sensor'"));
    server.expect("closed: close_notify from the peer");
    // Also one that is not to be confirmed.
    for (text, options) in
        [("22 C", &["-m", "put", "-e", "22%20C"][..]), ("23 C", &["-N", "-m", "put", "-e", "23%20C"])]
    {
        ask("/example_data", options);
        assert_eq!(ask("/example_data", &[]).stdout.trim_end(), text);
        assert_eq!(ask("/example_data", &["-N"]).stdout.trim_end(), text);
    }
    ask("/a%20new/one", &["-m", "post", "-t", "text/plain", "-e", "there"]);
    let links = "</>;ct=0,</a%20new/one>;obs;ct=0,</example_data>;obs";
    assert_eq!(ask("/.well-known/core", &[]).stdout.trim_end(), links);
    ask("/a%20new/one", &["-m", "delete"]);
    assert!(ask("/a%20new/one", &[]).stderr.contains("4.04"));
    assert!(ask("/", &["-m", "put", "-e", "x"]).stderr.contains("4.05"));
    // Block-wise transfer is not there, and a critical option says that it is wanted.
    assert!(ask("/", &["-b", "16"]).stderr.contains("4.02"));
}

fn observes_ours(library: &str) {
    let (mut server, address) = our_server(&[]);
    let mut observer = their_client(library, &address, "/example_data", &["-s", "60"]);
    server.expect("connected: DTLS 1.2");
    observer.expect("21.5 C");
    // So many that it would have forgotten the registration if notifications did not come as they should.
    for text in ["22 C", "23 C", "24 C", "25 C"] {
        our_client(&address, "/example_data", &["--method", "put", "--payload", text]).finish(0);
        observer.expect(text);
    }
    our_client(&address, "/example_data", &["--method", "delete"]).finish(0);
    observer.expect("4.04");
}

fn serves_ours(library: &str, suite: &str) {
    let (_server, address) = their_server(library);
    let ask = |path, options: &[_], code| {
        let output = our_client(&address, path, &[&["--suites", suite], options].concat()).finish(code);
        assert!(output.stderr.contains(&format!("DTLS 1.2, {suite}")), "{}", output.stderr);
        output
    };
    assert!(ask("/", &[], 0).stdout.starts_with("This is a test server made with libcoap"));
    assert!(ask("/.well-known/core", &[], 0).stdout.contains("</time>"));
    for (text, says) in [("22 C", "2.01 Created"), ("23 C", "2.04 Changed")] {
        let put = ask("/example_data", &["--method", "put", "--payload", text], 0);
        assert!(put.stderr.contains(says), "{}", put.stderr);
        assert_eq!(ask("/example_data", &[], 0).stdout, format!("{text}\n"));
    }
    // The time in ticks since some moment; a query changes its form.
    assert!(ask("/time?ticks", &[], 0).stdout.trim_end().bytes().all(|byte| byte.is_ascii_digit()));
    ask("/new%20one", &["--method", "put", "--payload", "there"], 0);
    assert_eq!(ask("/new%20one", &[], 0).stdout, "there\n");
    assert!(ask("/new%20one", &["--method", "delete"], 0).stderr.contains("2.02 Deleted"));
    assert!(ask("/new%20one", &[], 1).stderr.contains("answered 4.04 Not Found"));
    // Acknowledged at once, answered after a second in a message of its own.
    assert_eq!(ask("/async?1", &[], 0).stdout, "done\n");
}

fn lets_ours_observe(library: &str) {
    let (_server, address) = their_server(library);
    our_client(&address, "/example_data", &["--method", "put", "--payload", "22 C"]).finish(0);
    let mut observer = our_client(&address, "/example_data", &["--observe", "4"]);
    observer.expect("22 C");
    for text in ["23 C", "24 C", "25 C"] {
        our_client(&address, "/example_data", &["--method", "put", "--payload", text]).finish(0);
        observer.expect(text);
    }
    assert_eq!(observer.finish(0).stdout, "22 C\n23 C\n24 C\n25 C\n");
    // It changes each second.
    let times = our_client(&address, "/time", &["--observe", "3"]).finish(0).stdout;
    let times: Vec<_> = times.lines().collect();
    assert!(times.len() == 3 && times[0] != times[1] && times[1] != times[2], "{times:?}");
}

/// Loses what follows three flights of a handshake: the request, and then the response to its repetition.
fn losing_coap(address: &str) -> Wiretap {
    Wiretap::losing(address, |_, number| number == 3)
}

fn repeats_what_is_lost(library: &str) {
    // Three flights, the request three times, close_notify.
    let sent = |tap: &Wiretap| tap.datagrams(Way::ToServer).len();
    let (_server, address) = our_server(&[]);
    let tap = losing_coap(&address);
    their_client(library, &tap.address(), "/example_data", &["-m", "post", "-e", "!"]).finish(0);
    assert!(sent(&tap) >= 7, "{}", sent(&tap));
    // Carried out once.
    assert_eq!(our_client(&address, "/example_data", &[]).finish(0).stdout, "21.5 C!\n");
    let (_server, address) = their_server(library);
    let tap = losing_coap(&address);
    our_client(&tap.address(), "/example_data", &["--method", "put", "--payload", "22 C"]).finish(0);
    assert!(sent(&tap) >= 6, "{}", sent(&tap));
    assert_eq!(our_client(&address, "/example_data", &[]).finish(0).stdout, "22 C\n");
}

#[test]
fn an_openssl_client_gets_and_puts() {
    gets_and_puts_ours("openssl", CCM_8);
    gets_and_puts_ours("openssl", GCM);
}

#[test]
fn a_gnutls_client_gets_and_puts() {
    gets_and_puts_ours("gnutls", CCM_8);
    gets_and_puts_ours("gnutls", GCM);
}

#[test]
fn an_openssl_client_observes() {
    observes_ours("openssl");
}

#[test]
fn a_gnutls_client_observes() {
    observes_ours("gnutls");
}

#[test]
fn an_openssl_server_is_asked() {
    serves_ours("openssl", CCM_8);
    serves_ours("openssl", GCM);
}

#[test]
fn a_gnutls_server_is_asked() {
    serves_ours("gnutls", CCM_8);
    serves_ours("gnutls", GCM);
}

#[test]
fn an_openssl_server_is_observed() {
    lets_ours_observe("openssl");
}

#[test]
fn a_gnutls_server_is_observed() {
    lets_ours_observe("gnutls");
}

#[test]
fn lost_requests_and_responses_with_openssl() {
    repeats_what_is_lost("openssl");
}

#[test]
fn lost_requests_and_responses_with_gnutls() {
    repeats_what_is_lost("gnutls");
}

#[test]
fn a_wrong_key() {
    let (_server, address) = their_server("openssl");
    let uri = format!("coaps://{address}/");
    let output = dtls(&["client", &uri, "--psk", "sensor=text:sesame", "--timeout", "3"]).finish(1);
    assert!(output.stderr.contains("wrong key?"), "{}", output.stderr);
}
