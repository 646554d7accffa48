//! The peer: what it has sent, what was taken in, what it heard.

use std::sync::Arc;

use dtls_core::{
    CipherSuite, ContentType, HandshakeType, NamedGroup, RecordNumber, Rng as _,
    crypto::{KeyShare, KxGroupId, Provider},
    internals::{End, Message},
};
use simulated_network::Prng;

use crate::{
    action::{AckList, Content, Handshake, Number, Piece, Record, Seal, Seq},
    codec::{ClientHello, ack, extension, fragment, get, vector},
    conversation::{Conversation, Shares},
    hear::{Heard, Inbox, Remark, What, describe, next_record},
    outgoing::Outgoing,
};

/// Epochs that a peer can send in.
const EPOCHS: usize = 4;
/// A record number that nobody gets to.
const NEVER: u64 = 1 << 40;

/// Who a peer is and what it knows.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Settings {
    /// All cryptography.
    pub provider: Provider,
    /// The side it plays.
    pub end: End,
    /// The identity of its key.
    pub identity: Vec<u8>,
    /// The key, not imported.
    pub psk: Vec<u8>,
    /// Suites of DTLS 1.2, of which a server chooses the first; empty if the version is not spoken.
    pub suites12: Vec<CipherSuite>,
    /// Suites of DTLS 1.3, of which a server chooses the first; empty if the version is not spoken.
    pub suites13: Vec<CipherSuite>,
    /// Whether DTLS 1.3 uses an ephemeral key exchange.
    pub dhe: bool,
    /// The group of ephemeral keys.
    pub group: NamedGroup,
    /// The group of those that are not the right ones.
    pub other_group: NamedGroup,
    /// Whether messages have the form of DTLS 1.3 while the version is open.
    pub assume13: bool,
    /// ClientHellos are padded to this many bytes, or nearly so.
    pub hello_len: usize,
    /// Whether records are remembered for [`Number::Replay`].
    pub remember: bool,
    /// Where the random values and ephemeral keys come from.
    pub seed: u64,
}

impl Settings {
    /// Both versions, with one short suite each and X25519.
    pub fn new(provider: Provider, end: End, identity: &[u8], psk: &[u8]) -> Self {
        Self {
            provider,
            end,
            identity: identity.to_vec(),
            psk: psk.to_vec(),
            suites12: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            suites13: vec![CipherSuite::TLS_AES_128_CCM_SHA256],
            dhe: true,
            group: NamedGroup::X25519,
            other_group: NamedGroup::SECP256R1,
            assume13: true,
            hello_len: 0,
            remember: true,
            seed: 0,
        }
    }
}

/// A peer that sends what it is told to.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct ScriptedPeer {
    pub(crate) settings: Arc<Settings>,
    pub(crate) random: [u8; 32],
    pub(crate) shares: Arc<Shares>,
    pub(crate) exchange: Exchange,
    pub(crate) conversation: Conversation,
    /// The last ClientHello of either side.
    last_hello: Option<Arc<Message>>,
    /// Messages that were sent but, as far as is known, not taken in yet.
    outgoing: Outgoing,
    /// The newest epoch that the other end can read, as far as this peer was told.
    readable: u16,
    /// Number and epoch of the message in the newest record, if the other end may take it in.
    newest: Option<(u16, u16)>,
    /// Messages that were taken in.
    taken: Vec<Taken>,
    next_seq: u16,
    numbers: [u64; EPOCHS],
    sent: Vec<Sent>,
    inbox: Inbox,
    /// The records of the other end's newest flight.
    flight: Vec<(u64, u64)>,
    /// Whether handshake messages were sent since.
    answered: bool,
}

/// What a server without memory asked to be sent back.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The cookie of HelloVerifyRequest.
    pub(crate) verify: Option<Vec<u8>>,
    /// The cookie of HelloRetryRequest.
    pub(crate) retry: Option<Vec<u8>>,
    /// A first ClientHello and the HelloRetryRequest that answered it.
    pub(crate) retried: Option<[Arc<Message>; 2]>,
}

impl Exchange {
    /// Whether there is a cookie.
    pub const fn has_cookie(&self) -> bool {
        self.verify.is_some() || self.retry.is_some()
    }
}

