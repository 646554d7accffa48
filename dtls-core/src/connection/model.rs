//! Powers that only tests and models need: fingerprints, names of states, event traces. Never for production.

use alloc::vec::Vec;
use core::{
    hash::{Hash, Hasher},
    time::Duration,
};

use super::{Connection, Side};
use crate::{
    flow::acks::Acks,
    handshake::State,
    record::{layer::NewRecord, number::RecordNumber},
    time::Instant,
    trace::TraceEvent,
    wire::{enums::ContentType, record::split_first},
};

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

    /// As [`Self::fingerprint`], without what only tells records and moments apart: record numbers, which go with
    /// [`Self::awaited`] and [`Self::to_acknowledge`], and the time before and after `now`. `plenty` bytes of allowance are as
    /// good as more, and so is `far` as a deadline. Holds for a connection that is far from every limit of record numbers and
    /// whose timeout is not set anew.
    pub fn behaviour(&self, now: Instant, plenty: usize, far: Duration, hasher: &mut impl Hasher) {
        let mut this = self.clone();
        this.records.forget_numbers();
        this.acks.iter_mut().for_each(Acks::forget_numbers);
        this.allowance.saturate(plenty);
        if let Some(handshake) = &mut this.handshake {
            let sending = &mut handshake.sending;
            sending.outbox.forget_numbers();
            sending.timers.count_from(now, far);
            // Only whether it is recent matters.
            sending.last_sent =
                Instant::from_start(now.since(sending.last_sent).min(sending.backoff.initial()));
            sending.ack_started = Instant::START;
        }
        this.fingerprint(hasher);
    }

    /// The records that an ACK can still say something new about, each with what it would say.
    pub fn awaited(&self) -> impl Iterator<Item = (RecordNumber, impl Copy + Ord + Hash + use<>)> {
        let outbox = self.handshake.as_ref().map(|handshake| &handshake.sending.outbox);
        let forgetful = self.records.read_epoch() == 0;
        outbox.into_iter().flat_map(move |outbox| outbox.awaited(forgetful))
    }

    /// The records of the peer that the next ACK is about, in rising order.
    pub fn to_acknowledge(&self) -> &[RecordNumber] {
        self.acks.as_ref().map(Acks::numbers).unwrap_or_default()
    }

    /// Whether it would be news that the peer has keys: its address would be proven, or what led to the keys acknowledged.
    pub fn awaits_proof(&self) -> bool {
        let handshake = self.handshake.as_ref();
        !self.is_address_proven()
            || handshake.is_some_and(|handshake| handshake.sending.outbox.awaits_proof())
    }

    /// Whether a record of the peer with this number is looked at now, or will be once there are keys for it.
    pub fn will_open(&self, number: RecordNumber) -> bool {
        self.records.will_open(number)
    }

    /// What is in the records of a datagram that this connection has just written, as far as it still has their keys.
    pub fn reveal(&self, mut datagram: &mut [u8]) -> Vec<(ContentType, RecordNumber, Vec<u8>)> {
        let mut records = Vec::new();
        while let Ok((record, rest)) = split_first(datagram) {
            records.extend(self.records.reveal(record).map(|o| (o.typ, o.number, o.body.to_vec())));
            datagram = rest;
        }
        records
    }

    /// Bytes that may still be sent to an address that is not proven.
    pub const fn allowance(&self) -> usize {
        self.allowance.left()
    }

    /// The kind of the state.
    pub const fn state_kind(&self) -> StateKind {
        self.state.kind()
    }

    /// All of its parts but the configuration, as the crate's own assertions would print them.
    pub fn parts(&self) -> impl core::fmt::Debug {
        let Self { records, state, handshake, events, alerts, acks, allowance, .. } = self;
        (records, state, handshake, events, alerts, acks, allowance)
    }

    /// The name of the state.
    pub const fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// The events since the last call. None are kept before the first call.
    pub fn take_trace(&mut self) -> Vec<TraceEvent> {
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
        handshake.or_else(after).flatten()
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

    /// Whether all that is held is what the peer has sent after the handshake before its turn, and nothing is to be said.
    pub fn keeps_only_what_came_early(&self) -> bool {
        let Some(handshake) = self.handshake.as_ref().filter(|_| self.is_established()) else { return false };
        let ack_due = self.acks.as_ref().is_some_and(Acks::is_due);
        !handshake.inbox.is_empty() && handshake.sending.outbox.is_empty() && !ack_due
    }
}
