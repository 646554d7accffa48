//! Configurations: shared, immutable, checked when they are built and never later.
//!
//! How the peer is authenticated must be chosen before `build` exists, so a configuration cannot forget it.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use crate::{
    Arc,
    crypto::{Hash, HashAlgorithm, Provider},
    error::{ConfigError, Error},
    flow::acks::AckPolicy,
    handshake::suites::{
        KeyExchange12, Suite12, Suite13, all_suites, default_groups, default_suites, kx_group_id,
    },
    psk::{Psk, PskMode},
    trace::TraceSink,
    wire::enums::{CipherSuite, NamedGroup, ProtocolVersion},
};

/// Smallest MTU that is accepted, in bytes of UDP payload.
pub const MIN_MTU: usize = 228;
/// Shortest time the core can wait: the resolution of [`crate::Instant`].
const TICK: Duration = Duration::from_micros(1);
/// A limit below this, in bytes, does not even let the hellos of this library through.
const MIN_HANDSHAKE_MESSAGE: usize = 128;
/// Each message ahead and each missing range takes some memory and time whatever it holds; no peer needs so many.
const MAX_MESSAGE_WINDOW: u16 = 64;
const MAX_HOLES: usize = 1024;
/// More than the longest ClientHello that is of any use.
const MAX_HELLO_BYTES: usize = 128 << 10;
const MAX_HELLO_SLOTS: usize = 4096;

/// Bounds and timers. Every field has a default that suits the Internet; see each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Largest datagram sent in the handshake, in bytes of UDP payload. Default 1,232 (IPv6 minimum), at least [`MIN_MTU`].
    pub mtu: usize,
    /// First retransmission timeout, at least 1 µs. Default 1 s (RFC 6347 §4.2.4.1); RFC 7925 §11 advises 9 s for constrained networks.
    pub initial_rto: Duration,
    /// Ceiling of the doubling timeout. Default 60 s.
    pub max_rto: Duration,
    /// Retransmissions of one flight before the connection fails. Default 12.
    pub max_retransmissions: u8,
    /// Time from the start to the end of the handshake before the connection fails. Default 60 s, always finite.
    pub handshake_timeout: Duration,
    /// How long a repeated last flight of the peer is answered. Default 4 minutes, twice the maximum segment lifetime
    /// (RFC 6347 §4.2.4).
    pub last_flight_kept: Duration,
    /// Anti-replay window in records, a multiple of 64 from 64 to 1,024. Default 64.
    pub replay_window: u16,
    /// Bytes of handshake messages held for reassembly, at least `max_handshake_message`. Default 16 KiB. What DTLS 1.3 has
    /// acknowledged is never given up, so that there the message that comes next may take up to `max_handshake_message` more.
    pub inbox_bytes: usize,
    /// Longest handshake message accepted, in bytes, at least 128. Default 16 KiB.
    pub max_handshake_message: usize,
    /// How many handshake messages are kept, from the next one on; 1 to 64. Default 7.
    pub message_window: u16,
    /// Missing ranges tracked per handshake message, 1 to 1,024. Default 32.
    pub holes: usize,
    /// Longest PSK identity a server accepts, in bytes. Default 512.
    pub max_psk_identity: usize,
    /// Whether several handshake messages may share an unprotected record. Default off, because deployed peers fail on it.
    pub pack_plain_records: bool,
    /// Most records of a DTLS 1.3 flight sent in one go; the rest follows when some are acknowledged, or by timer. Default 10
    /// (RFC 9147 §5.8.3); 0 for no limit.
    pub burst: u16,
    /// When DTLS 1.3 records are acknowledged. Default [`AckPolicy::Prompt`].
    pub ack_policy: AckPolicy,
    /// Whether DTLS 1.3 record numbers always take two bytes. Default off: one byte as long as that is safe.
    pub wide_record_numbers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mtu: 1232,
            initial_rto: Duration::from_secs(1),
            max_rto: Duration::from_secs(60),
            max_retransmissions: 12,
            handshake_timeout: Duration::from_secs(60),
            last_flight_kept: Duration::from_secs(240),
            replay_window: 64,
            inbox_bytes: 16 << 10,
            max_handshake_message: 16 << 10,
            message_window: 7,
            holes: 32,
            max_psk_identity: 512,
            pack_plain_records: false,
            burst: 10,
            ack_policy: AckPolicy::Prompt,
            wide_record_numbers: false,
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let window_ok = (64..=1024).contains(&self.replay_window) && self.replay_window & 63 == 0;
        let timers_ok =
            self.initial_rto >= TICK && self.max_rto >= self.initial_rto && self.handshake_timeout >= TICK;
        let reassembly_ok = self.max_handshake_message >= MIN_HANDSHAKE_MESSAGE
            && self.inbox_bytes >= self.max_handshake_message
            && (1..=MAX_MESSAGE_WINDOW).contains(&self.message_window)
            && (1..=MAX_HOLES).contains(&self.holes);
        if self.mtu < MIN_MTU {
            Err(ConfigError::MtuTooSmall)
        } else if !window_ok {
            Err(ConfigError::ReplayWindow)
        } else if !timers_ok {
            Err(ConfigError::Timeout)
        } else if !reassembly_ok {
            Err(ConfigError::Reassembly)
        } else {
            Ok(())
        }
    }
}

