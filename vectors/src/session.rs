//! One connection of a capture, seen from the middle with the keys in hand.

use std::collections::BTreeSet;

use dtls_core::{
    CipherSuite, ContentType, Discard, HandshakeType, ProtocolVersion, RecordNumber,
    crypto::{AeadAlgorithm, Digest, Hash},
    internals::{
        End, Fragment, Hello, Keys, Message, Reassembly, Record, RecordKeys, ServerChoice, Transcript,
        parse_ack, parse_cookie, psk_premaster,
    },
};
use serde_json::{Map, Value};

use crate::{
    capture::{Export, Inputs, LoggedSecret},
    check::Stop,
    cid::{self, CidKeys},
    hex,
    observer::{PROVIDER, take_last_open},
    session13::Session13,
    suites::Suite,
};

/// Where header and explicit nonce of a record end.
const NONCE_END: usize = 13 + 8;

/// A connection so far.
pub(crate) struct Session {
    /// Master secret to fall back on if this turns out to be a resumption.
    resumable: Option<[u8; 48]>,
    client: Peer,
    server: Peer,
    suite: Option<Suite>,
    transcript: Transcript,
    /// Over the transcript up to ClientKeyExchange (RFC 7627 §3); absent in a resumption.
    session_hash: Option<Digest>,
    psk_identity: Option<Vec<u8>>,
    keyed: Option<Keyed>,
    /// The last ClientHello.
    client_hello: Option<Message>,
    /// All there is to know once the connection turns out to be one of DTLS 1.3.
    v13: Option<Box<Session13>>,
}

/// One end.
struct Peer {
    hello: Option<Hello>,
    /// The connection id it wants in records sent to it (RFC 9146 §3).
    cid: Option<Vec<u8>>,
    reassembly: Reassembly,
    finished: bool,
    /// Records it sent, for acknowledgements to name.
    sent: BTreeSet<RecordNumber>,
}

struct Keyed {
    keys: Keys,
    client: RecordKeys,
    server: RecordKeys,
    cid: CidKeys,
}

/// One record, opened.
pub(crate) struct Opened {
    /// All that is compared with the file.
    pub(crate) found: Map<String, Value>,
    pub(crate) plaintext: Vec<u8>,
    /// The record as captured and as we seal it, if its nonce is one we would choose.
    pub(crate) resealed: Option<(Vec<u8>, Vec<u8>)>,
    /// The true content type.
    pub(crate) content: ContentType,
    pub(crate) epoch: u16,
}

impl Session {
    pub(crate) const fn new(resumable: Option<[u8; 48]>) -> Self {
        Self {
            resumable,
            client: Peer::new(),
            server: Peer::new(),
            suite: None,
            transcript: Transcript::new(),
            session_hash: None,
            psk_identity: None,
            keyed: None,
            client_hello: None,
            v13: None,
        }
    }

    pub(crate) fn client_random(&self) -> Option<[u8; 32]> {
        self.client.hello.as_ref().map(|h| h.random)
    }

    pub(crate) fn server_random(&self) -> Option<[u8; 32]> {
        self.server.hello.as_ref().map(|h| h.random)
    }

    pub(crate) fn suite_id(&self) -> Option<CipherSuite> {
        self.server.hello.as_ref().and_then(|h| h.suite)
    }

    pub(crate) fn psk_identity(&self) -> Option<&[u8]> {
        self.psk_identity.as_deref()
    }

    pub(crate) fn master_secret(&self) -> Option<[u8; 48]> {
        self.keyed.as_ref().map(|k| *k.keys.master_secret())
    }

    /// Both Finished messages were seen and right.
    pub(crate) fn is_finished(&self) -> bool {
        match &self.v13 {
            Some(v13) => v13.is_finished(),
            None => self.client.finished && self.server.finished,
        }
    }

    pub(crate) const fn is_13(&self) -> bool {
        self.v13.is_some()
    }

    /// Binders of DTLS 1.3 that were recomputed.
    pub(crate) fn bound(&self) -> usize {
        self.v13.as_ref().map_or(0, |v13| v13.bound())
    }

    /// What both ends export, in hex, or why it is not known.
    pub(crate) fn export(&self, export: &Export) -> String {
        let Export { label, context, length } = export;
        let mut out = vec![0; *length];
        let context = Some(context.as_bytes());
        let exporter = match (&self.v13, &self.keyed) {
            (Some(v13), _) => v13.exporter(),
            (None, Some(keyed)) => Some(keyed.keys.exporter()),
            (None, None) => None,
        };
        let Some(exporter) = exporter else { return "(no exporter secret)".to_owned() };
        let exported = exporter.export(&PROVIDER, label, context, &mut out);
        exported.map_or_else(|e| format!("({e})"), |()| hex::encode(&out))
    }

