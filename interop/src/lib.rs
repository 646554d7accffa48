//! What the tests against other people's implementations need besides the processes themselves: the `dtls` command of this
//! workspace and free ports.

use core::sync::atomic::{AtomicU16, Ordering};
use std::{env, net::UdpSocket, path::PathBuf, process::Command, sync::OnceLock};

use child_process::Process;

/// Starts the `dtls` command of this workspace, built when first asked for.
///
/// # Panics
/// If it cannot be built or started.
pub fn dtls(arguments: &[&str]) -> Process {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(build_dtls);
    Process::start(binary.to_str().expect("a path in UTF-8"), arguments)
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