/// A message that was taken in, and the epoch it was sent in.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Taken {
    /// The message.
    pub message: Arc<Message>,
    /// The epoch of its record.
    pub epoch: u16,
}

#[derive(Clone)]
struct Sent {
    epoch: u16,
    content: Content,
    bytes: Arc<[u8]>,
}

impl ScriptedPeer {
    /// A peer that has said nothing yet.
    pub fn new(settings: Settings) -> Self {
        let mut rng = Prng::new(settings.seed);
        let mut random = [0; 32];
        // The generator does not fail.
        let _filled = rng.try_fill(&mut random);
        let groups = [settings.group, settings.other_group];
        let shares = groups.into_iter().filter_map(|group| {
            let id = if group == NamedGroup::X25519 { KxGroupId::X25519 } else { KxGroupId::Secp256r1 };
            let share: Arc<dyn KeyShare> = settings.provider.group(id)?.start(&mut rng).ok()?.into();
            Some((group.0, share))
        });
        Self {
            random,
            shares: Arc::new(shares.collect()),
            settings: Arc::new(settings),
            exchange: Exchange::default(),
            conversation: Conversation::default(),
            last_hello: None,
            outgoing: Outgoing::default(),
            readable: u16::MAX,
            newest: None,
            taken: Vec::new(),
            next_seq: 0,
            numbers: [0; EPOCHS],
            sent: Vec::new(),
            inbox: Inbox::default(),
            flight: Vec::new(),
            answered: false,
        }
    }

    /// The bytes of a record; several may share a datagram.
    pub fn emit(&mut self, record: &Record) -> Vec<u8> {
        if let (Number::Replay, Some(bytes)) = (record.number, self.earlier(record)) {
            return bytes.to_vec();
        }
        self.newest = None;
        let (content, body) = self.content(record);
        let bytes = self.seal(record, content, &body);
        if record.seal == Seal::Genuine && self.settings.remember {
            let Record { epoch, content, .. } = record.clone();
            self.sent.push(Sent { epoch, content, bytes: bytes[..].into() });
        }
        bytes
    }

    /// The other end has keys to read no later epoch yet than this one, whatever this peer has.
    pub const fn read_up_to(&mut self, epoch: u16) {
        self.readable = epoch;
    }

    /// The newest record comes again.
    pub fn repeated(&mut self) {
        if let Some((seq, epoch)) = self.newest.filter(|(_, epoch)| *epoch <= self.readable) {
            self.outgoing.read(seq, epoch);
        }
    }

    /// What the other end has taken in of this peer's handshake messages: all below `next`.
    pub fn taken(&mut self, next: u16) {
        while self.next_seq < next {
            if let Some((message, epoch)) = self.outgoing.message(self.next_seq) {
                self.commit(message, epoch);
            }
            self.next_seq += 1;
        }
        self.outgoing.forget_before(next);
    }

    /// Whatever the other end should have taken in of this peer's messages, it has: all that were sent whole, one after the
    /// other, where it could read them.
    pub fn assume_taken(&mut self) {
        // After the last number there is none.
        while self.next_seq < u16::MAX && self.outgoing.has_whole(self.next_seq) {
            self.taken(self.next_seq + 1);
        }
    }

    /// The number of the next message that the other end will take in.
    pub const fn next_seq(&self) -> u16 {
        self.next_seq
    }

    /// Nothing of what was said counts any more, and the other end takes in message `seq` next. What the server asked to be sent
    /// back is still known.
    pub fn start_over(&mut self, seq: u16) {
        self.conversation.restart(&[]);
        self.outgoing.clear();
        self.taken.clear();
        self.next_seq = seq;
    }

    /// This peer's messages that were taken in, in order.
    pub fn messages_taken(&self) -> &[Taken] {
        &self.taken
    }

    /// A message in a fresh record of `epoch`, as bytes.
    pub fn emit_again(&mut self, taken: &Taken) -> Vec<u8> {
        self.answered = true;
        let Message { typ, seq, body } = &*taken.message;
        let record = Record::new(taken.epoch, Content::ChangeCipherSpec);
        self.seal(&record, ContentType::HANDSHAKE.0, &fragment(*typ, *seq, body, 0, body.len()))
    }

