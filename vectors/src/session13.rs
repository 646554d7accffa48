//! What is particular to a connection of DTLS 1.3: many epochs, masked record numbers, a secret for each direction and stage.

use dtls_core::{
    CipherSuite, ContentType, Discard, HandshakeType, ProtocolVersion, RecordNumber,
    crypto::{CryptoError, Hash},
    internals::{
        ClientOffer, Early, End, Exporter, HandshakeSecrets, Message, PskOrigin, Reader13, RecordKeys,
        ServerChoice, TrafficSecret, Transcript13, UnifiedRecord, decodes, expand_label,
    },
};
use serde_json::Map;

use crate::{
    capture::{ExternalPsk, Inputs, LoggedSecret},
    check::Stop,
    cid13, hex,
    observer::{PROVIDER, take_last_mask, take_last_open},
    session::{Opened, hash_of, malformed, undecodable},
    suites::Suite,
};

/// The epoch of the encrypted handshake (RFC 9147 §6.1).
const HANDSHAKE_EPOCH: u16 = 2;
/// The first epoch of application data.
const TRAFFIC_EPOCH: u16 = 3;
/// Set in the first byte of a record with a 16-bit number.
const WIDE: u8 = 0b1000;
/// Set in the first byte of a record that tells its length.
const LENGTH: u8 = 0b0100;

const EXPORTER: &str = "EXPORTER_SECRET";

/// A DTLS 1.3 connection so far.
pub(crate) struct Session13 {
    suite: Suite,
    hash: &'static dyn Hash,
    /// Of this connection: what the key log says, and what was computed.
    secrets: Vec<LoggedSecret>,
    psk: Option<ExternalPsk>,
    /// Binders that were recomputed.
    bound: usize,
    /// The last one.
    client_hello: Message,
    transcript: Transcript13,
    /// If the PSK alone gives it.
    schedule: Option<HandshakeSecrets>,
    client: Direction,
    server: Direction,
}

/// What one end sends.
#[derive(Default)]
struct Direction {
    epochs: Vec<Epoch>,
    finished: bool,
}

struct Epoch {
    number: u16,
    secret: TrafficSecret,
    reader: Reader13,
    writer: RecordKeys,
}

impl Session13 {
    /// From the first ClientHello and the suite, if that is known already.
    pub(crate) fn new(hello: &Message, suite: Option<Suite>, inputs: &Inputs) -> Result<Self, Stop> {
        let offer = ClientOffer::parse(&hello.body).map_err(undecodable)?;
        if !offer.versions.contains(&ProtocolVersion::DTLS1_3) {
            return Err(Stop::differs("supported_versions", "DTLS 1.3", format!("{:?}", offer.versions)));
        }
        let suite = match suite {
            Some(suite) => suite,
            // Early data belongs to the first PSK, and clients offer its suite first.
            None => Suite::find(offer.suites.first().copied().unwrap_or(CipherSuite(0)))
                .map_err(Stop::Unsupported)?,
        };
        let hash = hash_of(suite)?;
        let own = |line: &&LoggedSecret| line.client_random == offer.random;
        let mut session = Self {
            suite,
            hash,
            secrets: inputs.key_log.iter().filter(own).cloned().collect(),
            psk: inputs.external_psk.clone(),
            bound: 0,
            client_hello: hello.clone(),
            transcript: Transcript13::new(hash),
            schedule: None,
            client: Direction::default(),
            server: Direction::default(),
        };
        session.client_hello(hello)?;
        Ok(session)
    }

