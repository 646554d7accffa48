//! The real command, and a look at the wire between its two ends.

#![allow(dead_code, reason = "each test file uses its part")]

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    fs,
    net::UdpSocket,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use child_process::Process;

/// The right key of identity `sensor`.
pub(crate) const PSK: &str = "sensor=5a17b3c4d5e6f708192a3b4c5d6e7f80";
/// Another key.
pub(crate) const WRONG_PSK: &str = "sensor=ffffffffffffffffffffffffffffffff";

/// Starts the command.
pub(crate) fn dtls(arguments: &[&str]) -> Process {
    Process::start(env!("CARGO_BIN_EXE_dtls"), arguments)
}

/// Starts a server on a free port and returns its address too.
pub(crate) fn server(arguments: &[&str]) -> (Process, String) {
    let mut all = vec!["server", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let mut server = dtls(&all);
    let address = server.line_after("listening on ");
    (server, address)
}

/// A client that is connected and waits for lines.
pub(crate) fn connected_client(address: &str) -> Process {
    let mut client = dtls(&["client", address, "--psk", PSK]);
    client.expect("connected to");
    client
}

/// Sends a line and waits for its echo.
pub(crate) fn echo(client: &mut Process, line: &str) {
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

/// Stands between a client and a server and keeps a copy of all that passes.
pub(crate) struct Wiretap {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<Passed>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A datagram and where it went.
type Passed = (Way, Vec<u8>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

impl Wiretap {
    /// A tap in front of the server at `address`, for one client at a time.
    pub(crate) fn before(address: &str) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        back.connect(address).unwrap();
        let mut tap = Self {
            address: front.local_addr().unwrap(),
            passed: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let client = Arc::new(Mutex::new(None));
        let (to_server, from) = (back.try_clone().unwrap(), Arc::clone(&client));
        let answers = front.try_clone().unwrap();
        tap.pump(Way::ToServer, front, move |bytes, sender| {
            *from.lock().unwrap() = Some(sender);
            let _ = to_server.send(bytes);
        });
        tap.pump(Way::ToClient, back, move |bytes, _| {
            if let Some(client) = *client.lock().unwrap() {
                let _ = answers.send_to(bytes, client);
            }
        });
        tap
    }

    /// Where the client is to connect to.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The unprotected and protected alert records that went this way, whole.
    pub(crate) fn alerts(&self, way: Way) -> Vec<Vec<u8>> {
        let passed = self.passed.lock().unwrap();
        let datagrams = passed.iter().filter(|(w, _)| *w == way);
        datagrams.flat_map(|(_, bytes)| records(bytes)).filter(|record| record[0] == 21).collect()
    }

    fn pump(&mut self, way: Way, from: UdpSocket, mut pass: impl FnMut(&[u8], SocketAddr) + Send + 'static) {
        let (passed, stop) = (Arc::clone(&self.passed), Arc::clone(&self.stop));
        from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        self.threads.push(thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((len, sender)) = from.recv_from(&mut buffer) {
                    passed.lock().unwrap().push((way, buffer[..len].to_vec()));
                    pass(&buffer[..len], sender);
                }
            }
        }));
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
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