    /// The records of the other end's newest flight, each time it came, as epoch and sequence number.
    pub fn flight(&self) -> &[(u64, u64)] {
        &self.flight
    }

    /// What the server asked to be sent back so far.
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Goes on as if the server had asked for this.
    pub fn set_exchange(&mut self, exchange: &Exchange) {
        self.exchange = exchange.clone();
    }

    /// Takes in a datagram of the other end and says what was in it.
    pub fn receive(&mut self, datagram: &[u8]) -> Vec<Heard> {
        let mut datagram = datagram.to_vec();
        let mut rest = &mut datagram[..];
        let mut heard = Vec::new();
        while !rest.is_empty() {
            let (record, tail) = next_record(&mut self.conversation, rest);
            rest = tail;
            let Some(record) = record else {
                heard.push(Heard { epoch: 0, number: None, what: What::Noise });
                break;
            };
            let (epoch, number) = (record.epoch, record.number);
            let mut say = |what| heard.push(Heard { epoch, number, what });
            match record.content {
                None => say(What::Sealed),
                Some((ContentType::HANDSHAKE, body)) => {
                    for what in self.on_handshake(&body, (u64::from(epoch), number.unwrap_or(0))) {
                        say(what);
                    }
                }
                Some((content, body)) => say(describe(content, body)),
            }
        }
        heard
    }

    /// The bytes that a replay of this record consists of.
    fn earlier(&self, record: &Record) -> Option<Arc<[u8]>> {
        let of_epoch = || self.sent.iter().rev().filter(|sent| sent.epoch == record.epoch);
        let same = of_epoch().find(|sent| sent.content == record.content);
        same.or_else(|| of_epoch().next()).map(|sent| Arc::clone(&sent.bytes))
    }

    fn content(&mut self, record: &Record) -> (u8, Vec<u8>) {
        match &record.content {
            Content::Handshake(handshake) => (ContentType::HANDSHAKE.0, self.handshake(handshake, record)),
            Content::ChangeCipherSpec => (ContentType::CHANGE_CIPHER_SPEC.0, vec![1]),
            Content::Alert { level, description } => (ContentType::ALERT.0, vec![*level, *description]),
            Content::Data(data) => (ContentType::APPLICATION_DATA.0, data.clone()),
            Content::Ack(list) => (ContentType::ACK.0, self.ack(list)),
            Content::Raw(content, body) => (*content, body.clone()),
        }
    }

    fn ack(&self, list: &AckList) -> Vec<u8> {
        match list {
            AckList::Empty => ack(&[]),
            AckList::Received => {
                let mut numbers = self.flight.clone();
                numbers.sort_unstable();
                ack(&numbers)
            }
            AckList::NeverSent => {
                let epoch = self.flight.iter().map(|(epoch, _)| *epoch).max().unwrap_or(2);
                ack(&[(epoch, NEVER)])
            }
            AckList::Numbers(numbers) => ack(numbers),
        }
    }

    fn handshake(&mut self, handshake: &Handshake, record: &Record) -> Vec<u8> {
        let keyed = record.epoch == 0 || self.conversation.has_keys(record.epoch);
        let message = self.find_or_compose(handshake, keyed);
        let first = message.body.len().min(1);
        let (from, to) = match handshake.piece {
            Piece::Whole => (0, message.body.len()),
            Piece::First => (0, first),
            Piece::Rest => (first, message.body.len()),
            Piece::Range(from, to) => (from, to),
        };
        if record.seal == Seal::Genuine {
            self.answered = true;
            if message.typ == HandshakeType::CLIENT_HELLO {
                self.last_hello = Some(Arc::clone(&message));
            }
            // HelloRequest is in no transcript, and nothing follows it (RFC 5246 §7.4.1.1).
            let counts = message.typ != HandshakeType::HELLO_REQUEST;
            if keyed && counts && message.seq >= self.next_seq {
                let length = message.body.len();
                let range = (from.min(length), to.min(length));
                self.outgoing.sent(&message, record.epoch, range, record.epoch <= self.readable);
                self.newest = Some((message.seq, record.epoch));
            }
        }
        fragment(message.typ, message.seq, &message.body, from, to)
    }

