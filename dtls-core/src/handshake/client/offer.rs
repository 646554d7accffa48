//! What a client offers, and how it is written: one ClientHello for both versions (RFC 8446 §4.1.2, RFC 6347 §4.2.1).

use alloc::vec::Vec;

use crate::{
    config::{ClientConfig, Settings},
    crypto::HashAlgorithm,
    error::Error,
    handshake::{
        negotiate::{COMPRESSION_NULL, POINT_FORMAT_UNCOMPRESSED},
        share::OwnShare,
    },
    psk::Psk,
    rand::Rng,
    schedule::{
        transcript::{Framing, Transcript},
        v13::Early,
    },
    wire::{
        codec::{Full, Writer, encode_to_vec},
        enums::{CipherSuite, HandshakeType, ProtocolVersion},
        extensions::{Extensions, U16List},
        handshake::Message,
        hello::ClientHello,
        kx13::{KeyShareEntry, KeyShares, OfferedIdentity, OfferedPsks},
    },
};

/// What stays the same, or changes only as asked, between the hellos of one handshake.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Offer {
    pub(crate) random: [u8; 32],
    /// Of HelloVerifyRequest.
    pub(crate) legacy_cookie: Vec<u8>,
    /// Of HelloRetryRequest.
    pub(crate) cookie: Option<Vec<u8>>,
    /// The key share of DTLS 1.3, if it is spoken with an ephemeral key exchange.
    pub(crate) share: Option<OwnShare>,
    /// Which of the configured PSKs are offered in DTLS 1.3, by index.
    pub(crate) psks: Vec<usize>,
}

impl Offer {
    pub(crate) fn new(config: &ClientConfig, rng: &mut dyn Rng) -> Result<Self, Error> {
        let settings = &config.settings;
        let mut random = [0; 32];
        rng.try_fill(&mut random)?;
        let share = match settings.groups.first() {
            Some(group) if settings.uses_groups13() => Some(OwnShare::make(settings, *group, rng)?),
            _ => None,
        };
        let usable = config.psks.iter().enumerate().filter(|(_, psk)| psk.fits13(settings));
        let psks = usable.map(|(i, _)| i).collect();
        Ok(Self { random, legacy_cookie: Vec::new(), cookie: None, share, psks })
    }

    /// Drops the PSKs that do not fit the suite of a HelloRetryRequest (RFC 8446 §4.1.4).
    pub(crate) fn keep_psks_for(&mut self, config: &ClientConfig, hash: HashAlgorithm) {
        self.psks.retain(|i| config.psks.get(*i).is_some_and(|psk| psk.hash == hash));
    }

