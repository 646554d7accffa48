//! The first contact of every peer: nothing is kept for it until it has returned a cookie from its own address
//! (RFC 6347 §4.2.1).

use alloc::vec::Vec;

use super::{
    cookie::{COOKIE_SECRET_LEN, CookieSecrets},
    pool::HelloPool,
};
use crate::{
    Arc,
    alert::{Alert, AlertDescription},
    config::ServerConfig,
    crypto::HashAlgorithm,
    error::{ConfigError, Discard},
    rand::Rng,
    record::number::RecordNumber,
    stats::Stats,
    time::Instant,
    wire::{
        codec::Writer,
        enums::{ContentType, HandshakeType, ProtocolVersion},
        handshake::{Fragment, FragmentHeader, Fragments},
        hello::{ClientHello, HelloVerifyRequest},
        record::{HEADER_LEN as RECORD_HEADER_LEN, RecordHeader, split_first},
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
    /// Whether a cookie proved the address.
    pub(crate) validated: bool,
    /// Bytes of the datagram that completed the hello.
    pub(crate) received: usize,
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
            let number = record.header.number;
            if record.header.typ != ContentType::HANDSHAKE || number.epoch() != 0 {
                reason = Discard::NotClientHello;
                continue;
            }
            for fragment in Fragments::new(record.body) {
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
    // DTLS versions count downwards: this client knows nothing newer than 1.0 (RFC 8996).
    if hello.version.0 > ProtocolVersion::DTLS1_2.0 {
        return refuse_version(request, out).map(Answer::Reply);
    }
    if config.listener.cookies && !secrets.verify(request.address, &hello) {
        // A wrong cookie counts as none: no alert, a new request (RFC 6347 §4.2.1).
        let cookie = secrets.make(request.address, &hello).ok_or(Discard::NoCookieSecret)?;
        return write_verify_request(request, &cookie, out).map(Answer::Reply);
    }
    Ok(Answer::Accept(Accepted {
        message_seq: request.message_seq,
        record_seq: request.record.seq(),
        body: body.to_vec(),
        validated: config.listener.cookies,
        received: request.allowance,
    }))
}

/// HelloVerifyRequest: record number and message_seq of the hello it answers, version 1.0 as pure framing (RFC 6347 §4.2.1).
fn write_verify_request(request: &Request<'_>, cookie: &[u8], out: &mut [u8]) -> Result<usize, Discard> {
    let message = HelloVerifyRequest { version: ProtocolVersion::DTLS1_0, cookie };
    let mut count = Writer::counting();
    message.write(&mut count).map_err(|_| Discard::ReplyTooLarge)?;
    let length = u32::try_from(count.len()).map_err(|_| Discard::ReplyTooLarge)?;
    let header = FragmentHeader {
        typ: HandshakeType::HELLO_VERIFY_REQUEST,
        length,
        message_seq: request.message_seq,
        fragment_offset: 0,
        fragment_length: length,
    };
    write_record(request, ContentType::HANDSHAKE, out, |w| {
        w.bytes(&header.encode())?;
        message.write(w)
    })
}

fn refuse_version(request: &Request<'_>, out: &mut [u8]) -> Result<usize, Discard> {
    let alert = Alert::new(AlertDescription::ProtocolVersion).encode();
    write_record(request, ContentType::ALERT, out, |w| w.bytes(&alert))
}

fn write_record(
    request: &Request<'_>,
    typ: ContentType,
    out: &mut [u8],
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), crate::wire::codec::Full>,
) -> Result<usize, Discard> {
    let limit = out.len().min(request.allowance);
    let (head, rest) = out
        .get_mut(..limit)
        .and_then(|out| out.split_first_chunk_mut::<RECORD_HEADER_LEN>())
        .ok_or(Discard::ReplyTooLarge)?;
    let mut w = Writer::new(rest);
    body(&mut w).map_err(|_| Discard::ReplyTooLarge)?;
    let length = u16::try_from(w.len()).map_err(|_| Discard::ReplyTooLarge)?;
    let number = RecordNumber::new(0, request.record.seq());
    *head = RecordHeader { typ, version: ProtocolVersion::DTLS1_0, number }.encode(length);
    Ok(RECORD_HEADER_LEN.saturating_add(usize::from(length)))
}

impl core::fmt::Debug for Listener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
