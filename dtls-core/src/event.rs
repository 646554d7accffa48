//! What a connection tells the application, and facts about an established one.

use alloc::vec::Vec;

use crate::{
    error::Error,
    wire::enums::{CipherSuite, NamedGroup, ProtocolVersion},
};

/// Something the application should know or do. Events are few and bounded: a peer cannot make them pile up.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
#[non_exhaustive]
pub enum Event {
    /// The handshake has completed and the peer is authenticated; application data may be sent.
    Connected,
    /// A server needs the key of this PSK identity; answer with [`crate::Connection::provide_psk`]. Until then the
    /// connection keeps its timers and answers retransmissions, but reads nothing under keys it has not got: what came with
    /// the identity in the same datagram is lost unless that datagram is handed in again after the answer. A client of DTLS 1.3
    /// may offer several identities: one after the other is asked for until there is a key, eight at most.
    NeedPsk {
        /// The identity as the client sent it. It is not authenticated yet.
        identity: Vec<u8>,
    },
    /// The connection is over. No further event follows.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application called [`crate::Connection::close`].
    Local,
    /// The peer sent close_notify.
    CloseNotify,
    /// A fatal error, also returned from the call that met it.
    Failed(Error),
    /// A newer connection with the same peer took its place in a [`crate::Endpoint`] (RFC 6347 §4.2.8, RFC 9147 §5.11).
    Replaced,
    /// It was not established yet and gave way to others at a limit of its [`crate::Endpoint`].
    Evicted,
}

/// What was agreed in the handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
#[non_exhaustive]
pub struct Negotiated {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The group of the ephemeral key agreement, if there was one.
    pub group: Option<NamedGroup>,
    /// How the peers authenticated each other.
    pub peer: PeerIdentity,
    /// Whether keys are bound to the whole handshake (RFC 7627).
    pub extended_master_secret: bool,
}

/// How the peer proved who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
#[non_exhaustive]
pub enum PeerIdentity {
    /// It knows the pre-shared key of this identity (on a client: the own identity, shared with the server).
    Psk(Vec<u8>),
}
