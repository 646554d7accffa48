//! The command as it is meant to be used: standard output, standard error, files.

mod harness;

use std::fs;

use child_process::{Way, Wiretap};
use dtls_process::Dtls;
use harness::{PSK, TempPath, alerts, connected_client, dtls, echo, server};

#[test]
fn lines_go_there_and_replies_come_back_on_standard_output() {
    let (mut server, address) = server(&["--psk", PSK]);
    let mut client = connected_client(&address);
    client.type_line("21.5 C");
    client.type_line("");
    client.type_line("grüße");
    let output = client.finish(0);
    assert_eq!(output.stdout, "21.5 C\n\ngrüße\n");
    // The newest version is the default of both ends.
    assert!(output.stderr.contains("DTLS 1.3, TLS_AES_128_GCM_SHA256"), "{}", output.stderr);
    server.expect("connected: DTLS 1.3");
    server.expect("closed: close_notify from the peer");
}

#[test]
fn texts_of_arguments_are_sent_and_standard_input_is_not_read() {
    let (_server, address) = server(&["--psk", PSK]);
    let output = dtls(&["client", &address, "--psk", PSK, "--send", "one", "--send", "two"]).finish(0);
    assert_eq!(output.stdout, "one\ntwo\n");
}

#[test]
fn keys_from_a_file_and_as_text() {
    let file = TempPath::new("keys");
    fs::write(&file.0, "# two devices\nmeter=text:open sesame\n\n  sensor=5a17\n").unwrap();
    let (_server, address) = server(&["--psk-file", file.as_str(), "--psk", "third=00"]);
    for psk in ["meter=text:open sesame", "meter=6f70656e20736573616d65", "sensor=5A17", "third=00"] {
        let output = dtls(&["client", &address, "--psk", psk, "--send", "hello"]).finish(0);
        assert_eq!(output.stdout, "hello\n");
    }
}

#[test]
fn both_ends_close_in_order() {
    let (_server, address) = server(&["--psk", PSK]);
    let tap = Wiretap::before(&address);
    let client = dtls(&["client", &tap.address(), "--psk", PSK, "--send", "bye", "--versions", "1.2"]);
    assert_eq!(client.finish(0).stdout, "bye\n");
    // Protected, in epoch 1: two bytes, explicit nonce and tag.
    let alerts = alerts(&tap, Way::ToServer);
    assert!(matches!(&alerts[..], [alert] if alert[3..5] == [0, 1] && alert.len() == 13 + 8 + 2 + 16));
}

#[test]
fn a_new_handshake_from_the_address_of_one_that_is_over() {
    let (mut server, address) = server(&["--psk", PSK]);
    // The tap speaks to the server from one address, whoever its client is.
    let tap = Wiretap::before(&address);
    let connect = |psk: &str, text: &str, code| {
        dtls(&["client", &tap.address(), "--psk", psk, "--send", text]).finish(code).stdout
    };
    assert_eq!(connect(PSK, "first", 0), "first\n");
    server.expect("closed: close_notify");
    assert_eq!(connect("stranger=00", "", 1), "");
    server.expect("handshake failed");
    assert_eq!(connect(PSK, "third", 0), "third\n");
}

#[test]
fn suites_by_name_in_any_case_of_letters() {
    let (_server, address) =
        server(&["--psk", PSK, "--suites", "tls_psk_with_aes_128_ccm_8, TLS_PSK_WITH_AES_256_CCM"]);
    let suites = "TLS_PSK_WITH_AES_128_CCM_8";
    let output = dtls(&["client", &address, "--psk", PSK, "--suites", suites, "--send", "x"]).finish(0);
    assert!(output.stderr.contains(suites), "{}", output.stderr);
}

#[test]
fn short_tags_only_on_demand() {
    let (_server, address) = server(&["--psk", PSK]);
    let suites = ["--suites", "TLS_PSK_WITH_AES_128_CCM_8"];
    let output = dtls(&["client", &address, "--psk", PSK, suites[0], suites[1]]).finish(1);
    assert!(output.stderr.contains("handshake_failure"), "{}", output.stderr);
}

#[test]
fn both_ends_log_the_same_secret() {
    for (version, labels) in [("1.2", &["CLIENT_RANDOM"][..]), ("1.3", SECRETS_13)] {
        let [ours, theirs] =
            ["log-client", "log-server"].map(|name| TempPath::new(&format!("{name}-{version}")));
        let (_server, address) = server(&["--psk", PSK, "--keylog", theirs.as_str()]);
        let mut client = Dtls::start_with(
            env!("CARGO_BIN_EXE_dtls"),
            &["client", &address, "--psk", PSK, "--versions", version],
            &[("SSLKEYLOGFILE", ours.as_str())],
        );
        echo(&mut client, "how warm is it?");
        client.finish(0);
        let log = fs::read_to_string(&ours.0).unwrap();
        assert_eq!(log, fs::read_to_string(&theirs.0).unwrap());
        let secret_len = if version == "1.2" { 96 } else { 64 };
        for (line, label) in log.lines().zip(labels) {
            let words: Vec<_> = line.split(' ').collect();
            let fits = matches!(&words[..], [l, random, secret]
                if l == label && random.len() == 64 && secret.len() == secret_len);
            assert!(fits, "{line}");
        }
        assert_eq!(log.lines().count(), labels.len());
    }
}

