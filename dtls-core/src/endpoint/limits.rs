//! Bounds and counters of an endpoint.

use core::time::Duration;

/// Bounds of an [`crate::Endpoint`]. An established connection is never given up for a new one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointLimits {
    /// Connections at the same time, handshakes included. Beyond it those that are over and then the oldest handshakes of
    /// peers give way; where there are none, new peers are ignored. Default 1,024.
    pub connections: usize,
    /// Handshakes begun by peers at the same time. Beyond it the oldest gives way. Default 256.
    pub handshakes: usize,
    /// Bytes of handshake messages held for reassembly and retransmission in all handshakes begun by peers together. Beyond
    /// it the oldest gives way. What an authenticated peer can make a connection hold is bounded by
    /// [`crate::Limits::inbox_bytes`] alone. Default 1 MiB.
    pub handshake_bytes: usize,
    /// How long a connection that failed stays to repeat its alert to a peer that missed it (RFC 6347 §4.2.7). Default 10 s.
    pub failed_kept: Duration,
    /// How long an established connection begun by its peer may receive no application data before it is closed; `None` is
    /// for ever. Default 15 minutes.
    pub idle: Option<Duration>,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshakes: 256,
            handshake_bytes: 1 << 20,
            failed_kept: Duration::from_secs(10),
            idle: Some(Duration::from_secs(15 * 60)),
        }
    }
}

/// What an [`crate::Endpoint`] did since its start, and what it holds.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Connections held now, those that are over and not forgotten yet included.
    pub connections: usize,
    /// Of these, handshakes begun by peers.
    pub handshakes: usize,
    /// Bytes of handshake messages that these hold.
    pub handshake_bytes: usize,
    /// Datagrams taken in.
    pub datagrams_received: u64,
    /// Datagrams written by `poll_transmit`.
    pub datagrams_sent: u64,
    /// Stateless answers.
    pub replies: u64,
    /// Datagrams dropped before they came to a connection. [`crate::Listener::stats`] counts the reasons.
    pub dropped: u64,
    /// Handshakes begun by peers.
    pub accepted: u64,
    /// Handshakes begun here.
    pub connects: u64,
    /// Handshakes completed.
    pub established: u64,
    /// Connections that a newer one with the same peer replaced.
    pub replaced: u64,
    /// Handshakes that gave way at a limit.
    pub evicted: u64,
    /// Accepted hellos for which there was no room.
    pub refused: u64,
    /// Records tried on a copy, because keys of more than one connection might fit.
    pub trials: u64,
}
