//! Programs as child processes of tests: type lines, wait for output, check the exit code; and a tap on the UDP between them.
//!
//! Nothing here decides by time: a wait ends when what is waited for comes, or after [`PATIENCE`] as a failure. A program that
//! is missing is a failure, never a skipped test. Knows processes and their output and nothing of DTLS.

mod wiretap;

use core::time::Duration;
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
};

pub use wiretap::{Way, Wiretap};

/// Far more than anything takes on a loaded machine; only a failure waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A child process whose standard output and error are collected as they come. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    chunks: Receiver<(Stream, Vec<u8>)>,
    output: Output,
    /// Both streams in the order they came.
    all: String,
}

/// What a process has written, as far as it is text.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a process has these two")]
pub struct Output {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Output,
    Error,
}

impl Process {
    /// Starts `program`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_with(program, arguments, &[])
    }

    /// Starts `program` with these variables added to its environment. `SSLKEYLOGFILE` is only there if it is among them.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let name = format!("{program} {}", arguments.join(" "));
        println!("$ {name}");
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("SSLKEYLOGFILE")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs {program}, which cannot be started: {error}"));
        let (send, chunks) = mpsc::channel();
        collect(child.stdout.take(), Stream::Output, send.clone());
        collect(child.stderr.take(), Stream::Error, send);
        let stdin = child.stdin.take();
        Self { name, child, stdin, chunks, output: Output::default(), all: String::new() }
    }

    /// Waits until the output, of both streams, contains `text`, and returns what follows its first occurrence so far.
    ///
    /// # Panics
    /// If the process ends first, or takes far too long.
    pub fn expect(&mut self, text: &str) -> &str {
        while !self.all.contains(text) {
            if !self.read() {
                self.fail(&format!("ended without '{text}'"));
            }
        }
        self.all.split_once(text).map_or("", |(_, rest)| rest)
    }

    /// The rest of the line that follows the first `text` in the output.
    ///
    /// # Panics
    /// Like [`Self::expect`].
    pub fn line_after(&mut self, text: &str) -> String {
        loop {
            if let Some((line, _)) = self.expect(text).split_once('\n') {
                return line.trim_end().to_owned();
            }
            if !self.read() {
                self.fail("ended in the middle of a line");
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

    /// Ends the input, waits for the end of the process and checks its exit code.
    ///
    /// # Panics
    /// If it is another, or the end takes far too long.
    pub fn finish(mut self, code: i32) -> Output {
        self.wait();
        self.check_exit(code);
        core::mem::take(&mut self.output)
    }

    /// Ends the input and waits for the end of the output, which is returned.
    ///
    /// # Panics
    /// If the end takes far too long.
    pub fn wait(&mut self) -> &Output {
        self.stdin = None;
        while self.read() {}
        &self.output
    }

    /// Waits for the end of the process, whose output has ended, and checks its exit code.
    ///
    /// # Panics
    /// If it is another.
    pub fn check_exit(&mut self, code: i32) {
        match self.child.wait() {
            Ok(status) if status.code() == Some(code) => {}
            status => self.fail(&format!("ended with {status:?}, not {code}")),
        }
    }

    /// Kills the process and returns what it has written until then.
    ///
    /// # Panics
    /// If it does not die.
    pub fn kill(&mut self) -> &Output {
        let _ = self.child.kill();
        self.wait()
    }

    /// Takes in some output; `false` at its end.
    fn read(&mut self) -> bool {
        match self.chunks.recv_timeout(PATIENCE) {
            Ok((stream, chunk)) => self.note(stream, &chunk),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => self.fail("stays silent"),
        }
        true
    }

    fn note(&mut self, stream: Stream, chunk: &[u8]) {
        let text = String::from_utf8_lossy(chunk);
        self.all.push_str(&text);
        match stream {
            Stream::Output => self.output.stdout.push_str(&text),
            Stream::Error => self.output.stderr.push_str(&text),
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{}\n{what}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            while let Ok((stream, chunk)) = self.chunks.try_recv() {
                self.note(stream, &chunk);
            }
            println!("---- output of {}\n{}", self.name, self.all);
        }
    }
}

/// Passes on what comes out of a pipe, in a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>, stream: Stream, send: mpsc::Sender<(Stream, Vec<u8>)>) {
    let Some(mut pipe) = pipe else { return };
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            if send.send((stream, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}