/// Bounds of a [`crate::Listener`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Whether a new peer must return a cookie before anything is kept for it (RFC 6347 §4.2.1). Default on; off only where
    /// the path is validated already, as by ICE.
    pub cookies: bool,
    /// How often the cookie secret changes; a cookie is valid for one to two periods. Default 60 s.
    pub cookie_rotation: Duration,
    /// Fragmented ClientHellos reassembled at the same time, in memory allocated with the listener, at most 4,096.
    /// Default 64; 0 switches it off. The oldest gives way.
    pub hello_slots: usize,
    /// Longest fragmented ClientHello, in bytes, at most 128 KiB. Default 4 KiB.
    pub hello_bytes: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self { cookies: true, cookie_rotation: Duration::from_secs(60), hello_slots: 64, hello_bytes: 4096 }
    }
}

/// A receiver of secrets for traffic analysis by their owner (the `SSLKEYLOGFILE` format). Off unless configured.
pub trait KeyLog: Send + Sync {
    /// Takes note of `secret` under `label` for the connection with this ClientHello random.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}

/// What both sides have.
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    pub(crate) limits: Limits,
    /// Empty if DTLS 1.2 is switched off.
    pub(crate) suites12: Vec<&'static Suite12>,
    /// Empty if DTLS 1.3 is switched off.
    pub(crate) suites13: Vec<&'static Suite13>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) psk_modes: Vec<PskMode>,
    pub(crate) require_ems: bool,
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
    pub(crate) trace: Option<Arc<dyn TraceSink>>,
}

impl Settings {
    /// The implementation of a hash that a configured suite needs.
    pub(crate) fn hash(&self, algorithm: HashAlgorithm) -> Result<&'static dyn Hash, Error> {
        self.provider.hash(algorithm).ok_or(Error::Internal("hash of a configured suite"))
    }

    /// Whether any 1.2 suite needs a group.
    pub(crate) fn uses_groups12(&self) -> bool {
        self.suites12.iter().any(|s| s.kx == KeyExchange12::EcdhePsk)
    }

    /// Whether DTLS 1.3 is spoken with an ephemeral key exchange.
    pub(crate) fn uses_groups13(&self) -> bool {
        self.speaks13() && self.psk_modes.contains(&PskMode::PskDhe)
    }

    pub(crate) const fn speaks12(&self) -> bool {
        !self.suites12.is_empty()
    }

    pub(crate) const fn speaks13(&self) -> bool {
        !self.suites13.is_empty()
    }
}

/// The configuration of clients.
pub struct ClientConfig {
    pub(crate) settings: Settings,
    /// At least one.
    pub(crate) psks: Vec<Psk>,
}

/// The configuration of servers.
pub struct ServerConfig {
    pub(crate) settings: Settings,
    pub(crate) listener: ListenerLimits,
    pub(crate) psks: PskSource,
    pub(crate) psk_hint: Vec<u8>,
}

/// Where a server finds keys.
pub(crate) enum PskSource {
    Table(BTreeMap<Vec<u8>, Psk>),
    /// The application answers [`crate::Event::NeedPsk`].
    Deferred,
}

