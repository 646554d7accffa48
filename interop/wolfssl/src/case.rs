//! What both ends are to speak, and the usual course of a connection.

use core::time::Duration;
use std::sync::Arc;

use dtls_core::{
    CipherSuite, ClientConfig, ConfigBuilder, Limits, ListenerLimits, NamedGroup, ProtocolVersion, Psk,
    PskMode, ServerConfig, crypto::HashAlgorithm,
};

use crate::{
    IDENTITY, KEY,
    pair::{Loss, Notes, Pair},
    wolf::{Modes, Role, Setup, Versions},
};

/// X25519 (RFC 8446 §4.2.7).
pub const X25519: u16 = NamedGroup::X25519.0;
/// secp256r1 (RFC 8446 §4.2.7).
pub const P256: u16 = NamedGroup::SECP256R1.0;

/// What both ends may do, whoever is the client. All lists begin with the most preferred.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The versions we speak.
    pub versions: &'static [ProtocolVersion],
    /// The versions wolfSSL speaks.
    pub wolf_versions: Versions,
    /// Our cipher suites.
    pub suites: &'a [CipherSuite],
    /// wolfSSL's cipher suites, by its own names, separated by colons.
    pub wolf_suites: &'static str,
    /// The identity we use. wolfSSL uses and knows [`IDENTITY`].
    pub identity: &'static str,
    /// The key we use. wolfSSL uses [`KEY`].
    pub key: [u8; 32],
    /// The hash that the key is used with in DTLS 1.3.
    pub hash: HashAlgorithm,
    /// How we use the key in DTLS 1.3.
    pub modes: &'static [PskMode],
    /// How wolfSSL uses the key in DTLS 1.3.
    pub wolf_modes: Modes,
    /// Our groups.
    pub groups: &'static [NamedGroup],
    /// The code points of wolfSSL's groups.
    pub wolf_groups: &'static [u16],
    /// Whether the server asks for a cookie.
    pub cookie: bool,
    /// Our largest datagram in the handshake.
    pub mtu: usize,
    /// wolfSSL's largest datagram. This build of wolfSSL takes 500 bytes off for messages of DTLS 1.3.
    pub wolf_mtu: u16,
    /// What the link loses.
    pub loss: Loss,
}

/// DTLS 1.3 with one suite, an ephemeral key exchange and a cookie.
pub const DTLS13: Case<'_> = Case {
    versions: &[ProtocolVersion::DTLS1_3],
    wolf_versions: Versions::Only13,
    suites: &[CipherSuite::TLS_AES_128_GCM_SHA256],
    wolf_suites: "TLS13-AES128-GCM-SHA256",
    identity: IDENTITY,
    key: KEY,
    hash: HashAlgorithm::Sha256,
    modes: &[PskMode::PskDhe],
    wolf_modes: Modes::OnlyPskDhe,
    groups: &[NamedGroup::X25519, NamedGroup::SECP256R1],
    wolf_groups: &[X25519, P256],
    cookie: true,
    mtu: 1232,
    wolf_mtu: 1232,
    loss: Loss { from_us: 0, from_wolf: 0 },
};

impl Case<'_> {
    /// Our client and a server by wolfSSL; what happens in the client is noted.
    ///
    /// # Panics
    /// If one end does not take its settings.
    #[must_use]
    pub fn client(&self) -> (Pair, Notes) {
        let notes = Notes::new(monitors::Role::Client);
        let builder = self.configure(ClientConfig::builder(dtls_crypto::PROVIDER), &notes);
        let config = builder.psks([self.psk()]).build().expect("a configuration");
        (Pair::client(config, &self.wolf(Role::Server), self.loss), notes)
    }

    /// Our server and a client by wolfSSL; what happens in the server is noted.
    ///
    /// # Panics
    /// If one end does not take its settings.
    #[must_use]
    pub fn server(&self) -> (Pair, Notes) {
        let notes = Notes::new(monitors::Role::Server);
        let mut listener = ListenerLimits::default();
        listener.cookies = self.cookie;
        let builder = self.configure(ServerConfig::builder(dtls_crypto::PROVIDER), &notes);
        let config = builder.psks([self.psk()]).listener(listener).build().expect("a configuration");
        (Pair::server(config, &self.wolf(Role::Client), self.loss), notes)
    }

    /// Lets both ends connect, checks that they agree on `version` and on the same exported keys, sends data both ways,
    /// before and after everything is acknowledged.
    ///
    /// # Panics
    /// If anything goes otherwise.
    pub fn converse(&self, pair: &mut Pair, version: ProtocolVersion) {
        pair.connect();
        let agreed = pair.connection().negotiated().expect("connected").clone();
        assert_eq!(agreed.version, version);
        let wolf_version = if version == ProtocolVersion::DTLS1_3 { "DTLSv1.3" } else { "DTLSv1.2" };
        assert_eq!(pair.wolf().version(), wolf_version);
        let (label, mut exported) = ("EXPORTER-interop", [0; 32]);
        pair.connection().export(label, None, &mut exported).expect("connected");
        assert_eq!(pair.wolf().export(label), exported);
        pair.exchange();
        pair.fall_silent();
        pair.exchange();
    }

    fn configure<A>(&self, builder: ConfigBuilder<A>, notes: &Notes) -> ConfigBuilder<A> {
        let mut limits = Limits::default();
        limits.mtu = self.mtu;
        // However many losses there are, nobody gives up. wolfSSL's timeouts go on doubling.
        limits.handshake_timeout = Duration::from_secs(1 << 20);
        limits.last_flight_kept = Duration::from_secs(1 << 20);
        limits.max_retransmissions = u8::MAX;
        builder
            .versions(self.versions)
            .suites(self.suites)
            .groups(self.groups)
            .psk_modes(self.modes)
            .limits(limits)
            .trace(Arc::new(notes.clone()))
    }

    fn psk(&self) -> Psk {
        Psk::new(self.identity.as_bytes(), &self.key).hash(self.hash)
    }

    /// wolfSSL's side of it.
    #[must_use]
    pub fn wolf(&self, role: Role) -> Setup {
        Setup {
            role,
            versions: self.wolf_versions,
            suites: self.wolf_suites,
            groups: self.wolf_groups,
            modes: self.wolf_modes,
            cookie: self.cookie,
            mtu: self.wolf_mtu,
        }
    }
}
