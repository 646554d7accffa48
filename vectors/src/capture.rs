//! The file format: what goes into the checker, and what its findings are compared with.

use std::fmt;

use dtls_core::internals::End;
use serde_json::{Map, Value};

use crate::hex;

/// Why a file is no capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(String);

impl Unreadable {
    pub(crate) const fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A reason is one line, whatever a parser had to say.
        f.write_str(&self.0.replace('\n', " "))
    }
}

/// One file.
pub(crate) struct Capture {
    pub(crate) inputs: Inputs,
    /// What an independent decryptor found, a value a record, in the datagrams' order.
    pub(crate) records: Vec<Vec<Value>>,
    /// Facts about the whole file to compare with, by their name in the file.
    pub(crate) facts: Map<String, Value>,
}

/// All that the checker may compute from.
pub(crate) struct Inputs {
    pub(crate) datagrams: Vec<Datagram>,
    pub(crate) key_log: Vec<LoggedSecret>,
    pub(crate) psk: Option<Vec<u8>>,
    pub(crate) external_psk: Option<ExternalPsk>,
    pub(crate) exporter: Option<Export>,
}

/// A pre-shared key of DTLS 1.3, of which the key log says nothing.
#[derive(Clone)]
pub(crate) struct ExternalPsk {
    /// How the identity in hellos begins. wolfSSL appends the name of the hash.
    pub(crate) identity: String,
    pub(crate) key: Vec<u8>,
}

/// What the peers exported after their handshake.
pub(crate) struct Export {
    pub(crate) label: String,
    pub(crate) context: String,
    pub(crate) length: usize,
}

/// What was on the wire. A connection is known by its client's port, as in a packet capture.
pub(crate) struct Datagram {
    pub(crate) from: End,
    pub(crate) client_port: u64,
    pub(crate) bytes: Vec<u8>,
}

/// A line of a key log.
#[derive(Clone)]
pub(crate) struct LoggedSecret {
    pub(crate) label: String,
    pub(crate) client_random: [u8; 32],
    pub(crate) secret: Vec<u8>,
}

impl LoggedSecret {
    /// The master secret of DTLS 1.2, if the line has one.
    pub(crate) fn master_secret(&self) -> Option<[u8; 48]> {
        if self.label == MASTER_SECRET { self.secret.as_slice().try_into().ok() } else { None }
    }
}

/// The label of lines with a master secret.
const MASTER_SECRET: &str = "CLIENT_RANDOM";

/// Facts that are compared if a file states them. Not `version`, which says what the peers were willing to speak.
pub(crate) const FACTS: [&str; 6] =
    ["connections", "decrypt", "psk", "premaster_secret", "external_psk", "exporter"];

impl Capture {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Unreadable> {
        let value: Value = serde_json::from_slice(json).map_err(|e| Unreadable(format!("not JSON: {e}")))?;
        let Value::Object(mut file) = value else { return Err(missing("an object")) };
        let Some(Value::Array(list)) = file.remove("datagrams") else { return Err(missing("datagrams")) };
        let mut datagrams = Vec::new();
        let mut records = Vec::new();
        for (i, value) in list.into_iter().enumerate() {
            let context = |e: Unreadable| Unreadable(format!("datagram {}: {}", i + 1, e.0));
            let (datagram, stored) = read_datagram(value).map_err(context)?;
            datagrams.push(datagram);
            records.push(stored);
        }
        if records.iter().all(Vec::is_empty) {
            return Err(missing("records"));
        }
        let key_log = read_key_log(&file)?;
        let psk = read_psk(&file)?;
        let external_psk = read_part(&file, "external_psk", |v| {
            let identity = v.get("identity")?.as_str()?.to_owned();
            Some(ExternalPsk { identity, key: hex::decode(v.get("key")?.as_str()?)? })
        })?;
        let exporter = read_part(&file, "exporter", |v| {
            let text = |name| Some(v.get(name)?.as_str()?.to_owned());
            let length = usize::try_from(v.get("length")?.as_u64()?).ok()?;
            Some(Export { label: text("label")?, context: text("context_utf8")?, length })
        })?;
        file.retain(|name, _| FACTS.contains(&name.as_str()));
        Ok(Self { inputs: Inputs { datagrams, key_log, psk, external_psk, exporter }, records, facts: file })
    }
}

fn missing(what: &str) -> Unreadable {
    Unreadable(format!("not a capture: {what} missing"))
}

fn read_datagram(value: Value) -> Result<(Datagram, Vec<Value>), Unreadable> {
    let Value::Object(mut datagram) = value else { return Err(missing("an object")) };
    let from = match datagram.get("dir").and_then(Value::as_str) {
        Some("c2s") => End::Client,
        Some("s2c") => End::Server,
        _ => return Err(missing("dir")),
    };
    let client_port =
        datagram.get("client_port").and_then(Value::as_u64).ok_or_else(|| missing("client_port"))?;
    let bytes =
        datagram.get("hex").and_then(Value::as_str).and_then(hex::decode).ok_or_else(|| missing("hex"))?;
    let Some(Value::Array(records)) = datagram.remove("records") else { return Err(missing("records")) };
    Ok((Datagram { from, client_port, bytes }, records))
}

/// Lines read `LABEL CLIENT_RANDOM SECRET`.
fn read_key_log(file: &Map<String, Value>) -> Result<Vec<LoggedSecret>, Unreadable> {
    let mut secrets = Vec::new();
    let lines = file.get("keylog").and_then(Value::as_array).ok_or_else(|| missing("keylog"))?;
    for (i, line) in lines.iter().enumerate() {
        let malformed = || Unreadable(format!("key log line {} is malformed", i + 1));
        let words: Vec<_> = line.as_str().ok_or_else(malformed)?.split_ascii_whitespace().collect();
        let [label, random, secret] = words.as_slice() else { return Err(malformed()) };
        let secret = hex::decode(secret).ok_or_else(malformed)?;
        let lengths: &[usize] = if *label == MASTER_SECRET { &[48] } else { &[32, 48] };
        if !lengths.contains(&secret.len()) {
            return Err(malformed());
        }
        let client_random = hex::decode_array(random).ok_or_else(malformed)?;
        secrets.push(LoggedSecret { label: (*label).to_owned(), client_random, secret });
    }
    Ok(secrets)
}

/// A part that a file may lack.
fn read_part<T>(
    file: &Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, Unreadable> {
    match file.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| Unreadable(format!("{name} is malformed"))),
    }
}

/// Either the key alone or an object with identity and key.
fn read_psk(file: &Map<String, Value>) -> Result<Option<Vec<u8>>, Unreadable> {
    let text = match file.get("psk") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(psk)) => psk.get("key").and_then(Value::as_str),
        Some(other) => other.as_str(),
    };
    text.and_then(hex::decode).map(Some).ok_or_else(|| Unreadable("the PSK is not hex".to_owned()))
}
