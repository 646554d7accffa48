//! CoAP between two of our own commands, and its arguments.

mod harness;

use child_process::{Way, Wiretap};
use dtls_process::Dtls;
use harness::{PSK, Untouched, dtls, server};

fn coap_server(arguments: &[&str]) -> (Dtls, String) {
    let mut all = vec!["--app", "coap", "--psk", PSK];
    all.extend(arguments);
    server(&all)
}

fn client(address: &str, path: &str, arguments: &[&str]) -> Dtls {
    let uri = format!("coaps://{address}{path}");
    let mut all = vec!["client", &uri, "--psk", PSK];
    all.extend(arguments);
    dtls(&all)
}

#[test]
fn a_resource_is_read_written_and_removed() {
    let (_server, address) = coap_server(&[]);
    let put = ["--method", "put", "--payload"];
    for (path, arguments, code, stdout, says) in [
        ("/example_data", &[][..], 0, "21.5 C\n", "2.05 Content"),
        ("/example_data", &[put[0], put[1], put[2], "22 °C"], 0, "", "2.04 Changed"),
        ("/example_data", &["--method", "post", "--payload", "!"], 0, "", "2.04 Changed"),
        ("/example_data", &["--method", "get"], 0, "22 °C!\n", "2.05 Content"),
        ("/example_data", &["--method", "delete"], 0, "", "2.02 Deleted"),
        ("/example_data", &[], 1, "", "answered 4.04 Not Found"),
        ("/new%20one", &[put[0], put[1], put[2], "x"], 0, "", "2.01 Created"),
        ("/.well-known/core", &[], 0, "</>;ct=0,</new%20one>;obs;ct=0\n", "2.05 Content"),
        ("/", &["--method", "delete"], 1, "", "answered 4.05 Method Not Allowed"),
    ] {
        let output = client(&address, path, arguments).finish(code);
        assert_eq!(output.stdout, stdout, "{path} {arguments:?}");
        assert!(output.stderr.contains(says), "{path} {arguments:?}: {}", output.stderr);
    }
}

#[test]
fn an_observer_sees_changes() {
    let (mut server, address) = coap_server(&[]);
    let mut observer = client(&address, "/example_data", &["--observe", "3"]);
    observer.expect("21.5 C");
    for text in ["22 C", "23 C"] {
        client(&address, "/example_data", &["--method", "put", "--payload", text]).finish(0);
        observer.expect(text);
    }
    assert_eq!(observer.finish(0).stdout, "21.5 C\n22 C\n23 C\n");
    let output = client(&address, "/example_data", &["--observe", "1s"]).finish(0);
    assert_eq!(output.stdout, "23 C\n");
    let output = client(&address, "/", &["--observe", "2"]).finish(1);
    assert!(output.stderr.contains("does not let this resource be observed"), "{}", output.stderr);
    server.expect("closed: close_notify from the peer");
}

#[test]
fn the_profile_of_coap_has_the_mandatory_suite_as_the_last_resort() {
    let (mut server, address) = coap_server(&[]);
    let mandatory = "TLS_PSK_WITH_AES_128_CCM_8";
    client(&address, "/", &["--suites", mandatory]).finish(0);
    server.expect(&format!("connected: DTLS 1.2, {mandatory}"));
    let (mut server, address) = coap_server(&["--suites", mandatory]);
    client(&address, "/", &[]).finish(0);
    server.expect(&format!("connected: DTLS 1.2, {mandatory}"));
}

/// The first datagram with application data that each side sends, which are told by their length, is lost.
#[test]
fn lost_requests_and_acknowledgements_are_repeated_and_carried_out_once() {
    let (_server, address) = coap_server(&["--suites", "TLS_PSK_WITH_AES_128_GCM_SHA256"]);
    // With a cookie the client sends two hellos and a flight before its request; the server a cookie and two flights.
    for lost in
        [(|way, number| way == Way::ToServer && number == 3) as fn(Way, usize) -> bool, |way, number| {
            way == Way::ToClient && number == 3
        }]
    {
        let tap = Wiretap::losing(&address, lost);
        client(&tap.address(), "/example_data", &["--method", "post", "--payload", "!"]).finish(0);
        // Two hellos, a flight, the request twice, close_notify.
        let seen = |count| {
            (0..200).any(|_| {
                std::thread::sleep(core::time::Duration::from_millis(10));
                tap.datagrams(Way::ToServer).len() >= count
            })
        };
        assert!(seen(6));
    }
    assert_eq!(client(&address, "/example_data", &[]).finish(0).stdout, "21.5 C!!\n");
}

