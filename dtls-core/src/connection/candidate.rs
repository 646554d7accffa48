//! What whoever has several connections at one address needs of each to give a record to the right one.

use super::{Connection, Handshake};
use crate::wire::record::RawRecord;

impl Connection {
    /// Whether the handshake is still going on.
    pub(crate) const fn is_handshaking(&self) -> bool {
        self.state.is_handshaking()
    }

    /// Whether records of the epoch that this one claims are read.
    pub(crate) fn reads(&self, record: &RawRecord<'_>) -> bool {
        self.records.reader_of(record).is_some()
    }

    /// Whether the record authenticates under a key of this connection and is new. Its bytes are of no use afterwards;
    /// nothing else changes.
    pub(crate) fn authenticates(&self, record: RawRecord<'_>) -> bool {
        self.records.authenticates(record)
    }

    /// Takes a ChangeCipherSpec that may be for another connection with the same peer as well, if it may come now. It is a flag
    /// that anybody could raise (RFC 6347 §4.2.5).
    pub(crate) fn on_shared_ccs(&mut self) {
        let takes = self.state.takes_ccs();
        if let Some(handshake) = self.handshake.as_mut().filter(|_| takes) {
            handshake.ccs_seen = true;
            self.switch_read_epoch();
        }
    }

    /// Bytes of handshake messages held for reassembly and retransmission.
    pub(crate) fn handshake_bytes(&self) -> usize {
        self.handshake.as_ref().map_or(0, |handshake| {
            let Handshake { inbox, sending, .. } = &**handshake;
            inbox.held().saturating_add(sending.outbox.held())
        })
    }
}
