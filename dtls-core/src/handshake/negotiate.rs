//! Choosing among what both sides offer: pure functions.

use crate::{
    config::Settings,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    handshake::suites::{KeyExchange12, Suite12},
    wire::{
        enums::{CipherSuite, NamedGroup},
        extensions::Extensions,
        hello::ClientHello,
    },
};

/// The uncompressed point format (RFC 8422 §5.1.2).
pub(crate) const POINT_FORMAT_UNCOMPRESSED: u8 = 0;
/// The only compression method ever used (RFC 5246 §7.4.1.2).
pub(crate) const COMPRESSION_NULL: u8 = 0;

/// What a server picked for a ClientHello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    pub(crate) suite: &'static Suite12,
    /// For suites with ephemeral keys.
    pub(crate) group: Option<NamedGroup>,
}

/// Picks suite and group by the server's order of preference.
///
/// # Errors
/// [`PeerIncompatible`] if nothing is in common.
pub(crate) fn select(settings: &Settings, hello: &ClientHello<'_>) -> Result<Selection, Error> {
    let group = select_group(settings, &hello.extensions);
    let mut common = settings.suites.iter().copied().filter(|s| hello.suites.contains(s.id.0)).peekable();
    if common.peek().is_none() {
        return Err(PeerIncompatible::NoCommonSuite.into());
    }
    for suite in common {
        match (suite.kx, group) {
            (KeyExchange12::Psk, _) => return Ok(Selection { suite, group: None }),
            (KeyExchange12::EcdhePsk, Some(group)) => return Ok(Selection { suite, group: Some(group) }),
            (KeyExchange12::EcdhePsk, None) => {}
        }
    }
    Err(PeerIncompatible::NoCommonGroup.into())
}

/// A client that names no groups may be given any (RFC 8422 §4); P-256 is the one every client has.
fn select_group(settings: &Settings, extensions: &Extensions<'_>) -> Option<NamedGroup> {
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
