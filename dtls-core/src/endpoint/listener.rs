//! The first contact of every peer: nothing is kept for it until it has returned a cookie from its own address
//! (RFC 6347 §4.2.1).

use alloc::vec::Vec;

use super::{
    cookie::{COOKIE_SECRET_LEN, CookieSecrets, MAX_COOKIE_LEN, RetryCookie},
    pool::HelloPool,
};
use crate::{
    Arc,
    alert::{Alert, AlertDescription},
    config::ServerConfig,
    crypto::HashAlgorithm,
    error::{ConfigError, Discard},
    handshake::{
        negotiate::{Selection13, check_legacy13, choose_version, select13},
        server::{
            hello::Retried,
            v13::{RetryRequest, hello_hash},
        },
    },
    rand::Rng,
    record::number::RecordNumber,
    stats::Stats,
    time::Instant,
    wire::{
        codec::{Full, Writer},
        enums::{ContentType, HandshakeType, NamedGroup, ProtocolVersion},
        handshake::{Fragment, FragmentHeader, Fragments},
        hello::{ClientHello, HelloVerifyRequest},
        record::{HEADER_LEN as RECORD_HEADER_LEN, RawRecord, RecordHeader, split_first},
    },
};

/// Answers new peers without keeping anything about them.
///
/// Memory is allocated with the listener and does not grow, whatever arrives. What it sends to an address is at most what it
/// has received from there.
#[cfg_attr(feature = "__model", derive(Clone))]
pub struct Listener {
    config: Arc<ServerConfig>,
    secrets: CookieSecrets,
    pool: HelloPool,
    stats: Stats,
}

/// What to do with a datagram from an address without a connection.
#[must_use = "a reply has to be sent and an accepted hello answered by a connection"]
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict<'o> {
    /// Nothing; it was dropped for this reason.
    Drop(Discard),
    /// Send these bytes back.
    Reply(&'o mut [u8]),
    /// Make a connection with [`crate::Connection::server`].
    Accept(Accepted),
}

/// A ClientHello to answer: its sender has proved its address, unless cookies are switched off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    pub(crate) message_seq: u16,
    pub(crate) record_seq: u64,
    pub(crate) body: Vec<u8>,
    /// The HelloRetryRequest it answers.
    pub(crate) retry: Option<Retried>,
    /// Whether a cookie proved the address.
    pub(crate) validated: bool,
    /// Bytes of the datagram that completed the hello.
    pub(crate) received: usize,
}

impl Accepted {
    /// The random of the hello, which tells it from every other.
    pub(super) fn random(&self) -> [u8; 32] {
        // Behind the version.
        self.body.get(2..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
    }
}

/// Where a hello came from, and where the answer goes.
struct Request<'r> {
    address: &'r [u8],
    message_seq: u16,
    record: RecordNumber,
    /// Bytes received with this hello, the most that may be sent back.
    allowance: usize,
}

