//! The commands that the demonstration advertises work as they are printed, but for the port.

use child_process::Process;
use interop::{dtls, free_port};

#[test]
fn the_advertised_commands_reach_each_other() {
    let text = dtls(&["demo"]).finish(0).stdout;
    let address = format!("127.0.0.1:{}", free_port());
    let command = |program: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(program)).expect(program);
        let words: Vec<_> = line.replace("127.0.0.1:4433", &address).split(' ').map(String::from).collect();
        assert!(words.contains(&address), "{line}");
        words
    };
    let server = command("dtls server");
    let server: Vec<_> = server.iter().skip(1).map(String::as_str).collect();
    let mut server = dtls(&server);
    server.expect(&format!("listening on {address}"));
    let client = command("openssl s_client");
    let client: Vec<_> = client.iter().map(String::as_str).collect();
    let mut client = Process::start(client[0], &client[1..]);
    server.expect("connected");
    client.type_line("there and back");
    client.expect("there and back");
    client.finish(0);
    server.expect("closed: close_notify from the peer");
}