impl PskSource {
    /// Whether there is, or may be, a key of this identity for DTLS 1.3 suites of `hash`.
    pub(crate) fn may_know13(&self, identity: &[u8], hash: HashAlgorithm) -> bool {
        match self {
            Self::Table(table) => table.get(identity).is_some_and(|psk| psk.fits_hash13(hash)),
            Self::Deferred => true,
        }
    }
}

/// Builds a configuration. `A` says whether, and how, the peer will be authenticated.
pub struct ConfigBuilder<A> {
    provider: Provider,
    limits: Limits,
    suites: Option<Vec<CipherSuite>>,
    groups: Option<Vec<NamedGroup>>,
    versions: Vec<ProtocolVersion>,
    psk_modes: Vec<PskMode>,
    require_ems: bool,
    key_log: Option<Arc<dyn KeyLog>>,
    trace: Option<Arc<dyn TraceSink>>,
    auth: A,
}

/// A client builder that does not know yet how to authenticate its server.
#[derive(Debug)]
pub struct ClientWantsAuth(());

/// A server builder that does not know yet how to authenticate its clients.
#[derive(Debug)]
pub struct ServerWantsAuth(());

/// A client builder with a pre-shared key.
pub struct ClientPsk {
    psks: Vec<Psk>,
}

/// A server builder with pre-shared keys.
pub struct ServerPsk {
    /// `None` if the application looks them up.
    psks: Option<Vec<Psk>>,
    hint: Vec<u8>,
    listener: ListenerLimits,
}

impl ClientConfig {
    /// Starts a configuration that uses `provider` for all cryptography.
    pub fn builder(provider: Provider) -> ConfigBuilder<ClientWantsAuth> {
        ConfigBuilder::new(provider, ClientWantsAuth(()))
    }
}

impl ServerConfig {
    /// Starts a configuration that uses `provider` for all cryptography.
    pub fn builder(provider: Provider) -> ConfigBuilder<ServerWantsAuth> {
        ConfigBuilder::new(provider, ServerWantsAuth(()))
    }
}

impl<A> ConfigBuilder<A> {
    fn new(provider: Provider, auth: A) -> Self {
        Self {
            provider,
            limits: Limits::default(),
            suites: None,
            groups: None,
            versions: [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2].to_vec(),
            psk_modes: [PskMode::PskDhe].to_vec(),
            require_ems: true,
            key_log: None,
            trace: None,
            auth,
        }
    }

    fn with_auth<B>(self, auth: B) -> ConfigBuilder<B> {
        let Self {
            provider, limits, suites, groups, versions, psk_modes, require_ems, key_log, trace, ..
        } = self;
        ConfigBuilder {
            provider,
            limits,
            suites,
            groups,
            versions,
            psk_modes,
            require_ems,
            key_log,
            trace,
            auth,
        }
    }

    /// Replaces the default [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The versions to offer or accept. By default DTLS 1.3 and DTLS 1.2; the newest that both sides speak is used.
    #[must_use]
    pub fn versions(mut self, versions: &[ProtocolVersion]) -> Self {
        self.versions = versions.to_vec();
        self
    }

    /// How DTLS 1.3 may use pre-shared keys, most preferred first. By default only with an ephemeral key exchange.
    #[must_use]
    pub fn psk_modes(mut self, modes: &[PskMode]) -> Self {
        self.psk_modes = modes.to_vec();
        self
    }

    /// The suites of all versions to offer or accept, most preferred first. By default all with 16-byte tags.
    #[must_use]
    pub fn suites(mut self, suites: &[CipherSuite]) -> Self {
        self.suites = Some(suites.to_vec());
        self
    }

    /// Every suite this library implements, those with 8-byte tags last: what CoAP needs (RFC 7252 §9.1.3.1 makes
    /// `TLS_PSK_WITH_AES_128_CCM_8` mandatory). In DTLS 1.3 the short tag stays off, because 128 forged records end a
    /// connection that uses it (RFC 9147 §4.5.3); [`Self::suites`] can name it.
    #[must_use]
    pub fn coap_suites(mut self) -> Self {
        let short13 = CipherSuite::TLS_AES_128_CCM_8_SHA256;
        self.suites = Some(all_suites().filter(|id| *id != short13).collect());
        self
    }

