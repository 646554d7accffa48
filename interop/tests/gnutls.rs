//! GnuTLS over loopback UDP, both roles: data both ways and a clean close.

use std::{env, fs, process};

use child_process::Process;
use interop::{Case, KEY, free_port};

const CCM_8: Case<'_> = Case::new("AES-128-CCM-8", "TLS_PSK_WITH_AES_128_CCM_8");
const GCM: Case<'_> = Case::new("AES-128-GCM", "TLS_PSK_WITH_AES_128_GCM_SHA256");

fn we_are_client(case: &Case<'_>) {
    let port = free_port().to_string();
    let keys = env::temp_dir().join(format!("interop-gnutls-{}-{port}", process::id()));
    fs::write(&keys, format!("sensor:{KEY}\n")).expect("a key file");
    let priority = format!("NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+{}", case.theirs);
    let mut arguments = vec!["-u", "-p", &port, "--echo", "--pskpasswd", keys.to_str().expect("UTF-8")];
    arguments.extend(["--priority", &priority]);
    arguments.extend(case.their_options);
    let mut server = Process::start("gnutls-serv", &arguments);
    server.expect("listening on");
    // Twice: the server goes on after the first has closed.
    for text in ["there and back", "once more"] {
        let (mut client, _tap) = case.our_client("sensor", &format!("127.0.0.1:{port}"));
        client.type_line(text);
        client.expect(text);
        client.finish(0);
    }
    let _ = fs::remove_file(keys);
}

fn we_are_server(case: &Case<'_>) {
    let (server, tap) = case.our_server();
    let address = tap.address();
    let (host, port) = address.split_once(':').expect("host and port");
    let priority = format!("NONE:+VERS-DTLS1.2:+PSK:+{}:+AEAD:+SIGN-ALL:+COMP-NULL", case.theirs);
    let mut arguments = vec!["-u", host, "-p", port, "--pskusername", "sensor", "--pskkey", KEY];
    arguments.extend(["--priority", &priority]);
    arguments.extend(case.their_options);
    let mut client = Process::start("gnutls-cli", &arguments);
    client.expect("Simple Client Mode");
    case.echo(client, server);
}

#[test]
fn client_psk_ccm_8() {
    we_are_client(&CCM_8);
}

#[test]
fn client_psk_gcm() {
    we_are_client(&GCM);
}

#[test]
fn client_small_datagrams_both_ways() {
    we_are_client(&GCM.options(&["--mtu", "300"], &["--mtu", "228"]));
}

#[test]
fn client_without_cookies() {
    we_are_client(&GCM.options(&["--nocookie"], &[]));
}

#[test]
fn client_through_losses() {
    we_are_client(&GCM.through_losses());
}

#[test]
fn server_psk_ccm_8() {
    we_are_server(&CCM_8);
}

#[test]
fn server_psk_gcm() {
    we_are_server(&GCM);
}

#[test]
fn server_small_datagrams_both_ways() {
    we_are_server(&GCM.options(&["--mtu", "300"], &["--mtu", "228"]));
}

#[test]
fn server_through_losses() {
    we_are_server(&GCM.through_losses());
}

#[test]
fn client_of_both_versions() {
    we_are_client(&GCM.dual());
}

#[test]
fn server_of_both_versions() {
    we_are_server(&GCM.dual());
}
