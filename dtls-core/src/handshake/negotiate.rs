//! Choosing among what both sides offer: pure functions.

use crate::{
    config::{ServerConfig, Settings},
    error::{Error, PeerIncompatible, PeerMisbehaved},
    handshake::suites::{KeyExchange12, Suite12, Suite13},
    psk::PskMode,
    wire::{
        enums::{CipherSuite, NamedGroup, ProtocolVersion},
        extensions::Extensions,
        hello::ClientHello,
    },
};

/// The uncompressed point format (RFC 8422 §5.1.2).
pub(crate) const POINT_FORMAT_UNCOMPRESSED: u8 = 0;
/// The only compression method ever used (RFC 5246 §7.4.1.2).
pub(crate) const COMPRESSION_NULL: u8 = 0;

/// The last bytes of a server's random value when a newer version was possible: than 1.2, and than 1.1 (RFC 8446 §4.1.3).
pub(crate) const DOWNGRADE_SENTINELS: [[u8; 8]; 2] = [*b"DOWNGRD\x01", *b"DOWNGRD\x00"];

/// The newest version both sides speak (RFC 8446 §4.2.1). A client that names none in the extension speaks what the hello's
/// own field says, and everything older; DTLS versions count downwards.
pub(crate) fn choose_version(settings: &Settings, hello: &ClientHello<'_>) -> Option<ProtocolVersion> {
    let offers = |version: ProtocolVersion| match &hello.extensions.supported_versions {
        Some(versions) => versions.contains(version.0),
        None => version == ProtocolVersion::DTLS1_2 && hello.version.0 <= version.0,
    };
    let spoken =
        [(ProtocolVersion::DTLS1_3, settings.speaks13()), (ProtocolVersion::DTLS1_2, settings.speaks12())];
    spoken.into_iter().find(|(version, ours)| *ours && offers(*version)).map(|(version, _)| version)
}

/// What a server picked for a ClientHello of DTLS 1.3. A function of configuration and hello alone, so that a listener
/// without memory comes to the same result for both hellos of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Selection13 {
    pub(crate) suite: &'static Suite13,
    /// For an ephemeral key exchange.
    pub(crate) group: Option<NamedGroup>,
}

/// Checks the fields that DTLS 1.3 has no use for (RFC 9147 §5.3).
pub(crate) fn check_legacy13(hello: &ClientHello<'_>) -> Result<(), Error> {
    if !hello.cookie.is_empty() {
        return Err(PeerMisbehaved::NonEmptyLegacyCookie.into());
    }
    if hello.compression != [COMPRESSION_NULL] {
        return Err(PeerMisbehaved::NoNullCompression.into());
    }
    Ok(())
}

/// Picks suite, mode and group of DTLS 1.3 by the server's order of preference.
///
/// # Errors
/// [`PeerIncompatible`] if nothing is in common; [`PeerMisbehaved::MissingExtension`] if the hello lacks what it needs.
pub(crate) fn select13(config: &ServerConfig, hello: &ClientHello<'_>) -> Result<Selection13, Error> {
    let (settings, extensions) = (&config.settings, &hello.extensions);
    // Neither goes without the other, whatever is chosen (RFC 9846 §9.2).
    if extensions.supported_groups.is_some() != extensions.key_shares.is_some() {
        return Err(PeerMisbehaved::MissingExtension.into());
    }
    let psks = extensions.offered_psks.as_ref().ok_or(PeerIncompatible::NoPskOffered)?;
    // RFC 8446 §4.2.9: pre_shared_key without modes is an error.
    let modes = extensions.psk_modes.ok_or(PeerMisbehaved::MissingExtension)?;
    // A binder is as long as the hash its key belongs to.
    let bound = |suite: &&Suite13| {
        hello.suites.contains(suite.id.0)
            && psks.iter().any(|(_, binder)| binder.len() == suite.hash.digest_len())
    };
    let known = |suite: &&Suite13| {
        psks.iter().any(|(offered, _)| config.psks.may_know13(offered.identity, suite.hash))
    };
    let common = settings.suites13.iter().copied().filter(bound);
    // Without a key that is known the handshake goes on until the server looks for one: a listener does not say which it has.
    let suite = common.clone().find(known).or_else(|| common.clone().next());
    let suite = suite.ok_or(PeerIncompatible::NoCommonSuite)?;
    let mut lacks_group = false;
    for mode in settings.psk_modes.iter().filter(|m| modes.contains(&m.code())) {
        match mode {
            PskMode::PskOnly => return Ok(Selection13 { suite, group: None }),
            PskMode::PskDhe => match select_group13(settings, extensions)? {
                Some(group) => return Ok(Selection13 { suite, group: Some(group) }),
                None => lacks_group = true,
            },
        }
    }
    Err(if lacks_group { PeerIncompatible::NoCommonGroup } else { PeerIncompatible::NoCommonPskMode }.into())
}

