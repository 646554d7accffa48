//! The running hash over the handshake messages.
//!
//! DTLS 1.2 hashes each message with its 12-byte header as if it had been sent in one fragment (RFC 6347 §4.2.6); the first
//! ClientHello and HelloVerifyRequest are in no transcript (§4.2.1). DTLS 1.3 hashes the four bytes of a TLS header instead
//! (RFC 9147 §5.2), and a hash in place of a ClientHello that was answered by HelloRetryRequest (RFC 8446 §4.4.1).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    crypto::{Digest, Hash, HashContext},
    wire::{enums::HandshakeType, handshake::Message},
};

/// What stands before a message's body in the transcript.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Framing {
    /// The whole header of an unfragmented message.
    Dtls12,
    /// Type and length only.
    Tls13,
}

/// The one message of a transcript whose hash function and version are not known yet: a ClientHello.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct FirstHello {
    seq: u16,
    body: Vec<u8>,
}

impl FirstHello {
    pub(crate) fn new(message: &Message<'_>) -> Self {
        Self { seq: message.seq, body: message.body.to_vec() }
    }

    /// Hash and version are known now.
    pub(crate) fn start(&self, hash: &dyn Hash, framing: Framing) -> Transcript {
        let mut transcript = Transcript::new(hash, framing);
        transcript.add(&Message { typ: HandshakeType::CLIENT_HELLO, seq: self.seq, body: &self.body });
        transcript
    }
}

/// A transcript as a running hash.
pub(crate) struct Transcript {
    context: Box<dyn HashContext>,
    framing: Framing,
}

impl Transcript {
    pub(crate) fn new(hash: &dyn Hash, framing: Framing) -> Self {
        Self { context: hash.start(), framing }
    }

    /// A DTLS 1.3 transcript that starts with the hash of a ClientHello (RFC 8446 §4.4.1).
    pub(crate) fn after_retry(hash: &dyn Hash, hello_hash: &[u8]) -> Self {
        let mut transcript = Self::new(hash, Framing::Tls13);
        transcript.add(&Message { typ: HandshakeType::MESSAGE_HASH, seq: 0, body: hello_hash });
        transcript
    }

    pub(crate) fn add(&mut self, message: &Message<'_>) {
        self.add_part(message, message.body);
    }

    /// The digest if only the first bytes of `message` were added, under a header that tells its whole length: what a PSK
    /// binder covers (RFC 8446 §4.2.11.2).
    pub(crate) fn with_part(&self, message: &Message<'_>, part: &[u8]) -> Digest {
        let mut fork = self.clone();
        fork.add_part(message, part);
        fork.current()
    }

    pub(crate) fn current(&self) -> Digest {
        self.context.current()
    }

    fn add_part(&mut self, message: &Message<'_>, part: &[u8]) {
        let header = message.header();
        let header = match self.framing {
            Framing::Dtls12 => &header[..],
            Framing::Tls13 => header.first_chunk::<4>().map_or(&header[..], |tls| &tls[..]),
        };
        self.context.update(header);
        self.context.update(part);
    }
}

impl Clone for Transcript {
    fn clone(&self) -> Self {
        Self { context: self.context.fork(), framing: self.framing }
    }
}

impl core::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Transcript")
    }
}

#[cfg(feature = "__model")]
impl core::hash::Hash for Transcript {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.framing, self.current().as_bytes()).hash(state);
    }
}
