//! The real command.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{fs, net::UdpSocket, path::PathBuf};

use child_process::{Way, Wiretap};
use dtls_process::Dtls;

/// The right key of identity `sensor`.
pub(crate) const PSK: &str = "sensor=5a17b3c4d5e6f708192a3b4c5d6e7f80";
/// Another key.
pub(crate) const WRONG_PSK: &str = "sensor=ffffffffffffffffffffffffffffffff";

/// Starts the command, watched by monitors.
pub(crate) fn dtls(arguments: &[&str]) -> Dtls {
    Dtls::start(env!("CARGO_BIN_EXE_dtls"), arguments)
}

/// Starts a server on a free port and returns its address too.
pub(crate) fn server(arguments: &[&str]) -> (Dtls, String) {
    let mut all = vec!["server", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let mut server = dtls(&all);
    let address = server.line_after("listening on ");
    (server, address)
}

/// A client that is connected and waits for lines.
pub(crate) fn connected_client(address: &str) -> Dtls {
    let mut client = dtls(&["client", address, "--psk", PSK]);
    client.expect("connected to");
    client
}

/// Sends a line and waits for its echo.
pub(crate) fn echo(client: &mut Dtls, line: &str) {
    client.type_line(line);
    client.expect(line);
}

/// A fresh path for a file of a test; removed when dropped.
pub(crate) struct TempPath(pub(crate) PathBuf);

impl TempPath {
    /// A path whose last part contains `name`, which is unique among tests.
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("dtls-test-{}-{name}", std::process::id())))
    }

    /// The path as an argument.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A socket that no datagram may reach.
pub(crate) struct Untouched(UdpSocket);

impl Untouched {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Checks that nothing has come; whoever could have sent something must have ended.
    pub(crate) fn assert_untouched(&self) {
        let received = self.0.recv(&mut [0; 2048]);
        assert!(received.is_err(), "a datagram of {received:?} bytes came");
    }
}

/// The alert records, unprotected and protected, that went this way.
pub(crate) fn alerts(tap: &Wiretap, way: Way) -> Vec<Vec<u8>> {
    tap.datagrams(way).iter().flat_map(|bytes| records(bytes)).filter(|record| record[0] == 21).collect()
}

/// The records of a DTLS 1.2 datagram.
fn records(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = datagram;
    while rest.len() >= 13 {
        let length = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        let (record, next) = rest.split_at(length.min(rest.len()));
        records.push(record.to_vec());
        rest = next;
    }
    records
}
