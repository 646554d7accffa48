//! Goes through a capture record by record and compares what was computed with what the file says.

use std::fmt;

use dtls_core::{CipherSuite, internals::psk_premaster};
use serde_json::{Map, Value, json};

use crate::{
    Outcome,
    capture::{Capture, Datagram, FACTS, Inputs},
    hex,
    session::{Opened, Session},
};

/// The first disagreement between a file and this library.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mismatch {
    /// Which record of the file, counted from 1 over all datagrams.
    pub record: usize,
    /// What was compared.
    pub field: String,
    /// What the file says.
    pub expected: String,
    /// What was computed.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, field, expected, found } = self;
        let same = expected.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
        let (expected, found) = (shorten(expected, same), shorten(found, same));
        write!(f, "record {record} field {field} expected {expected} found {found}")
    }
}

/// Why a check ends early.
pub(crate) enum Stop {
    Unsupported(String),
    Differs { field: String, expected: String, found: String },
}

impl Stop {
    pub(crate) fn differs(field: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Differs { field: field.to_owned(), expected: expected.into(), found: found.into() }
    }
}

pub(crate) fn run(capture: &Capture) -> Outcome {
    let mut checker = Checker::new(&capture.inputs);
    match checker.run(capture) {
        Ok(()) => Outcome::Verified {
            records: checker.records,
            protected: checker.protected,
            resealed: checker.resealed,
        },
        Err(Stop::Unsupported(suite)) => Outcome::Unsupported { suite },
        Err(Stop::Differs { field, expected, found }) => {
            Outcome::Failed(Mismatch { record: checker.records, field, expected, found })
        }
    }
}

struct Checker<'c> {
    inputs: &'c Inputs,
    /// In order of their first datagrams.
    sessions: Vec<(u64, Session)>,
    records: usize,
    protected: usize,
    resealed: usize,
}

impl<'c> Checker<'c> {
    const fn new(inputs: &'c Inputs) -> Self {
        Self { inputs, sessions: Vec::new(), records: 0, protected: 0, resealed: 0 }
    }

    fn run(&mut self, capture: &Capture) -> Result<(), Stop> {
        for (datagram, stored) in self.inputs.datagrams.iter().zip(&capture.records) {
            self.datagram(datagram, stored)?;
        }
        self.completeness()?;
        self.facts(&capture.facts)
    }

    fn datagram(&mut self, datagram: &Datagram, stored: &[Value]) -> Result<(), Stop> {
        let index = self.session_of(datagram.client_port);
        let mut bytes = datagram.bytes.clone();
        let mut rest = bytes.as_mut_slice();
        let mut stored = stored.iter();
        while !rest.is_empty() {
            self.records += 1;
            let Some((_, session)) = self.sessions.get_mut(index) else { break };
            let (opened, tail) = session.open_first(datagram.from, rest, self.inputs)?;
            rest = tail;
            let Opened { found, plaintext, resealed, content, epoch } = opened;
            compare_record(stored.next().unwrap_or(&Value::Null), found)?;
            self.protected += usize::from(epoch > 0);
            if let Some((on_wire, sealed)) = resealed {
                self.resealed += 1;
                compare("sealed", &hex::encode(&on_wire).into(), &hex::encode(&sealed).into())?;
            }
            session.take_in(datagram.from, content, epoch, &plaintext, self.inputs)?;
        }
        match stored.next() {
            Some(_) => Err(Stop::differs("records", "another record", "the end of the datagram")),
            None => Ok(()),
        }
    }

    /// The session of a client's port. A resumed one may need the master secret of the one before it.
    fn session_of(&mut self, port: u64) -> usize {
        self.sessions.iter().position(|(p, _)| *p == port).unwrap_or_else(|| {
            let resumable = self.sessions.last().and_then(|(_, session)| session.master_secret());
            self.sessions.push((port, Session::new(resumable)));
            self.sessions.len() - 1
        })
    }

    /// A capture that stops before both Finished proves little, and a secret nobody used was not checked.
    fn completeness(&self) -> Result<(), Stop> {
        for (port, session) in &self.sessions {
            if !session.is_finished() {
                return Err(Stop::differs("finished", format!("both of client {port}"), "less"));
            }
        }
        for secret in &self.inputs.key_log {
            if !self.sessions.iter().any(|(_, s)| s.client_random() == Some(secret.client_random)) {
                let random = hex::encode(&secret.client_random);
                return Err(Stop::differs("keylog", random, "no such ClientHello"));
            }
        }
        Ok(())
    }