    /// Both Finished messages were seen and right.
    pub(crate) const fn is_finished(&self) -> bool {
        self.client.finished && self.server.finished
    }

    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }

    /// From the key log or the PSK.
    pub(crate) fn exporter(&self) -> Option<Exporter> {
        self.secret(EXPORTER).ok().map(|secret| secret.exporter())
    }

    /// Takes the first record off a datagram; with its number if it could be opened.
    pub(crate) fn open_first<'d>(
        &mut self,
        from: End,
        datagram: &'d mut [u8],
        cid_len: usize,
    ) -> Result<(Opened, Option<RecordNumber>, &'d mut [u8]), Stop> {
        let first = datagram.first().copied().unwrap_or_default();
        let (suite, hash) = (self.suite, self.hash);
        let epoch = self.epoch(from, first & 3)?;
        take_last_open();
        take_last_mask();
        if first & cid13::PRESENT != 0 {
            let (record, rest) =
                cid13::Record::split_first(datagram, cid_len).ok_or_else(|| malformed(Discard::Malformed))?;
            let (header, cid, length) = (record.header.to_vec(), record.cid().to_vec(), record.body.len());
            let opened = record.open(&epoch.secret, hash, suite.aead, epoch.number);
            let opened = Contents::new(opened, length.saturating_sub(suite.aead.tag_len()));
            return Ok((opened.describe(&header, &cid, None), opened.number, rest));
        }
        let (record, rest) = UnifiedRecord::split_first(datagram).map_err(malformed)?;
        let (header, body) = (record.header().to_vec(), record.body().to_vec());
        let opened = epoch.reader.open(record).map(|(typ, number, text)| (typ, number, text.to_vec()));
        let opened = Contents::new(opened, body.len().saturating_sub(suite.aead.tag_len()));
        let resealed = opened.reseal(&epoch.writer, &[header.as_slice(), &body].concat());
        Ok((opened.describe(&header, &[], resealed), opened.number, rest))
    }

    /// Takes in a whole message of `from`, ServerHello and later ClientHellos included.
    pub(crate) fn message(&mut self, from: End, message: &Message) -> Result<(), Stop> {
        if decodes(message.typ, &message.body) == Some(false) {
            return Err(undecodable(format!("{:?} {}", message.typ, hex::encode(&message.body))));
        }
        match message.typ {
            HandshakeType::CLIENT_HELLO => return self.client_hello(message),
            HandshakeType::SERVER_HELLO => return self.server_hello(message),
            HandshakeType::FINISHED => self.finished(from, &message.body)?,
            // No part of any transcript.
            HandshakeType::NEW_SESSION_TICKET => return Ok(()),
            HandshakeType::KEY_UPDATE => return self.update(from),
            _ => {}
        }
        self.transcript.add(message);
        if (message.typ, from) == (HandshakeType::FINISHED, End::Server)
            && let Some(schedule) = &self.schedule
        {
            let [client, server, exporter] = schedule.traffic(&self.transcript.current());
            self.learn("CLIENT_TRAFFIC_SECRET_0", &client)?;
            self.learn("SERVER_TRAFFIC_SECRET_0", &server)?;
            self.learn(EXPORTER, &exporter)?;
        }
        Ok(())
    }

    fn client_hello(&mut self, message: &Message) -> Result<(), Stop> {
        let offer = ClientOffer::parse(&message.body).map_err(undecodable)?;
        let digest = self.transcript.with_bound_part(message).map_err(undecodable)?;
        if let (Some(psk), Some(digest)) = (&self.psk, digest) {
            let key = Early::new(self.hash, &psk.key).binder(PskOrigin::External);
            for offered in offer.psks.iter().filter(|o| o.identity.starts_with(psk.identity.as_bytes())) {
                let computed = key.verify_data(&digest);
                if computed.as_bytes() != offered.binder {
                    let (binder, computed) = (hex::encode(offered.binder), hex::encode(computed.as_bytes()));
                    return Err(Stop::differs("binder", binder, computed));
                }
                self.bound += 1;
            }
        }
        self.client_hello = message.clone();
        self.transcript.add(message);
        Ok(())
    }

    fn server_hello(&mut self, message: &Message) -> Result<(), Stop> {
        let choice = ServerChoice::parse(&message.body).map_err(undecodable)?;
        if Suite::find(choice.suite).ok().map(|s| s.aead) != Some(self.suite.aead) {
            return Err(Stop::differs("suite", format!("{:?}", choice.suite), format!("{:?}", self.suite)));
        }
        if choice.retry {
            self.transcript = Transcript13::after_retry(self.hash, &self.client_hello);
        }
        self.transcript.add(message);
        let offer = ClientOffer::parse(&self.client_hello.body).map_err(undecodable)?;
        let chosen = choice.psk.and_then(|index| offer.psks.get(usize::from(index)));
        // With a key share the shared secret is missing.
        if let (Some(psk), Some(_), None) = (&self.psk, chosen, choice.share) {
            let schedule = Early::new(self.hash, &psk.key).into_handshake(None, &self.transcript.current());
            self.learn(handshake_label(End::Client), &schedule.secret(End::Client))?;
            self.learn(handshake_label(End::Server), &schedule.secret(End::Server))?;
            self.schedule = Some(schedule);
        }
        Ok(())
    }

    /// The base key is that of the handshake, or after it the current one (RFC 8446 §4.4).
    fn finished(&mut self, from: End, body: &[u8]) -> Result<(), Stop> {
        let bits = if self.direction(from).finished { TRAFFIC_EPOCH } else { HANDSHAKE_EPOCH } & 3;
        let transcript = self.transcript.current();
        let bits = u8::try_from(bits).unwrap_or_default();
        let computed = self.epoch(from, bits)?.secret.verify_data(&transcript);
        if computed.as_bytes() != body {
            return Err(Stop::differs("verify_data", hex::encode(body), hex::encode(computed.as_bytes())));
        }
        self.direction(from).finished = true;
        Ok(())
    }

    /// The next epoch of `from` (RFC 8446 §7.2). The core does not update keys yet.
    fn update(&mut self, from: End) -> Result<(), Stop> {
        let hash = self.hash;
        let last = self.direction(from).epochs.last();
        let (number, mut next) =
            last.map(|e| (e.number + 1, e.secret.as_bytes().to_vec())).unwrap_or_default();
        let secret = next.clone();
        expand_label(hash, &secret, b"traffic upd", &[], &mut next);
        let epoch = self.make_epoch(number, TrafficSecret::from_bytes(hash, &next))?;
        self.direction(from).epochs.push(epoch);
        Ok(())
    }

    /// The newest epoch of `from` with these low bits, made of the key log if it is the first.
    fn epoch(&mut self, from: End, bits: u8) -> Result<&mut Epoch, Stop> {
        let fits = |epoch: &Epoch| epoch.number & 3 == u16::from(bits);
        if !self.direction(from).epochs.iter().any(fits) {
            let label = match (bits, from) {
                (1, End::Client) => "CLIENT_EARLY_TRAFFIC_SECRET",
                (2, _) => handshake_label(from),
                (3, End::Client) => "CLIENT_TRAFFIC_SECRET_0",
                (3, End::Server) => "SERVER_TRAFFIC_SECRET_0",
                _ => return Err(Stop::differs("epoch", bits.to_string(), "no such epoch yet")),
            };
            let epoch = self.make_epoch(u16::from(bits), self.secret(label)?)?;
            self.direction(from).epochs.push(epoch);
        }
        let found = self.direction(from).epochs.iter_mut().rfind(|epoch| fits(epoch));
        found.ok_or_else(|| Stop::differs("epoch", bits.to_string(), "no such epoch yet"))
    }

    fn make_epoch(&self, number: u16, secret: TrafficSecret) -> Result<Epoch, Stop> {
        let broken = |CryptoError| Stop::differs("keys", "of the suite", "the provider refused them");
        let reader = secret.reader(&PROVIDER, self.suite.aead, number).map_err(broken)?;
        let writer = secret.writer(&PROVIDER, self.suite.aead).map_err(broken)?;
        Ok(Epoch { number, secret, reader, writer })
    }

    fn secret(&self, label: &str) -> Result<TrafficSecret, Stop> {
        let line = self.secrets.iter().find(|line| line.label == label);
        let line = line.ok_or_else(|| Stop::differs("keylog", label, "no such line"))?;
        Ok(TrafficSecret::from_bytes(self.hash, &line.secret))
    }

    /// Compares a computed secret with the key log, or puts it there if there is none.
    fn learn(&mut self, label: &str, computed: &TrafficSecret) -> Result<(), Stop> {
        match self.secrets.iter().find(|line| line.label == label) {
            Some(line) if line.secret != computed.as_bytes() => {
                Err(Stop::differs(label, hex::encode(&line.secret), hex::encode(computed.as_bytes())))
            }
            Some(_) => Ok(()),
            None => {
                let (label, secret) = (label.to_owned(), computed.as_bytes().to_vec());
                self.secrets.push(LoggedSecret { label, client_random: [0; 32], secret });
                Ok(())
            }
        }
    }

    const fn direction(&mut self, from: End) -> &mut Direction {
        match from {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

const fn handshake_label(end: End) -> &'static str {
    match end {
        End::Client => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        End::Server => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    }
}

/// What was in a record.
struct Contents {
    typ: ContentType,
    number: Option<RecordNumber>,
    plaintext: Vec<u8>,
    /// Zeros behind the content type.
    padding: usize,
    failure: Option<Discard>,
}

impl Contents {
    /// From what opening gave, and the length of the inner plaintext.
    fn new(opened: Result<(ContentType, RecordNumber, Vec<u8>), Discard>, inner: usize) -> Self {
        match opened {
            Ok((typ, number, plaintext)) => {
                let padding = inner.saturating_sub(plaintext.len() + 1);
                Self { typ, number: Some(number), plaintext, padding, failure: None }
            }
            Err(failure) => {
                let typ = ContentType(0);
                Self { typ, number: None, plaintext: Vec::new(), padding: 0, failure: Some(failure) }
            }
        }
    }

    /// The record as it was and as this library seals it in the same form, unless it has padding of the sender's choice.
    fn reseal(&self, writer: &RecordKeys, on_wire: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (number, first) = (self.number?, on_wire.first()?);
        if self.padding > 0 {
            return None;
        }
        let form = (first & WIDE != 0, first & LENGTH == 0);
        let sealed = writer.seal_unified(self.typ, number, form, &self.plaintext).unwrap_or_default();
        Some((on_wire.to_vec(), sealed))
    }

    /// All that is compared with the file.
    fn describe(&self, header: &[u8], cid: &[u8], resealed: Option<(Vec<u8>, Vec<u8>)>) -> Opened {
        let mut found = Map::new();
        found.insert("fmt".into(), "unified".into());
        found.insert("hdr".into(), hex::encode(header).into());
        found.insert("cid".into(), hex::encode(cid).into());
        if let (Some(call), Some(mask)) = (take_last_open(), take_last_mask()) {
            let masked = if header.first().is_some_and(|first| first & WIDE != 0) { 2 } else { 1 };
            found.insert("clear_hdr".into(), hex::encode(&call.aad).into());
            found.insert("mask".into(), hex::encode(mask.get(..masked).unwrap_or(&mask)).into());
        }
        if let Some(number) = self.number {
            found.insert("epoch".into(), number.epoch().into());
            found.insert("seq".into(), number.seq().into());
            found.insert("type".into(), self.typ.0.into());
            found.insert("pad".into(), self.padding.into());
        }
        let plaintext = match self.failure {
            Some(reason) => format!("({reason})"),
            None => hex::encode(&self.plaintext),
        };
        found.insert("plaintext".into(), plaintext.into());
        let epoch = self.number.map_or(0, RecordNumber::epoch);
        Opened { found, plaintext: self.plaintext.clone(), resealed, content: self.typ, epoch }
    }
}
