//! The `dtls` command as a child process.

use core::{
    ops::{Deref, DerefMut},
    panic::AssertUnwindSafe,
};
use std::{env, panic, path::PathBuf, process::Command, sync::OnceLock, thread};

use child_process::{Output, Process};
use monitors::Role;

use crate::trace;

/// A client or a server whose connections are watched: once it has ended, or is killed, its trace is gone through by monitors,
/// and the test fails with the id of the property that does not hold.
#[derive(Debug)]
pub struct Dtls {
    process: Process,
    /// `None` for what makes no connections over the network, and once the trace was gone through.
    unchecked: Option<Role>,
}

/// Starts the `dtls` command of this workspace, built when first asked for; a client or a server with `--trace`.
///
/// # Panics
/// If it cannot be built or started.
pub fn dtls(arguments: &[&str]) -> Dtls {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(build_dtls);
    let role = match arguments.first() {
        Some(&"client") => Some(Role::Client),
        Some(&"server") => Some(Role::Server),
        _ => None,
    };
    let mut arguments = arguments.to_vec();
    arguments.extend(role.map(|_| "--trace"));
    let process = Process::start(binary.to_str().expect("a path in UTF-8"), &arguments);
    Dtls { process, unchecked: role }
}

impl Dtls {
    /// Like [`Process::finish`].
    ///
    /// # Panics
    /// Also with the id of a property that does not hold.
    pub fn finish(mut self, code: i32) -> Output {
        let output = self.process.wait().clone();
        if let Some(role) = self.unchecked.take() {
            trace::check(role, &output.stderr);
        }
        self.process.check_exit(code);
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
