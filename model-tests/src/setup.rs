//! What two ends and what is between them need to know before they start.

use dtls_core::{Arc, ClientConfig, ProtocolVersion, ServerConfig};

/// What a run is made of.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings")]
pub struct Setup {
    /// The client's configuration.
    pub client: Arc<ClientConfig>,
    /// The server's configuration.
    pub server: Arc<ServerConfig>,
    /// Where all randomness of both ends comes from.
    pub seed: u64,
    /// Bytes of the buffer each end gets for a datagram, by [`Side`](simulated_network::Side). May be less than the configured MTU.
    pub room: [usize; 2],
    /// The key with which the server's application answers at once when it is asked for one; without it, it says nothing.
    pub psk: Option<Vec<u8>>,
    /// The version that both can speak, if that is known: they must not connect in another one.
    pub version: Option<ProtocolVersion>,
    /// Whether the listener is known to demand cookies.
    pub cookies: bool,
}

impl Setup {
    /// Both configurations, seed 0 and room for any datagram.
    pub const fn new(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Self {
        Self { client, server, seed: 0, room: [2048; 2], psk: None, version: None, cookies: false }
    }
}