    /// The message to send: one that was sent already where it comes again or goes on, else a new one. One that was sent but
    /// not taken in is forgotten, and so is one that nobody can read.
    fn find_or_compose(&mut self, handshake: &Handshake, keyed: bool) -> Arc<Message> {
        let Handshake { message: said, seq, piece } = handshake;
        let typ = said.typ();
        let seq = match seq {
            Seq::Next => self.next_seq,
            Seq::Ahead => self.next_seq.saturating_add(1),
            Seq::At(seq) => *seq,
            Seq::Old => {
                let taken = self.taken.iter().rev().map(|taken| &taken.message);
                let known = taken.chain(&self.last_hello).find(|message| message.typ == typ);
                if let Some(message) = known {
                    return Arc::clone(message);
                }
                self.next_seq.saturating_sub(1)
            }
        };
        let goes_on = matches!(piece, Piece::Rest | Piece::Range(..));
        let known = self.outgoing.draft(said, seq).filter(|_| goes_on || seq > self.next_seq);
        known.unwrap_or_else(|| {
            let message = Arc::new(Message { typ, seq, body: self.compose(said, seq) });
            // A Finished before there are keys is made of nothing, and another one once there are.
            if keyed && (typ != HandshakeType::FINISHED || self.conversation.is_keyed()) {
                self.outgoing.keep_draft(said, &message);
            }
            message
        })
    }

    fn seal(&mut self, record: &Record, content: u8, body: &[u8]) -> Vec<u8> {
        let next = self.numbers.get_mut(usize::from(record.epoch));
        let seq = match (record.number, next) {
            (Number::At(seq), _) => seq,
            (_, Some(next)) => {
                *next += 1;
                *next - 1
            }
            (_, None) => 0,
        };
        let number = RecordNumber::new(record.epoch, seq);
        let sealed = match record.epoch {
            0 => legacy(content, number, body),
            _ => match self.conversation.seal(content, number, body) {
                Some(bytes) => bytes,
                None => self.junk(content, number, body.len()),
            },
        };
        broken(sealed, record.seal)
    }

    /// A record of an epoch without keys, of the right form and length.
    fn junk(&self, content: u8, number: RecordNumber, length: usize) -> Vec<u8> {
        let [hi, lo] = number.seq().to_be_bytes()[6..] else { return Vec::new() };
        let mut body = vec![0; length + 24];
        let mut rng = Prng::new(self.settings.seed ^ number.seq() << 8 ^ u64::from(number.epoch()));
        // The generator does not fail.
        let _filled = rng.try_fill(&mut body);
        let unified = self.conversation.is13().unwrap_or_else(|| number.epoch() > 1);
        if !unified {
            return legacy(content, number, &body);
        }
        let [len_hi, len_lo] = (body.len() as u16).to_be_bytes();
        let bits = (number.epoch() & 3) as u8;
        [&[0b0010_1100 | bits, hi, lo, len_hi, len_lo][..], &body].concat()
    }

    /// One of this peer's messages was taken in.
    fn commit(&mut self, message: Arc<Message>, epoch: u16) {
        self.taken.push(Taken { message: Arc::clone(&message), epoch });
        // What comes in the clear under keys changes nothing.
        let hellos = !self.conversation.is_keyed();
        match message.typ {
            HandshakeType::HELLO_VERIFY_REQUEST if hellos => self.conversation.restart(&[]),
            HandshakeType::CLIENT_HELLO if hellos => {
                let before = ClientHello::parse(&message.body).map(|hello| self.retried(&hello));
                self.conversation.restart(&before.unwrap_or_default());
                self.conversation.add(&self.settings, &self.shares, message);
            }
            _ => self.conversation.add(&self.settings, &self.shares, message),
        }
    }

