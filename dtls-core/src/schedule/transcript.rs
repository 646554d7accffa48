//! The running hash over the handshake messages.
//!
//! DTLS 1.2 hashes each message with its 12-byte header as if it had been sent in one fragment (RFC 6347 §4.2.6); the first
//! ClientHello and HelloVerifyRequest are in no transcript (§4.2.1).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    crypto::{Digest, Hash, HashContext},
    wire::handshake::Message,
};

/// A transcript before its hash function is known: the messages themselves.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Buffered {
    pub(crate) bytes: Vec<u8>,
}

impl Buffered {
    pub(crate) fn add(&mut self, message: &Message<'_>) {
        self.bytes.reserve_exact(message.header().len().saturating_add(message.body.len()));
        self.bytes.extend_from_slice(&message.header());
        self.bytes.extend_from_slice(message.body);
    }

    /// The hash is known now.
    pub(crate) fn run(self, hash: &dyn Hash) -> Transcript {
        let mut context = hash.start();
        context.update(&self.bytes);
        Transcript { context }
    }
}

/// A transcript as a running hash.
pub(crate) struct Transcript {
    context: Box<dyn HashContext>,
}

impl Transcript {
    pub(crate) fn add(&mut self, message: &Message<'_>) {
        self.context.update(&message.header());
        self.context.update(message.body);
    }

    pub(crate) fn current(&self) -> Digest {
        self.context.current()
    }
}

impl Clone for Transcript {
    fn clone(&self) -> Self {
        Self { context: self.context.fork() }
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
        self.current().as_bytes().hash(state);
    }
}
