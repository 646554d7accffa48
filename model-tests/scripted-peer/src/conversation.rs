//! The transcript of one handshake as this peer knows it, and the keys that follow from it.

use std::sync::Arc;

use dtls_core::{
    CipherSuite, ContentType, HandshakeType, ProtocolVersion, RecordNumber,
    crypto::{AeadAlgorithm, Digest, Hash, HashAlgorithm, KeyShare},
    internals::{
        Early, End, HandshakeSecrets, Keys, Message, PskOrigin, Reader13, RecordKeys, SuiteParts,
        TrafficSecret, psk_premaster,
    },
};

use crate::{
    Settings,
    codec::{self, ClientHello, ServerHello, array, extension, get, vec_of, vector},
};

/// Own ephemeral keys with their groups.
pub(crate) type Shares = Vec<(u16, Arc<dyn KeyShare>)>;

/// What was said, by whom, and what follows from it.
#[derive(Default)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct Conversation {
    messages: Vec<Arc<Message>>,
    pub(crate) client: Option<Arc<ClientHello>>,
    pub(crate) server: Option<Arc<ServerHello>>,
    /// The group and public key of ServerKeyExchange.
    pub(crate) server_key: Option<(u16, Vec<u8>)>,
    stage: Stage,
    epochs: Vec<Epoch>,
}

/// How far the key schedule has got.
#[derive(Clone, Default)]
enum Stage {
    #[default]
    Hello,
    Keyed12(Keys),
    Handshake13(HandshakeSecrets),
}

/// The keys of one epoch, in both directions.
#[cfg_attr(feature = "model", derive(Clone))]
struct Epoch {
    number: u16,
    write: RecordKeys,
    read: Reader,
}

#[cfg_attr(feature = "model", derive(Clone))]
enum Reader {
    V12(RecordKeys),
    V13(Reader13),
}

impl Conversation {
    /// Nothing was said, or nothing that counts (RFC 6347 §4.2.1).
    pub(crate) fn restart(&mut self, with: &[Arc<Message>]) {
        *self = Self { messages: with.to_vec(), ..Self::default() };
    }

    /// The last message said by anyone.
    pub(crate) fn last(&self) -> Option<&Arc<Message>> {
        self.messages.last()
    }

    /// Whether the last message is a HelloRetryRequest.
    pub(crate) fn ends_with_retry(&self) -> bool {
        self.last().is_some_and(|message| is_retry(message))
    }

    /// How many have finished their part.
    pub(crate) fn finished(&self) -> usize {
        self.messages.iter().filter(|message| message.typ == HandshakeType::FINISHED).count()
    }

    /// DTLS 1.3 or not, once the server has chosen.
    pub(crate) fn is13(&self) -> Option<bool> {
        if self.messages.iter().any(|message| is_retry(message)) {
            return Some(true);
        }
        self.server.as_ref().map(|hello| hello.is13())
    }

    /// The suite of DTLS 1.2 that the server has chosen.
    pub(crate) fn suite12(&self) -> Option<SuiteParts> {
        let hello = self.server.as_ref().filter(|hello| !hello.is13())?;
        SuiteParts::find(CipherSuite(u16::from_be_bytes(hello.cipher_suite)))
    }

    /// Appends a message and derives what keys follow from it. Keys that do not follow are left out.
    pub(crate) fn add(&mut self, settings: &Settings, shares: &Shares, message: Arc<Message>) {
        let typ = message.typ;
        self.messages.push(Arc::clone(&message));
        // Whatever cannot be read or agreed on leads to no keys.
        let _keys: Option<()> = match typ {
            HandshakeType::CLIENT_HELLO => {
                self.client = ClientHello::parse(&message.body).map(Arc::new);
                None
            }
            HandshakeType::SERVER_HELLO if !is_retry(&message) => {
                self.server = ServerHello::parse(&message.body).map(Arc::new);
                self.enter_handshake13(settings, shares)
            }
            HandshakeType::SERVER_KEY_EXCHANGE => {
                self.server_key = parse_server_key(&message.body);
                None
            }
            HandshakeType::CLIENT_KEY_EXCHANGE => self.derive12(settings, shares, &message.body),
            HandshakeType::FINISHED if self.finished() == 1 => self.enter_traffic13(settings),
            _ => None,
        };
    }

