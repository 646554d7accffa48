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
}

/// What was on the wire. A connection is known by its client's port, as in a packet capture.
pub(crate) struct Datagram {
    pub(crate) from: End,
    pub(crate) client_port: u64,
    pub(crate) bytes: Vec<u8>,
}

/// A `CLIENT_RANDOM` line of a key log.
pub(crate) struct LoggedSecret {
    pub(crate) client_random: [u8; 32],
    pub(crate) master_secret: [u8; 48],
}

/// Facts that are compared if a file states them. Not `version`, which says what the peers were willing to speak.
pub(crate) const FACTS: [&str; 4] = ["connections", "decrypt", "psk", "premaster_secret"];

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
        file.retain(|name, _| FACTS.contains(&name.as_str()));
        Ok(Self { inputs: Inputs { datagrams, key_log, psk }, records, facts: file })
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

/// Lines read `LABEL CLIENT_RANDOM SECRET`; labels other than `CLIENT_RANDOM` belong to TLS 1.3.
fn read_key_log(file: &Map<String, Value>) -> Result<Vec<LoggedSecret>, Unreadable> {
    let mut secrets = Vec::new();
    let lines = file.get("keylog").and_then(Value::as_array).ok_or_else(|| missing("keylog"))?;
    for (i, line) in lines.iter().enumerate() {
        let malformed = || Unreadable(format!("key log line {} is malformed", i + 1));
        let words: Vec<_> = line.as_str().ok_or_else(malformed)?.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["CLIENT_RANDOM", random, secret] => secrets.push(LoggedSecret {
                client_random: hex::decode_array(random).ok_or_else(malformed)?,
                master_secret: hex::decode_array(secret).ok_or_else(malformed)?,
            }),
            [_, _, _] => {}
            _ => return Err(malformed()),
        }
    }
    Ok(secrets)
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
