//! The `dtls` command: a client and a server over UDP, and a demonstration over a simulated link.
//!
//! Exit codes: 0 done; 1 the peer or the network failed; 2 wrong usage or unreadable input. Data goes to standard output,
//! everything else to standard error. Knows files, arguments and terminals; what it does with the protocol goes through the
//! APIs of `dtls-core` and `dtls-udp`.
#![forbid(unsafe_code)]

mod args;
mod client;
mod coap;
mod config;
pub mod demo;
mod failure;
mod keylog;
mod keys;
mod server;
mod trace;

use std::{io, process::ExitCode};

use clap::Parser;

pub use args::{DemoArgs, DemoVersion};
pub use failure::Failure;

use args::{Cli, Command};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Server(args) => server::run(&args),
        Command::Client(args) if coap::is_uri(&args.server) => coap::client::run(&args),
        Command::Client(args) => client::run(&args),
        Command::Demo(args) => demo::run(&args, &mut io::stdout().lock()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            note(format_args!("error: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

/// Writes a line to standard error. Nobody listening there is no reason to stop.
fn note(line: core::fmt::Arguments<'_>) {
    // In one piece, since others may write there too.
    let _ = io::Write::write_all(&mut io::stderr().lock(), format!("{line}\n").as_bytes());
}