    fn on_handshake(&mut self, body: &[u8], number: (u64, u64)) -> Vec<What> {
        let mut rest = body;
        let mut heard = Vec::new();
        let mut noted = false;
        while !rest.is_empty() {
            let Some(what) = self.inbox.next(&mut rest) else {
                heard.push(What::Malformed(ContentType::HANDSHAKE));
                break;
            };
            let is_new = !matches!(what, What::Message(_, Remark::Repeated));
            if is_new && self.answered {
                self.flight.clear();
                self.answered = false;
            }
            if !noted {
                self.flight.push(number);
                noted = true;
            }
            heard.push(match what {
                What::Message(message, remark) => {
                    let remark = self.on_message(&message, remark);
                    What::Message(message, remark)
                }
                other => other,
            });
        }
        heard
    }

    fn on_message(&mut self, message: &Arc<Message>, remark: Remark) -> Remark {
        match (message.typ, remark) {
            // A listener without memory says the same again to the same hello.
            (HandshakeType::HELLO_VERIFY_REQUEST, _) => {
                let cookie = message.body.get(2..).and_then(|mut rest| vector(&mut rest, 1));
                self.exchange.verify = cookie;
                self.conversation.restart(&[]);
                self.hello_answered();
            }
            (_, Remark::Retry) => self.on_retry(message),
            (HandshakeType::SERVER_HELLO, Remark::Repeated) if self.is_known_retry(message) => {
                self.on_retry(message);
            }
            (_, Remark::Repeated | Remark::Wrong) => {}
            (HandshakeType::CLIENT_HELLO, Remark::New) => {
                if !self.conversation.ends_with_retry() {
                    self.conversation.restart(&[]);
                }
                self.conversation.add(&self.settings, &self.shares, Arc::clone(message));
            }
            (HandshakeType::FINISHED, Remark::New) => {
                let peer = if self.settings.end == End::Client { End::Server } else { End::Client };
                let right = self.conversation.verify_data(&self.settings, peer);
                self.conversation.add(&self.settings, &self.shares, Arc::clone(message));
                if right.is_none_or(|right| right != message.body) {
                    return Remark::Wrong;
                }
            }
            (_, Remark::New) => {
                self.conversation.add(&self.settings, &self.shares, Arc::clone(message));
            }
        }
        remark
    }

    fn is_known_retry(&self, message: &Arc<Message>) -> bool {
        self.exchange.retried.as_ref().is_some_and(|[_, request]| request == message)
    }

    fn on_retry(&mut self, message: &Arc<Message>) {
        let parsed = crate::codec::ServerHello::parse(&message.body);
        let cookie = parsed.and_then(|hello| {
            let mut body = get(&hello.extensions, extension::COOKIE)?;
            vector(&mut body, 2)
        });
        self.exchange.retry = cookie;
        if let Some(first) = self.last_hello.clone() {
            self.exchange.retried = Some([Arc::clone(&first), Arc::clone(message)]);
            self.conversation.restart(&[first, Arc::clone(message)]);
        }
        self.hello_answered();
    }

    /// The next hello has the next number (RFC 6347 §4.2.2).
    fn hello_answered(&mut self) {
        let Some(hello) = &self.last_hello else { return };
        self.next_seq = self.next_seq.max(hello.seq.saturating_add(1));
        self.outgoing.forget_before(self.next_seq);
    }
}

impl core::fmt::Debug for ScriptedPeer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let taken: Vec<_> = self.taken.iter().map(|taken| (taken.message.typ, taken.message.seq)).collect();
        f.debug_struct("ScriptedPeer")
            .field("end", &self.settings.end)
            .field("taken", &taken)
            .field("next_seq", &self.next_seq)
            .finish_non_exhaustive()
    }
}

/// A record with the 13-byte header and this very body (RFC 6347 §4.1).
fn legacy(content: u8, number: RecordNumber, body: &[u8]) -> Vec<u8> {
    let [e0, e1] = number.epoch().to_be_bytes();
    let [_, _, n0, n1, n2, n3, n4, n5] = number.seq().to_be_bytes();
    let [l0, l1] = (body.len() as u16).to_be_bytes();
    [&[content, 0xfe, 0xfd, e0, e1, n0, n1, n2, n3, n4, n5, l0, l1][..], body].concat()
}

fn broken(mut bytes: Vec<u8>, seal: Seal) -> Vec<u8> {
    if let (Seal::Broken, Some(last)) = (seal, bytes.last_mut()) {
        *last ^= 1;
    }
    bytes
}
