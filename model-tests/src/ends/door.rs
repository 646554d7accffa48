//! The listener at the server's address.

use dtls_core::{Arc, Connection, Instant, Listener, ServerConfig, Verdict};
use monitors::Role;
use simulated_network::{Prng, Side};

use super::{End, Outgoing};

/// The address of the client as the listener sees it.
const CLIENT_ADDRESS: [u8; 6] = [192, 0, 2, 1, 0x16, 0x33];

/// What stands at the server's address before there is a connection.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) config: Arc<ServerConfig>,
    pub(super) rng: Prng,
    pub(super) room: usize,
    /// Where what arrives comes from.
    pub(super) address: [u8; 6],
    /// Bytes received and sent before the address was validated.
    pub(super) received: usize,
    pub(super) replied: usize,
}

impl Door {
    /// Nobody has come yet.
    ///
    /// # Panics
    /// If the provider cannot make cookies.
    pub(super) fn new(config: &Arc<ServerConfig>, rng: Prng, room: usize) -> Self {
        Self {
            listener: Listener::new(Arc::clone(config)).expect("the provider has SHA-256"),
            config: Arc::clone(config),
            rng,
            room,
            address: CLIENT_ADDRESS,
            received: 0,
            replied: 0,
        }
    }

    /// Answers the datagram, or makes a connection for it.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        outgoing: &mut Vec<Outgoing>,
    ) -> Option<End> {
        let mut out = [0; 2048];
        self.received += bytes.len();
        match self.listener.handle(now, &mut self.rng, &self.address, &mut bytes.to_vec(), &mut out) {
            Verdict::Reply(reply) => {
                self.replied += reply.len();
                assert!(
                    self.replied <= self.received,
                    "S10: more bytes out than in before the address was validated"
                );
                outgoing.push(Outgoing { from: Side::Server, bytes: reply.to_vec(), contents: Vec::new() });
                None
            }
            Verdict::Accept(accepted) => {
                let mut rng = self.rng.split();
                let server = Connection::server(Arc::clone(&self.config), &accepted, now, &mut rng);
                Some(End::new(server, Role::Server, rng, self.room))
            }
            _ => None,
        }
    }
}