    /// The groups to offer or accept, most preferred first. By default X25519, then P-256.
    #[must_use]
    pub fn groups(mut self, groups: &[NamedGroup]) -> Self {
        self.groups = Some(groups.to_vec());
        self
    }

    /// Also talk to peers without the extended master secret (RFC 7627). Off by default: without it the keys are not bound
    /// to the handshake.
    #[must_use]
    pub const fn allow_missing_extended_master_secret(mut self) -> Self {
        self.require_ems = false;
        self
    }

    /// Hands the session secrets to `log`. For debugging only.
    #[must_use]
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }

    /// Reports what happens inside connections to `sink`.
    #[must_use]
    pub fn trace(mut self, sink: Arc<dyn TraceSink>) -> Self {
        self.trace = Some(sink);
        self
    }

    fn settings(self) -> Result<(Settings, A), ConfigError> {
        self.limits.check()?;
        let provider = self.provider;
        let (mut suites13, mut suites12) = match &self.suites {
            Some(ids) => find_suites(ids, &provider)?,
            None => default_suites(&provider),
        };
        if !self.versions.contains(&ProtocolVersion::DTLS1_3) {
            suites13.clear();
        }
        if !self.versions.contains(&ProtocolVersion::DTLS1_2) {
            suites12.clear();
        }
        if suites13.is_empty() && suites12.is_empty() {
            return Err(ConfigError::NoSuites);
        }
        let has = |group: &NamedGroup| kx_group_id(*group).and_then(|id| provider.group(id)).is_some();
        let groups = match self.groups {
            Some(groups) if groups.iter().all(has) => groups,
            Some(_) => return Err(ConfigError::UnsupportedGroup),
            None => default_groups().filter(has).collect(),
        };
        let settings = Settings {
            provider,
            limits: self.limits,
            suites12,
            suites13,
            groups,
            psk_modes: self.psk_modes,
            require_ems: self.require_ems,
            key_log: self.key_log,
            trace: self.trace,
        };
        if (settings.uses_groups12() || settings.uses_groups13()) && settings.groups.is_empty() {
            return Err(ConfigError::NoGroups);
        }
        if settings.speaks13() && settings.psk_modes.is_empty() {
            return Err(ConfigError::NoPskModes);
        }
        Ok((settings, self.auth))
    }
}

impl ConfigBuilder<ClientWantsAuth> {
    /// Client and server authenticate each other by the pre-shared `key` of `identity`.
    pub fn psk(self, identity: &[u8], key: &[u8]) -> ConfigBuilder<ClientPsk> {
        self.psks([Psk::new(identity, key)])
    }

    /// Client and server authenticate each other by one of several pre-shared keys, most preferred first. DTLS 1.2 can name
    /// but one, and uses the first.
    pub fn psks(self, psks: impl IntoIterator<Item = Psk>) -> ConfigBuilder<ClientPsk> {
        self.with_auth(ClientPsk { psks: psks.into_iter().collect() })
    }
}

impl ConfigBuilder<ClientPsk> {
    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] names what cannot work.
    pub fn build(self) -> Result<Arc<ClientConfig>, ConfigError> {
        let (mut settings, ClientPsk { psks }) = self.settings()?;
        if psks.is_empty() {
            return Err(ConfigError::NoPsk);
        }
        for psk in &psks {
            psk.check(usize::from(u16::MAX))?;
        }
        let psks = expand(psks, &settings)?;
        if !psks.iter().any(|psk| psk.fits13(&settings)) {
            // A server could choose DTLS 1.3, and then find nothing to agree on.
            settings.suites13.clear();
        }
        if !settings.speaks13() && !settings.speaks12() {
            return Err(ConfigError::NoPsk);
        }
        Ok(Arc::new(ClientConfig { settings, psks }))
    }
}

impl ConfigBuilder<ServerWantsAuth> {
    /// Clients are authenticated by pre-shared keys, looked up in a table of (identity, key).
    pub fn psk_table<'a>(
        self,
        keys: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> ConfigBuilder<ServerPsk> {
        self.psks(keys.into_iter().map(|(identity, key)| Psk::new(identity, key)))
    }

