//! The names of inputs and outputs: short, stable, without spaces, read back by `FromStr`.
//!
//! `Name+attribute+attribute~seq/piece@epoch`, a `!` at the end for a broken seal: `ClientHello+12+cookie~start@0`,
//! `Finished/first@1`, `Data@1!`. The words between `+` are listed in this file and nowhere else.

use core::fmt;
use core::str::FromStr;

use crate::alphabet::*;

/// A text that names no input or output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownName(String);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no symbol is called {:?}", self.0)
    }
}

impl core::error::Error for UnknownName {}

/// Names without attributes.
const INPUTS: [(&str, Input); 9] = [
    ("Replay", Input::Replay),
    ("Again+first", Input::Again(Again::First)),
    ("Again+last", Input::Again(Again::Last)),
    ("Again+flight", Input::Again(Again::Flight)),
    ("Timer", Input::Timer),
    ("Send", Input::App(App::Send)),
    ("Close", Input::App(App::Close)),
    ("PskFound", Input::App(App::PskFound)),
    ("PskNotFound", Input::App(App::PskNotFound)),
];

const CONTENTS: [(&str, Content); 9] = [
    ("CCS", Content::ChangeCipherSpec),
    ("Data", Content::Data),
    ("UnknownType", Content::Unknown),
    ("Ack+empty", Content::Ack(Acked::Empty)),
    ("Ack+all", Content::Ack(Acked::All)),
    ("Ack+plain", Content::Ack(Acked::Plain)),
    ("Ack+unknown", Content::Ack(Acked::Unknown)),
    ("Ack+higher-epoch", Content::Ack(Acked::HigherEpoch)),
    ("Ack+malformed", Content::Ack(Acked::Malformed)),
];

const MESSAGES: [(&str, Message); 18] = [
    ("HelloVerifyRequest", Message::HelloVerifyRequest),
    ("ServerKeyExchange", Message::ServerKeyExchange(Params::Ok)),
    ("ServerKeyExchange+bad", Message::ServerKeyExchange(Params::Bad)),
    ("ServerHelloDone", Message::ServerHelloDone),
    ("ClientKeyExchange", Message::ClientKeyExchange(Params::Ok)),
    ("ClientKeyExchange+bad", Message::ClientKeyExchange(Params::Bad)),
    ("EncryptedExtensions", Message::EncryptedExtensions),
    ("Finished", Message::Finished(Params::Ok)),
    ("Finished+bad", Message::Finished(Params::Bad)),
    ("Certificate", Message::Certificate),
    ("CertificateRequest", Message::CertificateRequest),
    ("CertificateVerify", Message::CertificateVerify),
    ("NewSessionTicket", Message::NewSessionTicket),
    ("KeyUpdate", Message::KeyUpdate),
    ("EndOfEarlyData", Message::EndOfEarlyData),
    ("HelloRequest", Message::HelloRequest),
    ("UnknownMessage", Message::Unknown),
    ("Malformed", Message::Malformed),
];

const OFFERS: [(&str, Offers); 4] =
    [("+10", Offers::V10), ("+12", Offers::V12), ("+13", Offers::V13), ("+both", Offers::Both)];

const COOKIES: [(&str, Cookie); 5] = [
    ("", Cookie::None),
    ("+cookie", Cookie::Good),
    ("+retry-cookie", Cookie::Retry),
    ("+bad-cookie", Cookie::Bad),
    ("+legacy-cookie", Cookie::Legacy),
];

const PSKS: [(&str, Psk); 3] =
    [("", Psk::Known), ("+unknown-psk", Psk::Unknown), ("+bad-binder", Psk::BadBinder)];

const VERSIONS: [(&str, Version); 3] = [("+10", Version::V10), ("+12", Version::V12), ("+13", Version::V13)];

const FLAWS: [(&str, Flaw); 8] = [
    ("", Flaw::None),
    ("+other-suite", Flaw::Suite),
    ("+no-ems", Flaw::NoEms),
    ("+sentinel", Flaw::Sentinel),
    ("+bad-psk", Flaw::Psk),
    ("+no-psk", Flaw::NoPsk),
    ("+bad-share", Flaw::Share),
    ("+session-id", Flaw::SessionId),
];

const GROUPS: [(&str, RetryGroup); 4] = [
    ("", RetryGroup::None),
    ("+group", RetryGroup::New),
    ("+same-group", RetryGroup::Same),
    ("+other-group", RetryGroup::NotOffered),
];

const SEQS: [(&str, Seq); 3] = [("", Seq::Next), ("~ahead", Seq::Ahead), ("~start", Seq::Start)];