/// The most wanted group for which the client has sent a key; without one, the most wanted that it speaks at all
/// (RFC 8446 §4.2.8).
fn select_group13(settings: &Settings, extensions: &Extensions<'_>) -> Result<Option<NamedGroup>, Error> {
    let (Some(groups), Some(shares)) = (&extensions.supported_groups, &extensions.key_shares) else {
        return Err(PeerMisbehaved::MissingExtension.into());
    };
    let mut common = settings.groups.iter().copied().filter(|g| groups.contains(g.0));
    let first = common.clone().next();
    let shared = common.find(|g| shares.iter().any(|share| share.group == *g));
    Ok(shared.or(first))
}

/// What a server picked for a ClientHello of DTLS 1.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection12 {
    pub(crate) suite: &'static Suite12,
    /// For suites with ephemeral keys.
    pub(crate) group: Option<NamedGroup>,
}

/// Picks suite and group of DTLS 1.2 by the server's order of preference.
///
/// # Errors
/// [`PeerIncompatible`] if nothing is in common.
pub(crate) fn select12(settings: &Settings, hello: &ClientHello<'_>) -> Result<Selection12, Error> {
    let group = select_group12(settings, &hello.extensions);
    let mut common = settings.suites12.iter().copied().filter(|s| hello.suites.contains(s.id.0)).peekable();
    if common.peek().is_none() {
        return Err(PeerIncompatible::NoCommonSuite.into());
    }
    for suite in common {
        match (suite.kx, group) {
            (KeyExchange12::Psk, _) => return Ok(Selection12 { suite, group: None }),
            (KeyExchange12::EcdhePsk, Some(group)) => return Ok(Selection12 { suite, group: Some(group) }),
            (KeyExchange12::EcdhePsk, None) => {}
        }
    }
    Err(PeerIncompatible::NoCommonGroup.into())
}

/// A client that names no groups may be given any (RFC 8422 §4); P-256 is the one every client has.
fn select_group12(settings: &Settings, extensions: &Extensions<'_>) -> Option<NamedGroup> {
    match &extensions.supported_groups {
        Some(offered) => settings.groups.iter().copied().find(|g| offered.contains(g.0)),
        None => settings.groups.iter().copied().find(|g| *g == NamedGroup::SECP256R1),
    }
}

/// Whether the client can renegotiate securely, by extension or signalling suite (RFC 5746 §3.6), and whether the extension,
/// if present, is empty as an initial handshake requires.
pub(crate) fn check_renegotiation_info(hello: &ClientHello<'_>) -> Result<bool, Error> {
    match hello.extensions.renegotiation_info {
        Some([]) => Ok(true),
        Some(_) => Err(PeerMisbehaved::NonEmptyRenegotiationInfo.into()),
        None => Ok(hello.suites.contains(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0)),
    }
}

/// Whether a list of point formats, if present, has the uncompressed one (RFC 8422 §5.1.2).
pub(crate) fn check_point_formats(extensions: &Extensions<'_>) -> Result<(), Error> {
    match extensions.ec_point_formats {
        Some(formats) if !formats.contains(&POINT_FORMAT_UNCOMPRESSED) => {
            Err(PeerMisbehaved::NoUncompressedPointFormat.into())
        }
        _ => Ok(()),
    }
}
