//! Configurations for tests, from few choices.

use dtls_core::{CipherSuite, ClientConfig, Limits, ListenerLimits, ServerConfig, crypto::Provider};

use crate::ends::Setup;

/// The key behind every identity of a [`Recipe`].
pub const KEY: &[u8] = b"a key that both ends know";

/// What differs between the set-ups of tests.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Recipe {
    /// The cryptography of both ends.
    pub provider: Provider,
    /// The suites of both ends; more make the ClientHello longer.
    pub suites: Vec<CipherSuite>,
    /// The PSK identity; a longer one makes the ClientKeyExchange longer.
    pub identity: Vec<u8>,
    /// Whether the server finds the key itself, or asks with an event.
    pub deferred: bool,
    /// Limits of both ends.
    pub limits: Limits,
    /// Limits of the listener.
    pub listener: ListenerLimits,
}

impl Recipe {
    /// The shortest handshake: one plain PSK suite with 8-byte tags, a short identity, cookies on.
    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
            suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            identity: b"test".to_vec(),
            deferred: false,
            limits: Limits::default(),
            listener: ListenerLimits::default(),
        }
    }

    /// The two configurations.
    ///
    /// # Panics
    /// If they do not build.
    pub fn setup(&self) -> Setup {
        let client = ClientConfig::builder(self.provider).limits(self.limits.clone()).suites(&self.suites);
        let client = client.psk(&self.identity, KEY).build();
        let server = ServerConfig::builder(self.provider).limits(self.limits.clone()).suites(&self.suites);
        let server =
            if self.deferred { server.psk_deferred() } else { server.psk_table([(&self.identity[..], KEY)]) };
        let server = server.listener(self.listener.clone()).build();
        Setup::new(client.expect("the client's settings fit"), server.expect("the server's settings fit"))
    }
}