    /// Clients are authenticated by pre-shared keys.
    pub fn psks(self, psks: impl IntoIterator<Item = Psk>) -> ConfigBuilder<ServerPsk> {
        let table = psks.into_iter().collect();
        self.with_auth(ServerPsk { psks: Some(table), hint: Vec::new(), listener: ListenerLimits::default() })
    }

    /// Clients are authenticated by pre-shared keys that the application looks up when [`crate::Event::NeedPsk`] asks.
    pub fn psk_deferred(self) -> ConfigBuilder<ServerPsk> {
        self.with_auth(ServerPsk { psks: None, hint: Vec::new(), listener: ListenerLimits::default() })
    }
}

impl ConfigBuilder<ServerPsk> {
    /// Tells clients which identity is wanted (RFC 4279 §5.2). By default nothing is said, which saves a message; anyone can
    /// read the hint.
    #[must_use]
    pub fn psk_hint(mut self, hint: &[u8]) -> Self {
        self.auth.hint = hint.to_vec();
        self
    }

    /// Replaces the default [`ListenerLimits`].
    #[must_use]
    pub const fn listener(mut self, limits: ListenerLimits) -> Self {
        self.auth.listener = limits;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] names what cannot work.
    pub fn build(self) -> Result<Arc<ServerConfig>, ConfigError> {
        let (settings, ServerPsk { psks, hint, listener }) = self.settings()?;
        let psks = match psks {
            None => PskSource::Deferred,
            Some(psks) if psks.is_empty() => return Err(ConfigError::NoPsk),
            Some(psks) => {
                for psk in &psks {
                    psk.check(settings.limits.max_psk_identity)?;
                }
                let expanded = expand(psks, &settings)?;
                PskSource::Table(expanded.into_iter().map(|psk| (psk.identity.clone(), psk)).collect())
            }
        };
        if u16::try_from(hint.len()).is_err() {
            return Err(ConfigError::IdentityTooLong);
        }
        if settings.provider.hash(HashAlgorithm::Sha256).is_none() {
            return Err(ConfigError::CookieSecret);
        }
        if listener.hello_slots > MAX_HELLO_SLOTS || listener.hello_bytes > MAX_HELLO_BYTES {
            return Err(ConfigError::PoolLimit);
        }
        if listener.cookie_rotation.is_zero() {
            return Err(ConfigError::Timeout);
        }
        Ok(Arc::new(ServerConfig { settings, listener, psks, psk_hint: hint }))
    }
}

/// Sorts configured suites by version, keeping their order.
type Suites = (Vec<&'static Suite13>, Vec<&'static Suite12>);

fn find_suites(ids: &[CipherSuite], provider: &Provider) -> Result<Suites, ConfigError> {
    let mut suites: Suites = (Vec::new(), Vec::new());
    for id in ids {
        let supported = match (Suite13::find(*id), Suite12::find(*id)) {
            (Some(suite), _) => {
                suites.0.push(suite);
                suite.is_supported(provider)
            }
            (None, Some(suite)) => {
                suites.1.push(suite);
                suite.is_supported(provider)
            }
            (None, None) => return Err(ConfigError::UnknownSuite),
        };
        if !supported {
            return Err(ConfigError::UnsupportedSuite);
        }
    }
    Ok(suites)
}

/// Replaces keys that are to be imported by what is imported from them.
fn expand(psks: Vec<Psk>, settings: &Settings) -> Result<Vec<Psk>, ConfigError> {
    let mut expanded = Vec::new();
    for psk in psks {
        expanded.extend(psk.expand(settings)?);
    }
    Ok(expanded)
}

/// Debug output of configurations names no key.
macro_rules! opaque_debug {
    ($($name:ty => $text:literal),* $(,)?) => {
        $(impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str($text)
            }
        })*
    };
}

opaque_debug! {
    ClientConfig => "ClientConfig",
    ServerConfig => "ServerConfig",
    ClientPsk => "ClientPsk",
    ServerPsk => "ServerPsk",
}

impl<A> core::fmt::Debug for ConfigBuilder<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ConfigBuilder")
    }
}