    /// Lengths of the connection ids in records from the client and from the server.
    pub(crate) fn cid_lengths(&self) -> (usize, usize) {
        match (&self.client.cid, &self.server.cid) {
            (Some(client), Some(server)) => (server.len(), client.len()),
            _ => (0, 0),
        }
    }

    fn cid_len(&self, from: End) -> usize {
        let (from_client, from_server) = self.cid_lengths();
        match from {
            End::Client => from_client,
            End::Server => from_server,
        }
    }

    /// Takes the first record off a datagram.
    pub(crate) fn open_first<'d>(
        &mut self,
        from: End,
        datagram: &'d mut [u8],
        inputs: &Inputs,
    ) -> Result<(Opened, &'d mut [u8]), Stop> {
        if datagram.first() == Some(&cid::CONTENT_TYPE) {
            return self.open_first_with_cid(from, datagram, inputs);
        }
        if datagram.first().is_some_and(|first| first >> 5 == 1) {
            return self.open_first_unified(from, datagram, inputs);
        }
        let (record, rest) = Record::split_first(datagram).map_err(malformed)?;
        let mut found = Map::new();
        let Record { content, version, number, .. } = record;
        put_header(&mut found, content.0, version.0, number.epoch(), number.seq());
        let epoch = number.epoch();
        if epoch == 0 {
            self.peer(from).sent.insert(number);
            let plaintext = record.body.to_vec();
            found.insert("plaintext".into(), hex::encode(&plaintext).into());
            return Ok((Opened { found, plaintext, resealed: None, content, epoch }, rest));
        }
        let on_wire = [&record.header()[..], record.body].concat();
        found.insert("ciphertext".into(), hex::encode(record.body).into());
        let suite = self.suite()?;
        let keyed = self.keyed(inputs)?;
        let keys = match from {
            End::Client => &keyed.client,
            End::Server => &keyed.server,
        };
        take_last_open();
        let plaintext = keys.open(record).map(<[u8]>::to_vec);
        put_opened(&mut found, &plaintext);
        let plaintext = plaintext.unwrap_or_default();
        let sealed = keys.seal(content, version, number, &plaintext).unwrap_or_default();
        // An explicit nonce need not be the record number (RFC 5246 §6.2.3.3); only ours is.
        let explicit = suite.aead != AeadAlgorithm::ChaCha20Poly1305;
        let ours = !explicit || on_wire.get(..NONCE_END) == sealed.get(..NONCE_END);
        let resealed = ours.then_some((on_wire, sealed));
        Ok((Opened { found, plaintext, resealed, content, epoch }, rest))
    }

    fn open_first_unified<'d>(
        &mut self,
        from: End,
        datagram: &'d mut [u8],
        inputs: &Inputs,
    ) -> Result<(Opened, &'d mut [u8]), Stop> {
        let cid_len = self.cid_len(from);
        let (opened, number, rest) = self.v13(inputs)?.open_first(from, datagram, cid_len)?;
        self.peer(from).sent.extend(number);
        Ok((opened, rest))
    }

    /// Made when the version is known, or with the first offered suite when early data shows it.
    fn v13(&mut self, inputs: &Inputs) -> Result<&mut Session13, Stop> {
        let hello = self.client_hello.as_ref().ok_or_else(no_hello)?;
        let v13 = match self.v13.take() {
            Some(v13) => v13,
            None => Box::new(Session13::new(hello, self.suite, inputs)?),
        };
        Ok(self.v13.insert(v13))
    }

    fn open_first_with_cid<'d>(
        &mut self,
        from: End,
        datagram: &'d mut [u8],
        inputs: &Inputs,
    ) -> Result<(Opened, &'d mut [u8]), Stop> {
        let (record, rest) = cid::Record::split_first(datagram, self.cid_len(from))
            .ok_or_else(|| malformed(Discard::Malformed))?;
        let mut found = Map::new();
        let epoch = record.number.epoch();
        put_header(&mut found, cid::CONTENT_TYPE, record.version.0, epoch, record.number.seq());
        found.insert("cid".into(), hex::encode(record.cid).into());
        found.insert("ciphertext".into(), hex::encode(record.body).into());
        let keyed = self.keyed(inputs)?;
        take_last_open();
        let opened = keyed.cid.open(from, record);
        put_opened(&mut found, &opened.as_ref().map(|(_, content)| content.clone()).map_err(|e| *e));
        let (content, plaintext) = opened.unwrap_or((ContentType(0), Vec::new()));
        found.insert("inner_type".into(), content.0.into());
        Ok((Opened { found, plaintext, resealed: None, content, epoch }, rest))
    }

    /// Follows the handshake.
    pub(crate) fn take_in(
        &mut self,
        from: End,
        content: ContentType,
        epoch: u16,
        plaintext: &[u8],
        inputs: &Inputs,
    ) -> Result<(), Stop> {
        if content == ContentType::ACK && self.is_13() {
            return self.acknowledge(from, plaintext);
        }
        if content != ContentType::HANDSHAKE {
            return Ok(());
        }
        for fragment in Fragment::all(plaintext) {
            let fragment = fragment.map_err(undecodable)?;
            match self.peer(from).reassembly.insert(&fragment, epoch) {
                // A retransmission.
                Ok(()) | Err(Discard::OldMessage) => {}
                Err(reason) => return Err(undecodable(reason)),
            }
        }
        while let Some(message) = self.peer(from).reassembly.pop() {
            self.message(from, &message, inputs)?;
        }
        Ok(())
    }

    /// An acknowledgement names only records that were sent (RFC 9147 §7).
    fn acknowledge(&self, from: End, body: &[u8]) -> Result<(), Stop> {
        let numbers = parse_ack(body).ok_or_else(|| Stop::differs("ack", "a list", hex::encode(body)))?;
        let peer = match from {
            End::Client => &self.server,
            End::Server => &self.client,
        };
        for (epoch, seq) in numbers {
            let sent = u16::try_from(epoch).is_ok_and(|e| peer.sent.contains(&RecordNumber::new(e, seq)));
            if !sent {
                return Err(Stop::differs("ack", format!("{epoch}:{seq}"), "no such record"));
            }
        }
        Ok(())
    }

    fn message(&mut self, from: End, message: &Message, inputs: &Inputs) -> Result<(), Stop> {
        match message.typ {
            HandshakeType::CLIENT_HELLO => {
                self.client.hello = Some(Hello::parse_client(&message.body).map_err(undecodable)?);
                self.client.cid = cid::offered(&message.body, End::Client);
                // Neither the first hello nor the request for a second one is in the transcript (RFC 6347 §4.2.1).
                self.transcript = Transcript::new();
                self.client_hello = Some(message.clone());
            }
            HandshakeType::SERVER_HELLO => {
                let choice = ServerChoice::parse(&message.body).map_err(undecodable)?;
                let hello = Hello::parse_server(&message.body).map_err(undecodable)?;
                self.suite = hello.suite.map(Suite::find).transpose().map_err(Stop::Unsupported)?;
                self.server.hello = Some(hello);
                self.server.cid = cid::offered(&message.body, End::Server);
                if choice.version == Some(ProtocolVersion::DTLS1_3) {
                    self.v13(inputs)?;
                }
            }
            HandshakeType::HELLO_VERIFY_REQUEST => {
                return parse_cookie(&message.body).map(|_| ()).map_err(undecodable);
            }
            HandshakeType::HELLO_REQUEST => return Ok(()),
            HandshakeType::CLIENT_KEY_EXCHANGE => {
                if let Some(parts) = self.suite()?.psk {
                    let identity = parts.psk_identity(&message.body).map_err(undecodable)?;
                    self.psk_identity = Some(identity.to_vec());
                }
                self.transcript.add(message);
                self.session_hash = Some(self.transcript.hash(hash_of(self.suite()?)?));
                return Ok(());
            }
            HandshakeType::FINISHED if !self.is_13() => self.finished(from, &message.body)?,
            _ => {}
        }
        match &mut self.v13 {
            Some(v13) => v13.message(from, message),
            None => {
                self.transcript.add(message);
                Ok(())
            }
        }
    }

    fn finished(&mut self, from: End, body: &[u8]) -> Result<(), Stop> {
        let transcript = self.transcript.hash(hash_of(self.suite()?)?);
        let keyed =
            self.keyed.as_ref().ok_or_else(|| Stop::differs("verify_data", hex::encode(body), "no keys"))?;
        let computed = keyed.keys.verify_data(from, &transcript);
        if computed != *body {
            return Err(Stop::differs("verify_data", hex::encode(body), hex::encode(&computed)));
        }
        self.peer(from).finished = true;
        Ok(())
    }

    /// The keys, made when the first protected record is met.
    fn keyed(&mut self, inputs: &Inputs) -> Result<&Keyed, Stop> {
        if self.keyed.is_none() {
            let suite = self.suite()?;
            let keys = self.derive(suite, inputs)?;
            let broken = |_| Stop::differs("keys", "of the suite", "the provider refused them");
            let (client, server) = keys.records(&PROVIDER, suite.aead).map_err(broken)?;
            let randoms = (self.client_random(), self.server_random());
            let (Some(client_random), Some(server_random)) = randoms else { return Err(no_hello()) };
            let cid = CidKeys::new(suite.aead, hash_of(suite)?, &keys, (&client_random, &server_random))
                .map_err(broken)?;
            self.keyed = Some(Keyed { keys, client, server, cid });
        }
        self.keyed.as_ref().ok_or_else(no_hello)
    }

    /// The master secret: from the PSK alone where that is possible, and then the key log must agree; else out of the key
    /// log; for a resumption without a line of its own, that of the session before.
    fn derive(&self, suite: Suite, inputs: &Inputs) -> Result<Keys, Stop> {
        let (Some(client), Some(server)) = (&self.client.hello, &self.server.hello) else {
            return Err(no_hello());
        };
        let hash = hash_of(suite)?;
        let mut lines = inputs.key_log.iter().filter(|line| line.client_random == client.random);
        let logged = lines.find_map(LoggedSecret::master_secret);
        let plain_psk = inputs.psk.as_ref().filter(|_| suite.psk.is_some_and(|parts| !parts.ecdhe));
        if let (Some(psk), Some(session_hash)) = (plain_psk, &self.session_hash) {
            let extended = client.extended_master_secret && server.extended_master_secret;
            let session_hash = extended.then_some(session_hash);
            let premaster = psk_premaster(psk);
            let keys = Keys::from_premaster(hash, &premaster, client.random, server.random, session_hash);
            return match logged {
                Some(logged) if logged != *keys.master_secret() => Err(Stop::differs(
                    "master_secret",
                    hex::encode(&logged),
                    hex::encode(keys.master_secret()),
                )),
                _ => Ok(keys),
            };
        }
        let resumed = self.resumable.filter(|_| self.session_hash.is_none());
        let master = logged.or(resumed).ok_or_else(|| {
            Stop::differs("keylog", format!("a line for {}", hex::encode(&client.random)), "none")
        })?;
        Ok(Keys::from_master(hash, &master, client.random, server.random))
    }

    fn suite(&self) -> Result<Suite, Stop> {
        self.suite.ok_or_else(no_hello)
    }

    const fn peer(&mut self, end: End) -> &mut Peer {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

impl Peer {
    const fn new() -> Self {
        Self {
            hello: None,
            cid: None,
            reassembly: Reassembly::new(0),
            finished: false,
            sent: BTreeSet::new(),
        }
    }
}

pub(crate) fn hash_of(suite: Suite) -> Result<&'static dyn Hash, Stop> {
    PROVIDER.hash(suite.hash).ok_or_else(|| Stop::Unsupported(format!("{:?}", suite.hash)))
}