    fn facts(&self, stored: &Map<String, Value>) -> Result<(), Stop> {
        let mut found = Map::new();
        found.insert("connections".into(), self.sessions.iter().map(connection).collect());
        found.insert(
            "decrypt".into(),
            json!({ "protected_records": self.protected, "decrypted": self.protected }),
        );
        if let Some(psk) = &self.inputs.psk {
            let key = hex::encode(psk);
            found.insert("premaster_secret".into(), hex::encode(&psk_premaster(psk)).into());
            let identity = self.sessions.iter().find_map(|(_, s)| s.psk_identity());
            let identity = identity.map(|i| String::from_utf8_lossy(i).into_owned());
            let object = stored.get("psk").is_some_and(Value::is_object);
            let psk = if object { json!({ "identity": identity, "key": key }) } else { key.into() };
            found.insert("psk".into(), psk);
        }
        if let Some(psk) = &self.inputs.external_psk
            && self.sessions.iter().any(|(_, s)| s.bound() > 0)
        {
            let psk = json!({ "identity": psk.identity, "key": hex::encode(&psk.key) });
            found.insert("external_psk".into(), psk);
        }
        if let Some(export) = &self.inputs.exporter {
            let values: Vec<_> = self.sessions.iter().map(|(_, s)| s.export(export)).collect();
            found.insert(
                "exporter".into(),
                json!({
                    "label": export.label,
                    "context_utf8": export.context,
                    "length": export.length,
                    "values_per_connection": values,
                }),
            );
        }
        for name in FACTS {
            if let Some(expected) = stored.get(name).filter(|v| !v.is_null()) {
                compare(name, expected, found.get(name).unwrap_or(&Value::Null))?;
            }
        }
        Ok(())
    }
}

fn connection((port, session): &(u64, Session)) -> Value {
    let (c2s, s2c) = session.cid_lengths();
    let random = |r: Option<[u8; 32]>| r.map(|r| hex::encode(&r));
    json!({
        "client_port": port,
        "client_random": random(session.client_random()),
        "server_random": random(session.server_random()),
        "cipher_suite": session.suite_id().map(|CipherSuite(id)| format!("{id:#x}")),
        "dtls13": session.is_13(),
        "cid_len_c2s": c2s,
        "cid_len_s2c": s2c,
    })
}

/// The fields of a record from the outside in, so that the first difference named is the cause of others.
const RECORD_FIELDS: [&str; 15] = [
    "fmt",
    "hdr",
    "mask",
    "clear_hdr",
    "type",
    "version",
    "epoch",
    "seq",
    "cid",
    "ciphertext",
    "nonce",
    "aad",
    "inner_type",
    "pad",
    "plaintext",
];

fn compare_record(stored: &Value, found: Map<String, Value>) -> Result<(), Stop> {
    for name in RECORD_FIELDS {
        let none = &Value::Null;
        compare(name, stored.get(name).unwrap_or(none), found.get(name).unwrap_or(none))?;
    }
    // Fields nobody knows of.
    compare("record", stored, &found.into())
}

/// Names the first difference, with the path to it.
fn compare(path: &str, expected: &Value, found: &Value) -> Result<(), Stop> {
    match (expected, found) {
        _ if expected == found => Ok(()),
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys()) {
                let none = &Value::Null;
                compare(&format!("{path}.{name}"), a.get(name).unwrap_or(none), b.get(name).unwrap_or(none))?;
            }
            Ok(())
        }
        (Value::Array(a), Value::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                let none = &Value::Null;
                compare(&format!("{path}[{i}]"), a.get(i).unwrap_or(none), b.get(i).unwrap_or(none))?;
            }
            Ok(())
        }
        _ => Err(Stop::differs(path, text(expected), text(found))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// A window on a long value, around where it first differs.
fn shorten(value: &str, same: usize) -> String {
    const WINDOW: usize = 64;
    if value.chars().count() <= WINDOW {
        return value.replace(['\n', '\r'], " ");
    }
    let start = same.saturating_sub(8);
    let part: String = value.chars().skip(start).take(WINDOW - 8).collect();
    let (before, after) =
        (if start > 0 { "..." } else { "" }, if start + WINDOW - 8 < value.len() { "..." } else { "" });
    format!("{before}{part}{after}").replace(['\n', '\r'], " ")
}
