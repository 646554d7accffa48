//! The `dtls` command as a child process, watched by monitors.

mod trace;

use core::{
    ops::{Deref, DerefMut},
    panic::AssertUnwindSafe,
};
use std::{panic, thread};

use child_process::{Output, Process};
use monitors::Role;

/// A client or a server whose connections are watched: once it has ended, or is killed, its trace is gone through by monitors,
/// and the test fails with the id of the property that does not hold.
#[derive(Debug)]
pub struct Dtls {
    process: Process,
    /// `None` for what makes no connections over the network, and once the trace was gone through.
    unchecked: Option<Role>,
    /// Nobody but the monitors has asked for the trace.
    for_monitors: bool,
}

impl Dtls {
    /// Starts the command that is at `binary`; a client or a server with `--trace`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(binary: &str, arguments: &[&str]) -> Self {
        Self::start_with(binary, arguments, &[])
    }

    /// As [`Self::start`], with environment variables.
    ///
    /// # Panics
    /// As that.
    pub fn start_with(binary: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let role = match arguments.first() {
            Some(&"client") => Some(Role::Client),
            Some(&"server") => Some(Role::Server),
            _ => None,
        };
        let for_monitors = role.is_some() && !arguments.contains(&"--trace");
        let mut arguments = arguments.to_vec();
        if for_monitors {
            arguments.insert(1, "--trace");
        }
        let process = Process::start_with(binary, &arguments, variables);
        Self { process, unchecked: role, for_monitors }
    }

    /// Like [`Process::finish`], without the lines of a trace that the test has not asked for.
    ///
    /// # Panics
    /// Also with the id of a property that does not hold.
    pub fn finish(mut self, code: i32) -> Output {
        let mut output = self.process.wait().clone();
        if let Some(role) = self.unchecked.take() {
            trace::check(role, &output.stderr);
        }
        self.process.check_exit(code);
        if self.for_monitors {
            output.stderr = trace::without(&output.stderr);
        }
        output
    }
}

impl Deref for Dtls {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Dtls {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Drop for Dtls {
    fn drop(&mut self) {
        let Some(role) = self.unchecked.take() else { return };
        let mut check = || trace::check(role, &self.process.kill().stderr);
        if thread::panicking() {
            // What failed may have been the consequence: the panic of the monitor is printed beside it.
            let _ = panic::catch_unwind(AssertUnwindSafe(check));
        } else {
            check();
        }
    }
}