    /// What the Finished of `sender` says about everything so far.
    pub(crate) fn verify_data(&self, settings: &Settings, sender: End) -> Option<Vec<u8>> {
        self.verify_data_over(settings, sender, &self.messages)
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// What the Finished of `sender` says about `messages`.
    pub(crate) fn verify_data_over(
        &self,
        settings: &Settings,
        sender: End,
        messages: &[Arc<Message>],
    ) -> Option<Vec<u8>> {
        match &self.stage {
            Stage::Hello => None,
            Stage::Keyed12(keys) => {
                let hash = settings.provider.hash(self.suite12()?.hash)?;
                Some(keys.verify_data(sender, &hash12(hash, messages)).to_vec())
            }
            Stage::Handshake13(secrets) => {
                let (_, hash) = self.suite13(settings)?;
                Some(secrets.secret(sender).verify_data(&hash13(hash, messages)).as_bytes().to_vec())
            }
        }
    }

    /// A binder over the messages so far and `covered`, the first bytes of a ClientHello with its header (RFC 8446 §4.2.11.2).
    pub(crate) fn binder(settings: &Settings, retried: &[Arc<Message>], covered: &[u8]) -> Option<Digest> {
        let (_, hash) = find13(settings, *settings.suites13.first()?)?;
        let mut context = hash.start();
        feed13(&mut *context, hash, retried);
        context.update(covered);
        let key = Early::new(hash, &settings.psk).binder(PskOrigin::External);
        Some(key.verify_data(&context.current()))
    }

    /// Whether this peer has any keys.
    pub(crate) const fn is_keyed(&self) -> bool {
        !self.epochs.is_empty()
    }

    /// Whether this peer can send in `epoch`.
    pub(crate) fn has_keys(&self, epoch: u16) -> bool {
        self.epochs.iter().any(|keys| keys.number == epoch)
    }

    /// A record under the keys of its epoch, if there are any.
    pub(crate) fn seal(&self, content: u8, number: RecordNumber, plaintext: &[u8]) -> Option<Vec<u8>> {
        let keys = self.epochs.iter().find(|keys| keys.number == number.epoch())?;
        let content = ContentType(content);
        let sealed = match keys.read {
            Reader::V12(_) => keys.write.seal(content, ProtocolVersion::DTLS1_2, number, plaintext),
            Reader::V13(_) => keys.write.seal_unified(content, number, (true, false), plaintext),
        };
        sealed.ok()
    }

    /// Opens a record with the 13-byte header of an epoch that has keys.
    pub(crate) fn open12(&self, record: dtls_core::internals::Record<'_>) -> Option<Vec<u8>> {
        let epoch = record.number.epoch();
        self.epochs.iter().find(|keys| keys.number == epoch).and_then(|keys| match &keys.read {
            Reader::V12(read) => read.open(record).ok().map(<[u8]>::to_vec),
            Reader::V13(_) => None,
        })
    }

    /// Opens a record with a unified header: its content type, number and content.
    pub(crate) fn open13(
        &mut self,
        record: dtls_core::internals::UnifiedRecord<'_>,
    ) -> Option<(ContentType, RecordNumber, Vec<u8>)> {
        let bits = u16::from(record.header().first()? & 3);
        self.epochs.iter_mut().find(|keys| keys.number & 3 == bits).and_then(|keys| match &mut keys.read {
            Reader::V12(_) => None,
            Reader::V13(read) => {
                read.open(record).ok().map(|(content, number, body)| (content, number, body.to_vec()))
            }
        })
    }

    /// RFC 5246 §8.1, RFC 4279 §2, RFC 5489 §2, RFC 7627 §4.
    fn derive12(&mut self, settings: &Settings, shares: &Shares, exchange: &[u8]) -> Option<()> {
        let (client, server) = (self.client.as_ref()?, self.server.as_ref()?);
        let suite = self.suite12()?;
        let hash = settings.provider.hash(suite.hash)?;
        let premaster = if suite.ecdhe {
            let (group, server_key) = self.server_key.as_ref()?;
            let own = &shares.iter().find(|(own, _)| own == group)?.1;
            let mut rest = exchange;
            vector(&mut rest, 2)?;
            let client_key = vector(&mut rest, 1)?;
            let theirs = if settings.end == End::Client { server_key } else { &client_key };
            let shared = own.agree(theirs).ok()?;
            [vec_of(2, &shared), vec_of(2, &settings.psk)].concat()
        } else {
            psk_premaster(&settings.psk)
        };
        let extended = [&client.extensions, &server.extensions]
            .iter()
            .all(|extensions| get(extensions, extension::EXTENDED_MASTER_SECRET).is_some());
        let session_hash = extended.then(|| hash12(hash, &self.messages));
        let keys =
            Keys::from_premaster(hash, &premaster, client.random, server.random, session_hash.as_ref());
        let (client_write, server_write) = keys.records(&settings.provider, suite.aead).ok()?;
        let (write, read) = match settings.end {
            End::Client => (client_write, server_write),
            End::Server => (server_write, client_write),
        };
        if self.epochs.is_empty() {
            self.epochs.push(Epoch { number: 1, write, read: Reader::V12(read) });
            self.stage = Stage::Keyed12(keys);
        }
        Some(())
    }

    /// RFC 8446 §7.1, up to the keys of the handshake.
    fn enter_handshake13(&mut self, settings: &Settings, shares: &Shares) -> Option<()> {
        let (client, server) = (self.client.as_ref()?, self.server.as_ref().filter(|hello| hello.is13())?);
        let (aead, hash) = self.suite13(settings)?;
        let shared = match server.share() {
            None => None,
            Some((group, server_key)) => {
                let own = &shares.iter().find(|(own, _)| *own == group)?.1;
                let theirs = if settings.end == End::Client { server_key } else { client.share(group)? };
                Some(own.agree(&theirs).ok()?)
            }
        };
        let early = Early::new(hash, &settings.psk);
        let secrets =
            early.into_handshake(shared.as_ref().map(|secret| &secret[..]), &hash13(hash, &self.messages));
        if self.is_keyed() {
            return None;
        }
        let both = [End::Client, End::Server].map(|end| secrets.secret(end));
        self.stage = Stage::Handshake13(secrets);
        self.install13(settings, 2, aead, &both)
    }

    fn enter_traffic13(&mut self, settings: &Settings) -> Option<()> {
        let Stage::Handshake13(secrets) = &self.stage else { return None };
        let (aead, hash) = self.suite13(settings)?;
        let [client, server, _] = secrets.traffic(&hash13(hash, &self.messages));
        self.install13(settings, 3, aead, &[client, server])
    }

    fn install13(
        &mut self,
        settings: &Settings,
        number: u16,
        aead: AeadAlgorithm,
        [client, server]: &[TrafficSecret; 2],
    ) -> Option<()> {
        let (own, theirs) = match settings.end {
            End::Client => (client, server),
            End::Server => (server, client),
        };
        let write = own.writer(&settings.provider, aead).ok()?;
        let read = Reader::V13(theirs.reader(&settings.provider, aead, number).ok()?);
        self.epochs.push(Epoch { number, write, read });
        Some(())
    }

    fn suite13(&self, settings: &Settings) -> Option<(AeadAlgorithm, &'static dyn Hash)> {
        let hello = self.server.as_ref().filter(|hello| hello.is13())?;
        find13(settings, CipherSuite(u16::from_be_bytes(hello.cipher_suite)))
    }
}

/// AEAD and hash of a suite of DTLS 1.3.
pub(crate) fn find13(settings: &Settings, suite: CipherSuite) -> Option<(AeadAlgorithm, &'static dyn Hash)> {
    let (aead, hash): (_, HashAlgorithm) = SuiteParts::find13(suite)?;
    Some((aead, settings.provider.hash(hash)?))
}

/// Whether a message is a HelloRetryRequest.
pub(crate) fn is_retry(message: &Message) -> bool {
    message.typ == HandshakeType::SERVER_HELLO
        && message.body.get(2..34).is_some_and(|random| random == codec::RETRY_RANDOM)
}

/// Messages without message_seq and fragment fields (RFC 9147 §5.2); a hash in place of a ClientHello that was answered by a
/// HelloRetryRequest (RFC 8446 §4.4.1).
fn feed13(context: &mut dyn dtls_core::crypto::HashContext, hash: &dyn Hash, messages: &[Arc<Message>]) {
    let retried = messages.get(1).is_some_and(|second| is_retry(second));
    for (index, message) in messages.iter().enumerate() {
        let tls = header13(message.typ, message.body.len());
        if index == 0 && retried {
            let mut first = hash.start();
            first.update(&tls);
            first.update(&message.body);
            let digest = first.current();
            context.update(&header13(HandshakeType::MESSAGE_HASH, digest.as_bytes().len()));
            context.update(digest.as_bytes());
        } else {
            context.update(&tls);
            context.update(&message.body);
        }
    }
}

/// The header of a message of TLS 1.3.
pub(crate) const fn header13(typ: HandshakeType, length: usize) -> [u8; 4] {
    let [.., a, b, c] = length.to_be_bytes();
    [typ.0, a, b, c]
}

/// Group and public key of a ServerKeyExchange of ECDHE_PSK (RFC 5489 §2).
fn parse_server_key(body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut rest = body;
    vector(&mut rest, 2)?;
    let [_named_curve, hi, lo] = array(&mut rest)?;
    Some((u16::from_be_bytes([hi, lo]), vector(&mut rest, 1)?))
}

/// Every message with the header of one that is not fragmented (RFC 6347 §4.2.6).
fn hash12(hash: &dyn Hash, messages: &[Arc<Message>]) -> Digest {
    let mut context = hash.start();
    for message in messages {
        context.update(&codec::message(message.typ, message.seq, &message.body));
    }
    context.current()
}

fn hash13(hash: &dyn Hash, messages: &[Arc<Message>]) -> Digest {
    let mut context = hash.start();
    feed13(&mut *context, hash, messages);
    context.current()
}