    /// The PSK that a server means by `index`.
    pub(crate) fn psk<'c>(&self, config: &'c ClientConfig, index: u16) -> Option<&'c Psk> {
        config.psks.get(*self.psks.get(usize::from(index))?)
    }

    /// The hello's body, its binders computed over `retried`, the transcript of a retry, and the hello itself.
    pub(crate) fn encode(
        &self,
        config: &ClientConfig,
        retried: Option<&Transcript>,
        seq: u16,
    ) -> Result<Vec<u8>, Error> {
        const TOO_LONG: Error = Error::Internal("a hello too long for its length fields");
        let settings = &config.settings;
        let lists = Lists::new(settings, self);
        let mut identities = Vec::new();
        let mut binders = Vec::new();
        for psk in self.psks.iter().filter_map(|i| config.psks.get(*i)) {
            let identity = OfferedIdentity { identity: &psk.identity, obfuscated_age: 0 };
            identities.extend(encode_to_vec(|w| identity.write(w)).map_err(|_| TOO_LONG)?);
            let length = psk.hash.digest_len();
            binders.push(u8::try_from(length).unwrap_or(u8::MAX));
            binders.resize(binders.len().saturating_add(length), 0);
        }
        let offered = OfferedPsks { identities: &identities, binders: &binders };
        let with_psks = (!self.psks.is_empty()).then_some(offered);
        let mut body = encode_to_vec(|w| self.write(settings, &lists, with_psks, w)).map_err(|_| TOO_LONG)?;
        if with_psks.is_some() {
            self.bind(config, retried, seq, &mut body, offered.uncovered())?;
        }
        Ok(body)
    }

    /// Fills in the binders, which stand in the last `uncovered` bytes of the hello (RFC 8446 §4.2.11.2).
    fn bind(
        &self,
        config: &ClientConfig,
        retried: Option<&Transcript>,
        seq: u16,
        body: &mut [u8],
        uncovered: usize,
    ) -> Result<(), Error> {
        const LAYOUT: Error = Error::Internal("layout of a hello");
        let covered = body.len().saturating_sub(uncovered);
        let mut at = covered.saturating_add(2);
        for psk in self.psks.iter().filter_map(|i| config.psks.get(*i)) {
            let hash = config.settings.hash(psk.hash)?;
            let message = Message { typ: HandshakeType::CLIENT_HELLO, seq, body };
            let part = body.get(..covered).ok_or(LAYOUT)?;
            let digest = match retried {
                Some(transcript) => transcript.with_part(&message, part),
                None => Transcript::new(hash, Framing::Tls13).with_part(&message, part),
            };
            let binder = Early::new(hash, &psk.key).binder(hash, psk.origin).verify_data(hash, &digest);
            let start = at.saturating_add(1);
            let end = start.saturating_add(binder.as_bytes().len());
            body.get_mut(start..end).ok_or(LAYOUT)?.copy_from_slice(binder.as_bytes());
            at = end;
        }
        Ok(())
    }

    fn write(
        &self,
        settings: &Settings,
        lists: &Lists,
        psks: Option<OfferedPsks<'_>>,
        w: &mut Writer<'_>,
    ) -> Result<(), Full> {
        let modes: Vec<u8> = settings.psk_modes.iter().map(|m| m.code()).collect();
        let with13 = settings.speaks13();
        let with_groups = settings.uses_groups12() || settings.uses_groups13();
        ClientHello {
            version: ProtocolVersion::DTLS1_2,
            random: &self.random,
            session_id: &[],
            cookie: &self.legacy_cookie,
            suites: U16List(&lists.suites),
            compression: &[COMPRESSION_NULL],
            extensions: Extensions {
                supported_groups: with_groups.then_some(U16List(&lists.groups)),
                ec_point_formats: settings.uses_groups12().then_some(&[POINT_FORMAT_UNCOMPRESSED]),
                extended_master_secret: settings.speaks12(),
                supported_versions: with13.then_some(U16List(&lists.versions)),
                cookie: self.cookie.as_deref(),
                psk_modes: with13.then_some(&modes),
                // Groups never go without shares, if only an empty list of them (RFC 8446 §9.2).
                key_shares: (with13 && with_groups).then_some(KeyShares(&lists.shares)),
                offered_psks: psks,
                ..Extensions::default()
            },
        }
        .write(w)
    }
}

/// The lists of a hello as they stand on the wire.
struct Lists {
    suites: Vec<u8>,
    groups: Vec<u8>,
    versions: Vec<u8>,
    shares: Vec<u8>,
}

impl Lists {
    fn new(settings: &Settings, offer: &Offer) -> Self {
        let mut suites: Vec<u16> = settings.suites13.iter().map(|s| s.id.0).collect();
        suites.extend(settings.suites12.iter().map(|s| s.id.0));
        let mut versions = Vec::new();
        if settings.speaks13() {
            versions.push(ProtocolVersion::DTLS1_3.0);
        }
        if settings.speaks12() {
            versions.push(ProtocolVersion::DTLS1_2.0);
            // The signalling suite is three bytes shorter than the empty extension (RFC 5746 §3.3).
            suites.push(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0);
        }
        let shares = offer.share.as_ref().and_then(|own| {
            let entry = KeyShareEntry { group: own.group, public_key: own.public_key() };
            encode_to_vec(|w| entry.write(w)).ok()
        });
        Self {
            suites: bytes(suites),
            groups: bytes(settings.groups.iter().map(|g| g.0)),
            versions: bytes(versions),
            shares: shares.unwrap_or_default(),
        }
    }
}

fn bytes(values: impl IntoIterator<Item = u16>) -> Vec<u8> {
    values.into_iter().flat_map(u16::to_be_bytes).collect()
}