const SECRETS_13: &[&str] = &[
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
];

/// Either end decides, and so do groups, modes and imported keys.
#[test]
fn versions_modes_groups_and_imported_keys() {
    let (mut server, address) = server(&["--psk", PSK, "--psk-modes", "psk_dhe_ke,psk_ke"]);
    for (options, agreed) in [
        (&["--versions", "1.2"][..], "DTLS 1.2"),
        (&["--versions", "1.3"], "DTLS 1.3"),
        (&["--versions", "1.3,1.2", "--psk-modes", "PSK_KE"], "DTLS 1.3"),
        (&["--groups", "secp256r1"], "DTLS 1.3"),
    ] {
        let output = dtls(&[&["client", &address, "--psk", PSK, "--send", "x"], options].concat()).finish(0);
        assert_eq!(output.stdout, "x\n");
        server.expect(&format!("connected: {agreed}"));
    }
    let (_importer, address) = harness::server(&["--psk", PSK, "--psk-importer", "meters"]);
    let client = |context: &[&str], code| {
        dtls(&[&["client", &address, "--psk", PSK, "--send", "x"], context].concat()).finish(code)
    };
    assert_eq!(client(&["--psk-importer", "meters"], 0).stdout, "x\n");
    for other in [&["--psk-importer", "others"][..], &["--psk-importer"], &[]] {
        assert!(client(other, 1).stderr.contains("decrypt_error"));
    }
}

#[test]
fn versions_that_do_not_meet() {
    for (ours, theirs) in [("1.3", "1.2"), ("1.2", "1.3")] {
        let (_server, address) = server(&["--psk", PSK, "--versions", theirs]);
        let output = dtls(&["client", &address, "--psk", PSK, "--send", "x", "--versions", ours]).finish(1);
        assert!(output.stderr.contains("protocol_version"), "{}", output.stderr);
    }
}

#[test]
fn a_trace_shows_messages_records_and_datagrams() {
    let (mut server, address) = server(&["--psk", PSK, "--trace"]);
    let output = dtls(&["client", &address, "--psk", PSK, "--trace", "--send", "x"]).finish(0);
    assert_eq!(output.stdout, "x\n");
    for text in
        ["message out client_hello #0", "message in server_hello", "record out 3:0", "alert out close_notify"]
    {
        assert!(output.stderr.contains(text), "no '{text}' in {}", output.stderr);
    }
    server.expect("datagram in,");
    server.expect("message in finished");
}

#[test]
fn no_cookie_saves_a_round_trip() {
    for (option, hellos) in [(&[][..], 2), (&["--no-cookie"], 1)] {
        let mut arguments = vec!["--psk", PSK];
        arguments.extend(option);
        let (_server, address) = server(&arguments);
        let output = dtls(&["client", &address, "--psk", PSK, "--trace", "--send", "x"]).finish(0);
        assert_eq!(output.stderr.matches("message out client_hello").count(), hellos);
    }
}

#[test]
fn over_ipv6_and_in_small_datagrams() {
    let mut server = dtls(&["server", "--listen", "[::1]:0", "--psk", PSK, "--mtu", "228"]);
    let address = server.line_after("listening on ");
    assert!(address.starts_with("[::1]:"));
    let output = dtls(&["client", &address, "--psk", PSK, "--mtu", "228", "--send", "x"]).finish(0);
    assert_eq!(output.stdout, "x\n");
}

#[test]
fn a_demonstration_prints_the_same_bytes_for_the_same_seed() {
    for seed in ["1", "42", "200"] {
        let run = || {
            let settings = ["--loss", "0.3", "--duplicate", "0.1", "--reorder", "0.2", "--seed", seed];
            let mut arguments = vec!["demo"];
            arguments.extend(settings);
            dtls(&arguments).finish(0)
        };
        let first = run();
        assert!(first.stdout.contains("delivered and acknowledged"), "{}", first.stdout);
        assert_eq!((first.stderr.as_str(), &first), ("", &run()));
    }
}

#[test]
fn help_says_what_is_accepted_and_when_a_demonstration_gives_up() {
    let help = dtls(&["demo", "--help"]).finish(0).stdout;
    assert!(help.contains("10 virtual minutes") && help.contains("up to 20 times"), "{help}");
    let help = dtls(&["--help"]).finish(0).stdout;
    assert!(help.contains("Exit codes: 0 done"), "{help}");
}