impl Listener {
    /// A listener for servers of `config`. The cookie secret is made at the first datagram.
    ///
    /// # Errors
    /// [`ConfigError::CookieSecret`] if the provider lacks SHA-256.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, ConfigError> {
        let hash = config.settings.provider.hash(HashAlgorithm::Sha256).ok_or(ConfigError::CookieSecret)?;
        let limits = &config.listener;
        let secrets = CookieSecrets::new(hash, limits.cookie_rotation);
        let pool = HelloPool::new(limits.hello_slots, limits.hello_bytes);
        Ok(Self { config, secrets, pool, stats: Stats::default() })
    }

    /// Uses `secret` for cookies from `now` on, so that several servers accept each other's. The secret before it stays valid
    /// until it is two rotation periods old. Setting secrets at least once per period replaces the listener's own.
    pub fn set_cookie_secret(&mut self, now: Instant, id: u8, secret: &[u8; COOKIE_SECRET_LEN]) {
        self.secrets.set(id, secret, now);
    }

    /// Hashes the hellos in reassembly. The cookie secret is left out: it depends on time alone.
    #[cfg(feature = "__model")]
    pub fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        core::hash::Hash::hash(&self.pool, hasher);
    }

    /// As [`Self::fingerprint`], for an address of which `plenty` bytes received are as good as more, and while no slot has to
    /// give way.
    #[cfg(feature = "__model")]
    pub fn behaviour(&self, plenty: usize, hasher: &mut impl core::hash::Hasher) {
        let mut pool = self.pool.clone();
        pool.forget_counts(plenty);
        core::hash::Hash::hash(&pool, hasher);
    }

    /// Counters since the start.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Judges a datagram received at `now` from `address`, an encoding of at most 32 bytes of the peer's address. A reply is
    /// written into `out`.
    pub fn handle<'o>(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        address: &[u8],
        datagram: &mut [u8],
        out: &'o mut [u8],
    ) -> Verdict<'o> {
        let verdict = match self.secrets.rotate(now, rng) {
            Ok(()) => self.judge(address, datagram, out),
            // Without a secret nobody can be answered; the next datagram tries again.
            Err(_) => Verdict::Drop(Discard::NoCookieSecret),
        };
        if let Verdict::Drop(reason) = verdict {
            self.stats.discard(reason);
        }
        verdict
    }

    /// Looks for the first whole ClientHello in the datagram's records.
    fn judge<'o>(&mut self, address: &[u8], datagram: &mut [u8], out: &'o mut [u8]) -> Verdict<'o> {
        let allowance = datagram.len();
        let mut rest = datagram;
        let mut reason = Discard::Malformed;
        while !rest.is_empty() {
            let (record, tail) = match split_first(rest) {
                Ok(split) => split,
                Err(reason) => return Verdict::Drop(reason),
            };
            rest = tail;
            let (number, body) = match record {
                RawRecord::Legacy {
                    header: RecordHeader { typ: ContentType::HANDSHAKE, number, .. },
                    body,
                } if number.epoch() == 0 => (number, body),
                _ => {
                    reason = Discard::NotClientHello;
                    continue;
                }
            };
            for fragment in Fragments::new(body) {
                let Ok(fragment) = fragment else {
                    return Verdict::Drop(Discard::MalformedFragment);
                };
                let FragmentHeader { typ, message_seq, .. } = fragment.header;
                if typ != HandshakeType::CLIENT_HELLO {
                    return Verdict::Drop(Discard::NotClientHello);
                }
                let request = Request { address, message_seq, record: number, allowance };
                match self.on_fragment(&request, &fragment, out) {
                    Ok(Answer::Reply(len)) => {
                        return out
                            .get_mut(..len)
                            .map_or(Verdict::Drop(Discard::ReplyTooLarge), Verdict::Reply);
                    }
                    Ok(Answer::Accept(accepted)) => return Verdict::Accept(accepted),
                    Err(why) => reason = why,
                }
            }
        }
        Verdict::Drop(reason)
    }

    fn on_fragment(
        &mut self,
        request: &Request<'_>,
        fragment: &Fragment<'_>,
        out: &mut [u8],
    ) -> Result<Answer, Discard> {
        let Self { config, secrets, pool, .. } = self;
        let limits = &config.settings.limits;
        let length = usize::try_from(fragment.header.length).unwrap_or(usize::MAX);
        if length > limits.max_handshake_message {
            return Err(Discard::FragmentTooLarge);
        }
        if fragment.body.len() == length {
            return on_hello(config, secrets, request, fragment.body, out);
        }
        if pool.is_disabled() {
            return Err(Discard::PoolDisabled);
        }
        let whole = pool.insert(request.address, fragment).ok_or(Discard::HelloIncomplete)?;
        // The datagram that completes a hello may be tiny; what came before it counts as well.
        let request = Request { allowance: request.allowance.max(whole.received), ..*request };
        on_hello(config, secrets, &request, whole.body, out)
    }
}

/// What came of a whole hello.
enum Answer {
    /// So many bytes of the output are to be sent back.
    Reply(usize),
    Accept(Accepted),
}

fn on_hello(
    config: &ServerConfig,
    secrets: &CookieSecrets,
    request: &Request<'_>,
    body: &[u8],
    out: &mut [u8],
) -> Result<Answer, Discard> {
    let hello = ClientHello::parse(body).map_err(|_| Discard::MalformedClientHello)?;
    let [major, _] = hello.version.0.to_be_bytes();
    if major != 0xfe {
        return Err(Discard::NoVersion);
    }
    let accept = |retry: Option<Retried>| {
        let validated = config.listener.cookies || retry.is_some();
        Ok(Answer::Accept(Accepted {
            message_seq: request.message_seq,
            record_seq: request.record.seq(),
            body: body.to_vec(),
            retry,
            validated,
            received: request.allowance,
        }))
    };
    match choose_version(&config.settings, &hello) {
        None => request.refuse(AlertDescription::ProtocolVersion, out).map(Answer::Reply),
        Some(ProtocolVersion::DTLS1_3) => match judge13(config, secrets, request.address, body, &hello) {
            Judgement::Accept(retry) => accept(retry),
            Judgement::Retry { selection, asked, cookie, length } => {
                let cookie = cookie.get(..length).ok_or(Discard::NoCookieSecret)?;
                request.ask_again(&RetryRequest { selection, asked, cookie }, out).map(Answer::Reply)
            }
            Judgement::Refuse(alert) => request.refuse(alert, out).map(Answer::Reply),
        },
        Some(_) if !config.listener.cookies || secrets.verify12(request.address, &hello) => accept(None),
        // A wrong cookie counts as none: no alert, a new request (RFC 6347 §4.2.1).
        Some(_) => {
            let cookie = secrets.make12(request.address, &hello).ok_or(Discard::NoCookieSecret)?;
            request.ask_for_cookie(&cookie, out).map(Answer::Reply)
        }
    }
}

