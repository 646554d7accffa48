//! Other people's implementations and the real `dtls` command as child processes over loopback UDP.
//!
//! A missing program is a failure, never a skipped test. Knows processes and their output; knows nothing of DTLS.

use core::{
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};
use std::{
    env,
    io::{Read, Write},
    net::UdpSocket,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
};

/// Far more than anything takes on a loaded machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child process whose standard output and error are collected in the order they come. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    chunks: Receiver<Vec<u8>>,
    seen: String,
}

impl Process {
    /// Starts `program`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let name = format!("{program} {}", arguments.join(" "));
        println!("$ {name}");
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("SSLKEYLOGFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} is needed for this test and cannot be started: {error}")
            });
        let (send, chunks) = mpsc::channel();
        collect(child.stdout.take(), send.clone());
        collect(child.stderr.take(), send);
        let stdin = child.stdin.take();
        Self { name, child, stdin, chunks, seen: String::new() }
    }

    /// Starts the `dtls` command of this workspace.
    ///
    /// # Panics
    /// If it cannot be built or started.
    pub fn dtls(arguments: &[&str]) -> Self {
        Self::start(dtls_binary().to_str().expect("a path in UTF-8"), arguments)
    }

    /// Waits until the output contains `text`, and returns all output so far.
    ///
    /// # Panics
    /// If the process ends first, or takes far too long.
    pub fn expect(&mut self, text: &str) -> &str {
        while !self.seen.contains(text) {
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.seen.push_str(&String::from_utf8_lossy(&chunk)),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended without '{text}'")),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("does not come to '{text}'")),
            }
        }
        &self.seen
    }

    /// The rest of the line that follows the first `text` in the output.
    ///
    /// # Panics
    /// Like [`Self::expect`].
    pub fn line_after(&mut self, text: &str) -> String {
        self.expect(text);
        loop {
            let rest = self.seen.split_once(text).map_or("", |(_, rest)| rest);
            if let Some((line, _)) = rest.split_once('\n') {
                return line.trim_end().to_owned();
            }
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.seen.push_str(&String::from_utf8_lossy(&chunk)),
                Err(_) => self.fail("stops in the middle of a line"),
            }
        }
    }

    /// Types a line.
    ///
    /// # Panics
    /// If the process reads no more.
    pub fn type_line(&mut self, line: &str) {
        let typed = self.stdin.as_mut().map(|stdin| stdin.write_all(format!("{line}\n").as_bytes()));
        if !matches!(typed, Some(Ok(()))) {
            self.fail("takes no input");
        }
    }

    /// Closes the standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end and checks that the exit code is 0. Returns all output.
    ///
    /// # Panics
    /// If it is another, or the end takes far too long.
    pub fn finish(mut self) -> String {
        self.stdin = None;
        loop {
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.seen.push_str(&String::from_utf8_lossy(&chunk)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("does not end"),
            }
        }
        match self.child.wait() {
            Ok(status) if status.success() => core::mem::take(&mut self.seen),
            status => self.fail(&format!("ended with {status:?}")),
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{}\n{what}; its output:\n{}", self.name, self.seen)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            while let Ok(chunk) = self.chunks.try_recv() {
                self.seen.push_str(&String::from_utf8_lossy(&chunk));
            }
            println!("output of {}:\n{}", self.name, self.seen);
        }
    }
}

/// A UDP port of the loopback that nobody uses, outside of the range the system takes ports from by itself.
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

/// The `dtls` command, built when first asked for.
fn dtls_binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
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
    })
}

/// Passes on what comes out of a pipe, in a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>, send: mpsc::Sender<Vec<u8>>) {
    let Some(mut pipe) = pipe else { return };
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            if send.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
}
