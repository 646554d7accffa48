//! Powers that only tests and models need: fingerprints, names of states, event traces. Never for production.

use core::hash::{Hash, Hasher};

use super::{Connection, Side};
use crate::trace::TraceEvent;

impl Connection {
    /// Hashes everything that decides how this connection will behave; statistics and the trace are left out.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let Self { side, records, state, handshake, events, alerts, allowance, mtu, stats: _, trace: _ } =
            self;
        matches!(side, Side::Client(_)).hash(hasher);
        (records, state, handshake, events, alerts, allowance, mtu).hash(hasher);
    }

    /// The name of the state.
    pub const fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// The events since the last call. None are kept before the first call.
    pub fn take_trace(&mut self) -> alloc::vec::Vec<TraceEvent> {
        self.trace.take()
    }

    /// The epoch of records that are read now.
    pub const fn read_epoch(&self) -> u16 {
        self.records.read_epoch()
    }

    /// The epoch of records that are written now.
    pub const fn write_epoch(&self) -> u16 {
        self.records.write_epoch()
    }

    /// Whether memory of the handshake is still held.
    pub const fn holds_handshake(&self) -> bool {
        self.handshake.is_some()
    }
}