/// What to do with a hello of DTLS 1.3.
enum Judgement {
    Accept(Option<Retried>),
    Retry { selection: Selection13, asked: Option<NamedGroup>, cookie: [u8; MAX_COOKIE_LEN], length: usize },
    Refuse(AlertDescription),
}

/// The cookie, or the group, or both are asked for in one HelloRetryRequest; the cookie that comes back stands for the whole
/// exchange (RFC 8446 §4.1.4, RFC 9147 §5.1).
fn judge13(
    config: &ServerConfig,
    secrets: &CookieSecrets,
    address: &[u8],
    body: &[u8],
    hello: &ClientHello<'_>,
) -> Judgement {
    let extensions = &hello.extensions;
    let selection = match check_legacy13(hello).and_then(|()| select13(config, hello)) {
        Ok(selection) => selection,
        Err(error) => return Judgement::Refuse(error.alert().unwrap_or(AlertDescription::HandshakeFailure)),
    };
    let Selection13 { suite, group } = selection;
    if extensions.cookie.is_some() {
        // Unlike in DTLS 1.2 a wrong cookie ends the handshake (RFC 9147 §5.1).
        return match secrets.verify13(address, hello, suite, group) {
            Some(retry) => Judgement::Accept(Some(Retried {
                hello_hash: retry.hello_hash.to_vec(),
                asked_group: retry.asked_group,
            })),
            None => Judgement::Refuse(AlertDescription::IllegalParameter),
        };
    }
    let has_share = |g| extensions.key_shares.is_some_and(|shares| shares.iter().any(|s| s.group == g));
    let asked = group.filter(|g| !has_share(*g));
    if !config.listener.cookies && asked.is_none() {
        return Judgement::Accept(None);
    }
    let Some(hash) = config.settings.provider.hash(suite.hash) else {
        return Judgement::Refuse(AlertDescription::InternalError);
    };
    let hello_hash = hello_hash(hash, body);
    let retry = RetryCookie {
        hello_hash: hello_hash.as_bytes(),
        asked_group: asked.is_some(),
        suite: suite.id,
        group,
    };
    let mut cookie = [0; MAX_COOKIE_LEN];
    let length = secrets.make13(address, hello, &retry, &mut cookie).map_or(0, <[u8]>::len);
    Judgement::Retry { selection, asked, cookie, length }
}

/// Answers that carry the record number of what they answer (RFC 6347 §4.2.1), and are never larger.
impl Request<'_> {
    /// HelloVerifyRequest, with version 1.0 as pure framing.
    fn ask_for_cookie(&self, cookie: &[u8], out: &mut [u8]) -> Result<usize, Discard> {
        let message = HelloVerifyRequest { version: ProtocolVersion::DTLS1_0, cookie };
        let typ = HandshakeType::HELLO_VERIFY_REQUEST;
        self.write_message(typ, ProtocolVersion::DTLS1_0, out, |w| message.write(w))
    }

    /// HelloRetryRequest.
    fn ask_again(&self, message: &RetryRequest<'_>, out: &mut [u8]) -> Result<usize, Discard> {
        let typ = HandshakeType::SERVER_HELLO;
        self.write_message(typ, ProtocolVersion::DTLS1_2, out, |w| message.write(w))
    }

    fn refuse(&self, description: AlertDescription, out: &mut [u8]) -> Result<usize, Discard> {
        let alert = Alert::new(description).encode();
        self.write_record(ContentType::ALERT, ProtocolVersion::DTLS1_2, out, |w| w.bytes(&alert))
    }

    fn write_message(
        &self,
        typ: HandshakeType,
        version: ProtocolVersion,
        out: &mut [u8],
        body: impl Fn(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<usize, Discard> {
        let mut count = Writer::counting();
        body(&mut count).map_err(|_| Discard::ReplyTooLarge)?;
        let length = u32::try_from(count.len()).map_err(|_| Discard::ReplyTooLarge)?;
        let message_seq = self.message_seq;
        let header = FragmentHeader { typ, length, message_seq, fragment_offset: 0, fragment_length: length };
        self.write_record(ContentType::HANDSHAKE, version, out, |w| {
            w.bytes(&header.encode())?;
            body(w)
        })
    }

    fn write_record(
        &self,
        typ: ContentType,
        version: ProtocolVersion,
        out: &mut [u8],
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<usize, Discard> {
        let limit = out.len().min(self.allowance);
        let (head, rest) = out
            .get_mut(..limit)
            .and_then(|out| out.split_first_chunk_mut::<RECORD_HEADER_LEN>())
            .ok_or(Discard::ReplyTooLarge)?;
        let mut w = Writer::new(rest);
        body(&mut w).map_err(|_| Discard::ReplyTooLarge)?;
        let length = u16::try_from(w.len()).map_err(|_| Discard::ReplyTooLarge)?;
        let number = RecordNumber::new(0, self.record.seq());
        *head = RecordHeader { typ, version, number }.encode(length);
        Ok(RECORD_HEADER_LEN.saturating_add(usize::from(length)))
    }
}

impl core::fmt::Debug for Listener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
