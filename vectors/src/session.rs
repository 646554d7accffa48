//! One connection of a capture, seen from the middle with the keys in hand.

use dtls_core::{
    CipherSuite, ContentType, Discard, HandshakeType,
    crypto::{AeadAlgorithm, Digest, Hash},
    internals::{
        End, Fragment, Hello, Keys, Message, Reassembly, Record, RecordKeys, Transcript, parse_cookie,
        psk_premaster,
    },
};
use serde_json::{Map, Value};

use crate::{
    capture::Inputs,
    check::Stop,
    cid::{self, CidKeys},
    hex,
    observer::{PROVIDER, take_last_open},
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
}

/// One end.
struct Peer {
    hello: Option<Hello>,
    /// The connection id it wants in records sent to it (RFC 9146 §3).
    cid: Option<Vec<u8>>,
    reassembly: Reassembly,
    finished: bool,
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
    pub(crate) const fn is_finished(&self) -> bool {
        self.client.finished && self.server.finished
    }

    /// Lengths of the connection ids in records from the client and from the server.
    pub(crate) fn cid_lengths(&self) -> (usize, usize) {
        match (&self.client.cid, &self.server.cid) {
            (Some(client), Some(server)) => (server.len(), client.len()),
            _ => (0, 0),
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
        let (record, rest) = Record::split_first(datagram).map_err(malformed)?;
        let mut found = Map::new();
        let Record { content, version, number, .. } = record;
        put_header(&mut found, content.0, version.0, number.epoch(), number.seq());
        let epoch = number.epoch();
        if epoch == 0 {
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

    fn open_first_with_cid<'d>(
        &mut self,
        from: End,
        datagram: &'d mut [u8],
        inputs: &Inputs,
    ) -> Result<(Opened, &'d mut [u8]), Stop> {
        let (from_client, from_server) = self.cid_lengths();
        let (record, rest) = match from {
            End::Client => cid::Record::split_first(datagram, from_client),
            End::Server => cid::Record::split_first(datagram, from_server),
        }
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
    ) -> Result<(), Stop> {
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
            self.message(from, &message)?;
        }
        Ok(())
    }

    fn message(&mut self, from: End, message: &Message) -> Result<(), Stop> {
        match message.typ {
            HandshakeType::CLIENT_HELLO => {
                self.client.hello = Some(Hello::parse_client(&message.body).map_err(undecodable)?);
                self.client.cid = cid::offered(&message.body, End::Client);
                // Neither the first hello nor the request for a second one is in the transcript (RFC 6347 §4.2.1).
                self.transcript = Transcript::new();
            }
            HandshakeType::SERVER_HELLO => {
                let hello = Hello::parse_server(&message.body).map_err(undecodable)?;
                self.suite = hello.suite.map(Suite::find).transpose().map_err(Stop::Unsupported)?;
                self.server.hello = Some(hello);
                self.server.cid = cid::offered(&message.body, End::Server);
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
            HandshakeType::FINISHED => self.finished(from, &message.body)?,
            _ => {}
        }
        self.transcript.add(message);
        Ok(())
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
        let logged = inputs.key_log.iter().find(|line| line.client_random == client.random);
        let plain_psk = inputs.psk.as_ref().filter(|_| suite.psk.is_some_and(|parts| !parts.ecdhe));
        if let (Some(psk), Some(session_hash)) = (plain_psk, &self.session_hash) {
            let extended = client.extended_master_secret && server.extended_master_secret;
            let session_hash = extended.then_some(session_hash);
            let premaster = psk_premaster(psk);
            let keys = Keys::from_premaster(hash, &premaster, client.random, server.random, session_hash);
            return match logged {
                Some(line) if line.master_secret != *keys.master_secret() => Err(Stop::differs(
                    "master_secret",
                    hex::encode(&line.master_secret),
                    hex::encode(keys.master_secret()),
                )),
                _ => Ok(keys),
            };
        }
        let resumed = self.resumable.filter(|_| self.session_hash.is_none());
        let master = logged.map(|line| line.master_secret).or(resumed).ok_or_else(|| {
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
        Self { hello: None, cid: None, reassembly: Reassembly::new(0), finished: false }
    }
}

fn hash_of(suite: Suite) -> Result<&'static dyn Hash, Stop> {
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

fn malformed(reason: Discard) -> Stop {
    Stop::differs("hex", "a record", format!("({reason})"))
}

fn undecodable(reason: impl core::fmt::Display) -> Stop {
    Stop::differs("handshake", "a message", format!("({reason})"))
}

fn no_hello() -> Stop {
    Stop::differs("handshake", "hellos before anything that needs them", "none")
}
