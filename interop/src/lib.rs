//! Our half of the tests against other people's implementations: the real `dtls` command as client and server, watched by
//! monitors, and the network between both.

use core::sync::atomic::{AtomicU16, Ordering};
use std::{env, net::UdpSocket, path::PathBuf, process::Command, sync::OnceLock};

use child_process::{Process, Way, Wiretap};

pub use dtls_process::Dtls;

/// The pre-shared key of all tests.
pub const KEY: &str = "5a17b3c4d5e6f708192a3b4c5d6e7f80";

/// A handshake to try with another implementation.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The other implementation's name of the suite.
    pub theirs: &'a str,
    /// The IANA name of the suite.
    ours: &'a str,
    /// More arguments for the other implementation.
    pub their_options: &'a [&'a str],
    our_options: &'a [&'a str],
    lose: fn(Way, usize) -> bool,
    dual: bool,
}

impl<'a> Case<'a> {
    /// A handshake with one suite and no losses.
    pub const fn new(theirs: &'a str, ours: &'a str) -> Self {
        Self { theirs, ours, their_options: &[], our_options: &[], lose: |_, _| false, dual: false }
    }

    /// More arguments for the other implementation and for ours.
    #[must_use]
    pub const fn options(self, theirs: &'a [&'a str], ours: &'a [&'a str]) -> Self {
        Self { their_options: theirs, our_options: ours, ..self }
    }

    /// Loses every other datagram of the handshake in both directions, beginning with the first.
    #[must_use]
    pub const fn through_losses(self) -> Self {
        Self { lose: |_, number| number < 6 && number % 2 == 0, ..self }
    }

    /// Leaves our end with what it offers or accepts by itself, which is DTLS 1.3 before 1.2.
    #[must_use]
    pub const fn dual(self) -> Self {
        Self { dual: true, ..self }
    }

    /// Starts our client, with this identity, towards the other server at `address`, and waits until it is connected.
    pub fn our_client(&self, identity: &str, address: &str) -> (Dtls, Wiretap) {
        let tap = Wiretap::losing(address, self.lose);
        let (address, psk) = (tap.address(), format!("{identity}={KEY}"));
        let mut client = dtls(&self.arguments(&["client", &address, "--psk", &psk]));
        client.expect(&format!("DTLS 1.2, {}", self.ours));
        (client, tap)
    }

    /// Starts our server, which echoes and knows the identity `sensor`; the tap is where the other client is to connect to.
    pub fn our_server(&self) -> (Dtls, Wiretap) {
        let psk = format!("sensor={KEY}");
        let mut server = dtls(&self.arguments(&["server", "--listen", "127.0.0.1:0", "--psk", &psk]));
        let tap = Wiretap::losing(&server.line_after("listening on "), self.lose);
        (server, tap)
    }

    /// Lets the other `client`, which is connecting to our `server`, send a line, get it back, and close.
    pub fn echo(&self, mut client: Process, mut server: Dtls) {
        server.expect(&format!("connected: DTLS 1.2, {}, identity 'sensor'", self.ours));
        // What is typed is not shown, so this is the echo.
        client.type_line("there and back");
        client.expect("there and back");
        client.finish(0);
        server.expect("closed: close_notify from the peer");
    }

    fn arguments<'b>(&self, first: &[&'b str]) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let mut all = first.to_vec();
        if !self.dual {
            all.extend(["--suites", self.ours]);
        }
        all.extend(self.our_options);
        all
    }
}

/// A UDP port that nobody uses, outside of the range the system takes ports from by itself.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap_or_default();
    for _ in 0..10_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if UdpSocket::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
    panic!("no free UDP port")
}

/// Starts the `dtls` command of this workspace, built when first asked for; a client or a server is watched by monitors.
///
/// # Panics
/// If it cannot be built or started.
pub fn dtls(arguments: &[&str]) -> Dtls {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(build_dtls);
    Dtls::start(binary.to_str().expect("a path in UTF-8"), arguments)
}

fn build_dtls() -> PathBuf {
    // Tests are in TARGET/PROFILE/deps.
    let test = env::current_exe().expect("the path of this test");
    let directory = test.ancestors().nth(2).expect("a build directory");
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "-p", "dtls-cli", "--target-dir"]);
    build.arg(directory.parent().expect("a target directory"));
    if directory.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "the dtls command does not build");
    directory.join("dtls")
}
