//! Configurations for tests, from few choices.

use dtls_core::{
    Arc, CipherSuite, ClientConfig, Limits, ListenerLimits, NamedGroup, ProtocolVersion, Psk, PskMode,
    ServerConfig,
    crypto::{HashAlgorithm, Provider},
};

use monitors::{Role, Watch};
#[cfg(feature = "model")]
use reference_model::mode::Mode;

use crate::Setup;

/// The PSK identity of a [`Recipe`] unless it says otherwise.
pub(crate) const IDENTITY: &[u8] = b"test";
/// The key behind every identity of a [`Recipe`].
pub const KEY: &[u8] = b"a key that both ends know";

/// What differs between the set-ups of tests.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain settings, built with functional update")]
pub struct Recipe {
    /// The cryptography of both ends.
    pub provider: Provider,
    /// The versions of client and server. Only those with a suite among [`Self::suites`] are spoken.
    pub versions: [Vec<ProtocolVersion>; 2],
    /// The suites of both ends, of any version; more make the ClientHello longer.
    pub suites: Vec<CipherSuite>,
    /// How both ends use the key in DTLS 1.3.
    pub modes: Vec<PskMode>,
    /// The groups of client and server. Where the server has not the client's first one, it asks for another hello.
    pub groups: [Vec<NamedGroup>; 2],
    /// Whether DTLS 1.3 uses the key as it is, or imports it with this context (RFC 9258).
    pub importer: Option<Vec<u8>>,
    /// The PSK identity; a longer one makes the ClientKeyExchange longer.
    pub identity: Vec<u8>,
    /// Whether the server finds the key itself, or asks with an event.
    pub deferred: bool,
    /// Limits of both ends.
    pub limits: Limits,
    /// Limits of the listener.
    pub listener: ListenerLimits,
    /// Whether a monitor gets the trace of the client, of which there must be one only then.
    pub watched: bool,
}

impl Recipe {
    /// The shortest handshake: one plain PSK suite with 8-byte tags, a short identity, cookies on.
    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
            versions: [(); 2].map(|()| vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]),
            suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            modes: vec![PskMode::PskDhe],
            groups: [(); 2].map(|()| vec![NamedGroup::X25519, NamedGroup::SECP256R1]),
            importer: None,
            identity: IDENTITY.to_vec(),
            deferred: false,
            limits: Limits::default(),
            listener: ListenerLimits::default(),
            watched: false,
        }
    }

    /// DTLS 1.3 with one suite and one way to use the key, X25519 where a group is needed, cookies on.
    pub fn new13(provider: Provider, mode: PskMode) -> Self {
        Self {
            suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256],
            modes: vec![mode],
            groups: [(); 2].map(|()| vec![NamedGroup::X25519]),
            ..Self::new(provider)
        }
    }

    /// Client and server of these modes, with cookies and deferred keys as the server's says; the server has X25519 only, which
    /// is the client's first group.
    #[cfg(feature = "model")]
    pub fn for_modes(modes: [Mode; 2], provider: Provider) -> Self {
        let server = modes[1];
        let suite12 = match server.ephemeral {
            true => CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
            false => CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        };
        let suites = [
            modes.iter().any(|mode| mode.has_13()).then_some(CipherSuite::TLS_AES_128_CCM_SHA256),
            modes.iter().any(|mode| mode.has_12()).then_some(suite12),
        ];
        let versions = modes.map(|mode| {
            let spoken =
                [(mode.has_13(), ProtocolVersion::DTLS1_3), (mode.has_12(), ProtocolVersion::DTLS1_2)];
            spoken.into_iter().filter_map(|(speaks, version)| speaks.then_some(version)).collect()
        });
        let mut listener = ListenerLimits::default();
        listener.cookies = server.cookie;
        Self {
            versions,
            suites: suites.into_iter().flatten().collect(),
            modes: vec![if server.ephemeral { PskMode::PskDhe } else { PskMode::PskOnly }],
            groups: [vec![NamedGroup::X25519, NamedGroup::SECP256R1], vec![NamedGroup::X25519]],
            deferred: server.deferred,
            listener,
            ..Self::new(provider)
        }
    }

    /// The two configurations.
    ///
    /// # Panics
    /// If they do not build.
    pub fn setup(&self) -> Setup {
        let psk = match &self.importer {
            Some(context) => Psk::imported(&self.identity, KEY, context),
            None => Psk::new(&self.identity, KEY).hash(self.psk_hash()),
        };
        let client = ClientConfig::builder(self.provider).limits(self.limits.clone()).suites(&self.suites);
        let client = client.versions(&self.versions[0]).psk_modes(&self.modes).groups(&self.groups[0]);
        let client = match self.watched {
            true => client.trace(Arc::new(Watch::new(Role::Client))),
            false => client,
        };
        let client = client.psks([psk.clone()]).build();
        let server = ServerConfig::builder(self.provider).limits(self.limits.clone()).suites(&self.suites);
        let server = server.versions(&self.versions[1]).psk_modes(&self.modes).groups(&self.groups[1]);
        let server = if self.deferred { server.psk_deferred() } else { server.psks([psk]) };
        let server = server.listener(self.listener.clone()).build();
        let setup = Setup::new(
            client.expect("the client's settings fit"),
            server.expect("the server's settings fit"),
        );
        let version = Some(ProtocolVersion::DTLS1_3).filter(|_| self.both_speak13());
        Setup { version, cookies: self.listener.cookies, ..setup }
    }

    fn both_speak13(&self) -> bool {
        let speak = self.versions.iter().all(|versions| versions.contains(&ProtocolVersion::DTLS1_3));
        let [client, server] = &self.groups;
        let key_exchange =
            self.modes.contains(&PskMode::PskOnly) || client.iter().any(|g| server.contains(g));
        let suite = self.suites.iter().any(|suite| suite.0 >> 8 == 0x13);
        speak && key_exchange && suite && !self.identity.is_empty()
    }

    /// A key that is not imported belongs to one hash (RFC 8446 §4.2.11).
    fn psk_hash(&self) -> HashAlgorithm {
        let mut suites13 = self.suites.iter().filter(|suite| suite.0 >> 8 == 0x13).peekable();
        let is384 = |suite: &CipherSuite| *suite == CipherSuite::TLS_AES_256_GCM_SHA384;
        match suites13.peek().is_some() && suites13.all(is384) {
            true => HashAlgorithm::Sha384,
            false => HashAlgorithm::Sha256,
        }
    }
}
