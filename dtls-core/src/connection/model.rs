//! Powers that only tests and models need: fingerprints, names of states, event traces. Never for production.

use core::hash::{Hash, Hasher};

use super::{Connection, Side};
use crate::{handshake::State, record::layer::NewRecord, trace::TraceEvent, wire::enums::ContentType};

/// Declares the kinds of states and the list of all of them.
macro_rules! state_kinds {
    ($($kind:ident),* $(,)?) => {
        /// The states a connection can be in, for tests that must cover each.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs, reason = "named after the states")]
        #[allow(clippy::exhaustive_enums, reason = "a test that forgets a new state must not compile")]
        pub enum StateKind { $($kind,)* }

        impl StateKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];
        }

        impl State {
            const fn kind(&self) -> StateKind {
                match self {
                    $(Self::$kind { .. } => StateKind::$kind,)*
                }
            }
        }
    };
}

state_kinds! {
    ExpectServerHello,
    ExpectKeyExchange12,
    ClientExpectFinished12,
    ExpectEncryptedExtensions13,
    ClientExpectFinished13,
    ExpectClientHello,
    ExpectClientKeyExchange12,
    AwaitPsk12,
    ServerExpectFinished12,
    AwaitPsk13,
    ServerExpectFinished13,
    Established,
    Closed,
    Failed,
}

impl Connection {
    /// Hashes everything that decides how this connection will behave; statistics and the trace are left out.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let Self {
            side,
            records,
            state,
            handshake,
            events,
            alerts,
            acks,
            allowance,
            mtu,
            stats: _,
            trace: _,
        } = self;
        matches!(side, Side::Client(_)).hash(hasher);
        (records, state, handshake, events, alerts, acks, allowance, mtu).hash(hasher);
    }

    /// The kind of the state.
    pub const fn state_kind(&self) -> StateKind {
        self.state.kind()
    }

    /// The name of the state.
    pub const fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// The events since the last call. None are kept before the first call.
    pub fn take_trace(&mut self) -> alloc::vec::Vec<TraceEvent> {
        self.trace.take()
    }

    /// Keeps no events any more, until [`Self::take_trace`] is called again.
    pub fn stop_trace(&mut self) {
        self.trace.stop();
    }

    /// The message_seq of the handshake message that is taken next, as long as any is.
    pub fn next_message_seq(&self) -> Option<u16> {
        let handshake = self.handshake.as_ref().map(|handshake| handshake.inbox.next_seq());
        // After a handshake of DTLS 1.3 the numbers go on.
        let after = || self.established().filter(|e| e.takes_messages()).map(|e| e.message_seqs.0);
        handshake.or_else(after)
    }

    /// Writes a record of any content to the front of `out`, as if this end had sent it, and returns its length; `None` if
    /// there are no such keys or no room.
    pub fn forge(&mut self, epoch: u16, content: ContentType, body: &[u8], out: &mut [u8]) -> Option<usize> {
        let record = NewRecord { epoch, typ: content, last: true };
        self.records.plaintext_room(record, out.len()).filter(|room| *room >= body.len())?;
        let sealed = self.records.seal_with(record, out, |to| {
            for (to, from) in to.iter_mut().zip(body) {
                *to = *from;
            }
            body.len()
        });
        sealed.ok().map(|record| record.len)
    }

    /// Leaves the next `count` record numbers of the write epoch unused, as if such records had been sent and lost.
    pub const fn skip_record_numbers(&mut self, count: u64) {
        self.records.skip_numbers(count);
    }

    /// Whether the peer's address is proven, so that how much comes from it does not matter.
    pub const fn is_address_proven(&self) -> bool {
        matches!(self.allowance, crate::flow::allowance::Allowance::Unlimited)
    }

    /// Whether memory of the handshake is still held.
    pub const fn holds_handshake(&self) -> bool {
        self.handshake.is_some()
    }
}