#[test]
fn a_bad_link_under_the_newest_version() {
    let (mut server, address) = coap_server(&[]);
    let links = [(|_, number| number % 4 == 0) as fn(Way, usize) -> bool, |_, number| number % 4 == 1];
    let taps = links.map(|lost| Wiretap::losing(&address, lost));
    let post = ["--method", "post", "--payload", "!"];
    for client in taps.each_ref().map(|tap| client(&tap.address(), "/example_data", &post)) {
        client.finish(0);
    }
    server.expect("connected: DTLS 1.3");
    assert_eq!(client(&address, "/example_data", &[]).finish(0).stdout, "21.5 C!!\n");
}

#[test]
fn the_default_port_is_that_of_coaps() {
    // Others may have taken the port, or be a server there: either way the message names it.
    let mut server = dtls(&["server", "--listen", "127.0.0.1", "--app", "coap", "--psk", PSK]);
    server.expect("127.0.0.1:5684");
    let output = dtls(&["client", "coaps://127.0.0.1", "--psk", "stranger=00", "--timeout", "1"]).finish(1);
    assert!(output.stderr.contains("127.0.0.1:5684"), "{}", output.stderr);
}

fn refused(arguments: &[&str], says: &str) {
    let mut all = arguments.to_vec();
    all.extend(["--psk", PSK]);
    let output = dtls(&all).finish(2);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains(says), "no '{says}' in: {}", output.stderr);
}

#[test]
fn wrong_usage_is_refused_in_one_sentence_without_a_packet() {
    let peer = Untouched::new();
    let address = peer.address();
    let uri = format!("coaps://{address}/x");
    for (uri, says) in [
        (format!("coap://{address}/x"), "CoAP without DTLS: write coaps://"),
        (format!("http://{address}/x"), "has the scheme 'http': write coaps://HOST[:PORT]/PATH"),
        (format!("coaps://{address}/x#y"), "has a fragment"),
        (format!("coaps://{address}/ x"), "is not a URI"),
        ("coaps:///x".into(), "names no host"),
    ] {
        refused(&["client", &uri], says);
    }
    refused(&["client", &uri, "--payload", "x"], "--payload is sent with --method put or --method post only");
    refused(&["client", &uri, "--method", "put", "--observe", "3"], "--observe goes with --method get only");
    refused(&["client", &uri, "--observe", "0"], "not a count, such as 3, or a number of seconds");
    refused(&["client", &uri, "--send", "x"], "--send is not for coaps://");
    refused(&["client", &address, "--method", "get"], "--method is for CoAP");
    refused(
        &["server", "--listen", "127.0.0.1"],
        "--listen names no port: write, for example, 127.0.0.1:4433",
    );
    refused(&["server", "--listen", "localhost", "--app", "coap"], "not an address and port");
    peer.assert_untouched();
}

#[test]
fn a_payload_that_does_not_fit_is_refused() {
    let (_server, address) = coap_server(&[]);
    let text = "x".repeat(1300);
    let output = client(&address, "/x", &["--method", "put", "--payload", &text]).finish(2);
    assert!(output.stderr.contains("the request has 13"), "{}", output.stderr);
    assert!(output.stderr.contains("no block-wise transfer"), "{}", output.stderr);
    let text = "x".repeat(1025);
    let output = client(&address, "/x", &["--method", "put", "--payload", &text]).finish(1);
    assert!(output.stderr.contains("4.13 Request Entity Too Large: at most 1024 bytes"), "{}", output.stderr);
}

#[test]
fn nobody_answers_a_request_to_something_else() {
    let (_server, address) = server(&["--psk", PSK]);
    // The echo is a request again, which a client resets; and then its Reset comes back.
    let output = client(&address, "/", &[]).finish(1);
    assert!(output.stderr.contains("Reset") || output.stderr.contains("acknowledge"), "{}", output.stderr);
}
