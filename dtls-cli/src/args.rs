//! The arguments of the command.
#![allow(rustdoc::broken_intra_doc_links, reason = "doc comments are the help text; IPv6 has brackets")]

use core::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::TypedValueParser, value_parser};
use dtls_core::MIN_MTU;

use crate::coap::args::CoapArgs;

/// DTLS over UDP: client, server and demonstration.
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
    /// A sensor and a gateway in one process over a simulated bad link, in virtual time.
    Demo(DemoArgs),
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
    /// Protocol versions, comma separated: 1.2, 1.3.
    #[arg(long, value_name = "VERSIONS", default_value = "1.2,1.3")]
    pub(crate) versions: String,
    /// Groups for ephemeral keys by IANA name, most preferred first, comma separated [default: x25519,secp256r1].
    #[arg(long, value_name = "NAMES")]
    pub(crate) groups: Option<String>,
    /// How DTLS 1.3 uses the key, most preferred first, comma separated: psk_dhe_ke (with an ephemeral key exchange), psk_ke
    /// (without).
    #[arg(long, value_name = "MODES", default_value = "psk_dhe_ke")]
    pub(crate) psk_modes: String,
    /// Import the key for DTLS 1.3 (RFC 9258), under this context, which both ends must give alike.
    #[arg(long, value_name = "CONTEXT", num_args = 0..=1, default_missing_value = "")]
    pub(crate) psk_importer: Option<String>,
    /// Cipher suites by IANA name, most preferred first, comma separated [default: all with 16-byte tags, and in DTLS
    /// 1.2 for CoAP also those with 8].
    #[arg(long, value_name = "NAMES")]
    pub(crate) suites: Option<String>,
    /// Largest datagram of the handshake, in bytes of UDP payload.
    #[arg(long, value_name = "BYTES", default_value_t = 1232, value_parser = mtu())]
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
    /// Address and port to listen on, such as 127.0.0.1:4433 or [::]:4433; port 0 takes a free one. With --app coap the port
    /// can be left out: it is 5684 then.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Listen,
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
    /// Answer CoAP requests (RFC 7252, RFC 7641): GET /.well-known/core lists what is there.
    Coap,
}

/// An address to listen on, perhaps without a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listen {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: address.ip(), port: Some(address.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip = bare.parse().map_err(|_| "not an address and port, such as 127.0.0.1:4433 or [::]:4433")?;
        Ok(Self { ip, port: None })
    }
}

#[derive(Args)]
pub(crate) struct ClientArgs {
    /// Server, such as example.org:4433, 127.0.0.1:4433 or [::1]:4433; or a CoAP resource, such as
    /// coaps://example.org/example_data.
    #[arg(value_name = "HOST:PORT|coaps://HOST[:PORT]/PATH")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Send this text as one datagram; may be repeated. Without it the lines of standard input are sent.
    #[arg(long, value_name = "TEXT")]
    pub(crate) send: Vec<String>,
    /// Give up the handshake after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout: u32,
    /// After the last datagram was sent, wait for replies until as many have come, or none came for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = value_parser!(u32).range(0..=86_400))]
    pub(crate) wait: u32,
    #[command(flatten)]
    pub(crate) coap: CoapArgs,
}

const RETRY_LIMITS: &str = "A flight is retransmitted after 1, 2, 4, 8, 10, 10, ... virtual seconds; the handshake has \
    10 virtual minutes.\nThe reading is sent up to 20 times, 2, 4, 8, 16, 30, 30, ... virtual seconds apart, until it is \
    acknowledged.";

/// The settings of a demonstration.
#[derive(Args, Clone, PartialEq, Debug)]
#[command(after_help = RETRY_LIMITS)]
#[allow(clippy::exhaustive_structs, reason = "plain settings")]
pub struct DemoArgs {
    /// Probability that a datagram is lost, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub loss: f64,
    /// Probability that a datagram arrives twice, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub duplicate: f64,
    /// Probability that a datagram is overtaken by later ones, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub reorder: f64,
    /// Largest datagram of the handshake, in bytes of UDP payload.
    #[arg(long, value_name = "BYTES", default_value_t = 1232, value_parser = mtu())]
    pub mtu: u16,
    /// Protocol version.
    #[arg(long, value_enum, default_value_t = DemoVersion::V1_2)]
    pub version: DemoVersion,
    /// All chance follows from this number: the same seed prints the same bytes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// The version of a demonstration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[allow(clippy::exhaustive_enums, reason = "plain settings")]
pub enum DemoVersion {
    /// DTLS 1.2.
    #[value(name = "1.2")]
    V1_2,
    /// DTLS 1.3.
    #[value(name = "1.3")]
    V1_3,
}

fn mtu() -> impl TypedValueParser<Value = u16> {
    value_parser!(u16).range(MIN_MTU as i64..=65_507)
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("not a probability between 0 and 1, such as 0.3".into()),
    }
}