const PIECES: [(&str, Piece); 3] = [("", Piece::Whole), ("/first", Piece::First), ("/rest", Piece::Rest)];

const LEVELS: [(&str, Level); 2] = [("+warning", Level::Warning), ("+fatal", Level::Fatal)];

/// The registry of alerts, as far as DTLS uses it.
const ALERTS: [(&str, u8); 20] = [
    ("close_notify", 0),
    ("unexpected_message", 10),
    ("bad_record_mac", 20),
    ("record_overflow", 22),
    ("handshake_failure", 40),
    ("illegal_parameter", 47),
    ("access_denied", 49),
    ("decode_error", 50),
    ("decrypt_error", 51),
    ("too_many_cids_requested", 52),
    ("protocol_version", 70),
    ("insufficient_security", 71),
    ("internal_error", 80),
    ("inappropriate_fallback", 86),
    ("user_canceled", 90),
    ("no_renegotiation", 100),
    ("missing_extension", 109),
    ("unsupported_extension", 110),
    ("unknown_psk_identity", 115),
    ("no_application_protocol", 120),
];

impl Description {
    /// close_notify.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// unexpected_message.
    pub const UNEXPECTED_MESSAGE: Self = Self(10);
    /// handshake_failure.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// illegal_parameter.
    pub const ILLEGAL_PARAMETER: Self = Self(47);
    /// decode_error.
    pub const DECODE_ERROR: Self = Self(50);
    /// decrypt_error.
    pub const DECRYPT_ERROR: Self = Self(51);
    /// protocol_version.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// user_canceled.
    pub const USER_CANCELED: Self = Self(90);
    /// no_renegotiation.
    pub const NO_RENEGOTIATION: Self = Self(100);
    /// missing_extension.
    pub const MISSING_EXTENSION: Self = Self(109);
    /// unsupported_extension.
    pub const UNSUPPORTED_EXTENSION: Self = Self(110);
    /// unknown_psk_identity.
    pub const UNKNOWN_PSK_IDENTITY: Self = Self(115);
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ALERTS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rx(record) => record.fmt(f),
            other => f.write_str(name_in(&INPUTS, *other)),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = if self.seal == Seal::Broken { "!" } else { "" };
        write!(f, "{}@{}{broken}", self.content, self.epoch)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(Handshake { message, seq, piece }) => {
                write!(f, "{message}{}{}", name_in(&SEQS, *seq), name_in(&PIECES, *piece))
            }
            Self::Alert(level, description) => write!(f, "Alert{}+{description}", name_in(&LEVELS, *level)),
            other => f.write_str(name_in(&CONTENTS, *other)),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientHello(hello) => {
                write!(f, "ClientHello{}", name_in(&OFFERS, hello.offers))?;
                write!(f, "{}{}", name_in(&COOKIES, hello.cookie), name_in(&PSKS, hello.psk))?;
                for (there, name) in
                    [(hello.suite, "+no-suite"), (hello.share, "+no-share"), (hello.ems, "+no-ems")]
                {
                    f.write_str(if there { "" } else { name })?;
                }
                Ok(())
            }
            Self::ServerHello(hello) => {
                write!(f, "ServerHello{}{}", name_in(&VERSIONS, hello.version), name_in(&FLAWS, hello.flaw))
            }
            Self::HelloRetryRequest(retry) => {
                let cookie = if retry.cookie { "+cookie" } else { "" };
                write!(f, "HelloRetryRequest{cookie}{}", name_in(&GROUPS, retry.group))
            }
            other => f.write_str(name_in(&MESSAGES, *other)),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tx(epoch, sent) => write!(f, "{sent}@{epoch}"),
            Self::Event(event) => write!(f, "<{event:?}>"),
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |there: bool, name: &'static str| if there { name } else { "" };
        match *self {
            Self::ClientHello { cookie, group } => {
                write!(f, "ClientHello{}{}", with(cookie, "+cookie"), with(group, "+group"))
            }
            Self::HelloRetryRequest { cookie, group } => {
                write!(f, "HelloRetryRequest{}{}", with(cookie, "+cookie"), with(group, "+group"))
            }
            Self::ServerHello(version) => write!(f, "ServerHello{}", name_in(&VERSIONS, version)),
            Self::ChangeCipherSpec => f.write_str("CCS"),
            Self::Ack { empty } => write!(f, "Ack{}", with(empty, "+empty")),
            Self::Alert(level, description) => write!(f, "Alert{}+{description}", name_in(&LEVELS, level)),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Outputs of one step as one word each; `-` for none.
#[must_use]
pub fn outputs_to_string(outputs: &[Output]) -> String {
    if outputs.is_empty() {
        return "-".to_owned();
    }
    outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl FromStr for Input {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let input = find(&INPUTS, text).or_else(|| record(text).map(Self::Rx));
        // One name a symbol: whatever does not print as it was written is refused.
        input.filter(|input| input.to_string() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

impl FromStr for Output {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let event = EVENTS.into_iter().map(Self::Event).find(|event| event.to_string() == text);
        event.or_else(|| sent(text)).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

const EVENTS: [Event; 6] = [
    Event::NeedPsk,
    Event::Connected,
    Event::Delivered,
    Event::ClosedByPeer,
    Event::FatalAlert,
    Event::Failed,
];

fn sent(text: &str) -> Option<Output> {
    let (name, epoch) = text.rsplit_once('@')?;
    let mut known = vec![
        Sent::HelloVerifyRequest,
        Sent::ServerKeyExchange,
        Sent::ServerHelloDone,
        Sent::ClientKeyExchange,
        Sent::ChangeCipherSpec,
        Sent::Finished,
        Sent::EncryptedExtensions,
        Sent::Data,
        Sent::Other,
    ];
    known.extend([Version::V10, Version::V12, Version::V13].map(Sent::ServerHello));
    for (one, other) in [(false, false), (false, true), (true, false), (true, true)] {
        known.push(Sent::ClientHello { cookie: one, group: other });
        known.push(Sent::HelloRetryRequest { cookie: one, group: other });
        known.push(Sent::Ack { empty: one });
    }
    if let Some(Content::Alert(level, description)) = alert(name) {
        known.push(Sent::Alert(level, description));
    }
    let sent = known.into_iter().find(|sent| sent.to_string() == name)?;
    Some(Output::Tx(epoch.parse().ok()?, sent))
}

fn record(text: &str) -> Option<Record> {
    let (text, seal) = match text.strip_suffix('!') {
        Some(text) => (text, Seal::Broken),
        None => (text, Seal::Genuine),
    };
    let (head, epoch) = text.rsplit_once('@')?;
    let content = find(&CONTENTS, head).or_else(|| alert(head)).or_else(|| handshake(head))?;
    Some(Record { epoch: epoch.parse().ok()?, seal, content })
}

fn alert(text: &str) -> Option<Content> {
    let mut rest = text.strip_prefix("Alert")?;
    let level = take(&LEVELS, &mut rest)?;
    let name = rest.strip_prefix('+')?;
    let number = find(&ALERTS, name).or_else(|| name.parse().ok())?;
    Some(Content::Alert(level, Description(number)))
}

fn handshake(text: &str) -> Option<Content> {
    let end = text.find(['~', '/']).unwrap_or(text.len());
    let (head, mut tail) = text.split_at(end);
    let (seq, piece) = (take(&SEQS, &mut tail)?, take(&PIECES, &mut tail)?);
    let message = find(&MESSAGES, head).or_else(|| hello(head))?;
    tail.is_empty().then_some(Content::Handshake(Handshake { message, seq, piece }))
}

fn hello(text: &str) -> Option<Message> {
    let (name, _) = text.split_once('+').unwrap_or((text, ""));
    let mut rest = text.strip_prefix(name)?;
    let message = match name {
        "ClientHello" => Message::ClientHello(ClientHello {
            offers: take(&OFFERS, &mut rest)?,
            cookie: take(&COOKIES, &mut rest)?,
            psk: take(&PSKS, &mut rest)?,
            suite: !take_word("+no-suite", &mut rest),
            share: !take_word("+no-share", &mut rest),
            ems: !take_word("+no-ems", &mut rest),
        }),
        "ServerHello" => Message::ServerHello(ServerHello {
            version: take(&VERSIONS, &mut rest)?,
            flaw: take(&FLAWS, &mut rest)?,
        }),
        "HelloRetryRequest" => Message::HelloRetryRequest(Retry {
            cookie: take_word("+cookie", &mut rest),
            group: take(&GROUPS, &mut rest)?,
        }),
        _ => return None,
    };
    rest.is_empty().then_some(message)
}

fn name_in<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, entry)| *entry == value).map_or("?", |(name, _)| name)
}

fn find<T: Copy>(table: &[(&'static str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

/// Takes the longest name of the table off the front of the text.
fn take<T: Copy>(table: &[(&'static str, T)], rest: &mut &str) -> Option<T> {
    let (name, value) =
        table.iter().filter(|(name, _)| rest.starts_with(name)).max_by_key(|(name, _)| name.len())?;
    *rest = rest.get(name.len()..)?;
    Some(*value)
}

fn take_word(word: &str, rest: &mut &str) -> bool {
    let found = rest.strip_prefix(word);
    *rest = found.unwrap_or(rest);
    found.is_some()
}