fn put_header(found: &mut Map<String, Value>, content: u8, version: u16, epoch: u16, seq: u64) {
    found.insert("fmt".into(), "legacy".into());
    found.insert("type".into(), content.into());
    found.insert("version".into(), format!("{version:04x}").into());
    found.insert("epoch".into(), epoch.into());
    found.insert("seq".into(), seq.into());
}

fn put_opened(found: &mut Map<String, Value>, plaintext: &Result<Vec<u8>, Discard>) {
    if let Some(call) = take_last_open() {
        found.insert("nonce".into(), hex::encode(&call.nonce).into());
        found.insert("aad".into(), hex::encode(&call.aad).into());
    }
    let plaintext = match plaintext {
        Ok(plaintext) => hex::encode(plaintext),
        Err(reason) => format!("({reason})"),
    };
    found.insert("plaintext".into(), plaintext.into());
}

pub(crate) fn malformed(reason: Discard) -> Stop {
    Stop::differs("hex", "a record", format!("({reason})"))
}

pub(crate) fn undecodable(reason: impl core::fmt::Display) -> Stop {
    Stop::differs("handshake", "a message", format!("({reason})"))
}

pub(crate) fn no_hello() -> Stop {
    Stop::differs("handshake", "hellos before anything that needs them", "none")
}
