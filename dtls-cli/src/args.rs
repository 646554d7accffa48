//! The arguments of the command.
#![allow(rustdoc::broken_intra_doc_links, reason = "doc comments are the help text, and IPv6 addresses have brackets")]

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// DTLS over UDP: client and server.
#[derive(Parser)]
#[command(name = "dtls", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 the peer or the network failed; 2 wrong usage or unreadable input.\n\
    Data goes to standard output, everything else to standard error.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve peers until interrupted.
    Server(ServerArgs),
    /// Connect to a server, send, print what comes back.
    Client(ClientArgs),
}

/// What client and server have in common.
#[derive(Args)]
pub(crate) struct Common {
    /// Pre-shared key, ID=HEX or ID=text:TEXT; other users of this machine can see arguments, so prefer --psk-file.
    #[arg(long, value_name = "ID=HEX")]
    pub(crate) psk: Vec<String>,
    /// File with one ID=HEX or ID=text:TEXT a line; # starts a comment line.
    #[arg(long, value_name = "FILE")]
    pub(crate) psk_file: Option<PathBuf>,
    /// Cipher suites by IANA name, most preferred first, comma separated [default: all with 16-byte tags].
    #[arg(long, value_name = "NAMES")]
    pub(crate) suites: Option<String>,
    /// Largest datagram of the handshake, in bytes of UDP payload.
    #[arg(long, value_name = "BYTES", default_value_t = 1232, value_parser = clap::value_parser!(u16).range(228..=65_507))]
    pub(crate) mtu: u16,
    /// Append the session secrets to this file, in SSLKEYLOGFILE format [default: the file SSLKEYLOGFILE names].
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// Print every datagram, record and message, and the reason for every drop, on standard error.
    #[arg(long)]
    pub(crate) trace: bool,
}

#[derive(Args)]
pub(crate) struct ServerArgs {
    /// Address and port to listen on, such as 127.0.0.1:4433 or [::]:4433; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) common: Common,
    /// What to do with application data.
    #[arg(long, value_enum, default_value_t = App::Echo)]
    pub(crate) app: App,
    /// Answer new peers without the cookie exchange: for validated paths only.
    #[arg(long)]
    pub(crate) no_cookie: bool,
}

/// What a server does with application data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum App {
    /// Send it back.
    Echo,
}

#[derive(Args)]
pub(crate) struct ClientArgs {
    /// Server, such as example.org:4433, 127.0.0.1:4433 or [::1]:4433.
    #[arg(value_name = "HOST:PORT")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Send this text as one datagram; may be repeated. Without it the lines of standard input are sent.
    #[arg(long, value_name = "TEXT")]
    pub(crate) send: Vec<String>,
    /// Give up the handshake after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout: u32,
    /// After the last datagram was sent, wait for replies until as many have come, or none came for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) wait: u32,
}
