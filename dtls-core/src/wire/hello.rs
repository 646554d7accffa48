//! ClientHello, ServerHello and HelloVerifyRequest (RFC 5246 §7.4.1, RFC 6347 §4.2.1).
//!
//! Versions, suites and compression methods are read, not judged.

use super::{
    codec::{Full, Reader, Writer},
    enums::{CipherSuite, ExtensionType, ProtocolVersion},
    extensions::{ExtensionContext, Extensions, U16List, block_has},
};
use crate::error::DecodeError;

/// The longest SessionID, in bytes (RFC 5246 §7.4.1.2).
const MAX_SESSION_ID: usize = 32;

/// ClientHello with the cookie of DTLS. An extensions block may follow although RFC 6347 does not show it (erratum 3917).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: &'a [u8; 32],
    /// 0 to 32 bytes.
    pub(crate) session_id: &'a [u8],
    /// 0 to 255 bytes.
    pub(crate) cookie: &'a [u8],
    /// Cipher suites, most wanted first.
    pub(crate) suites: U16List<'a>,
    /// Compression methods, 1 to 255.
    pub(crate) compression: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| {
            Ok(Self {
                version: ProtocolVersion(r.u16()?),
                random: r.array()?,
                session_id: r.vec8_within(0..=MAX_SESSION_ID)?,
                cookie: r.vec8()?,
                suites: U16List::read(r)?,
                compression: r.vec8_within(1..=255)?,
                extensions: Extensions::parse(ExtensionContext::ClientHello, r)?,
            })
        })
    }

    /// The same fields always give the same bytes, so the hello can be repeated with another cookie and nothing else changed
    /// (RFC 6347 §4.2.1).
    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.u16(self.version.0)?;
        w.bytes(self.random)?;
        w.nested8(|w| w.bytes(self.session_id))?;
        w.nested8(|w| w.bytes(self.cookie))?;
        self.suites.write(w)?;
        w.nested8(|w| w.bytes(self.compression))?;
        self.extensions.write(w)
    }
}

/// The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 §4.1.3).
pub(crate) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// ServerHello of either version, or HelloRetryRequest, which has its shape (RFC 8446 §4.1.3, §4.1.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: &'a [u8; 32],
    /// 0 to 32 bytes.
    pub(crate) session_id: &'a [u8],
    pub(crate) suite: CipherSuite,
    pub(crate) compression: u8,
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| {
            let version = ProtocolVersion(r.u16()?);
            let random: &[u8; 32] = r.array()?;
            let is_retry = *random == RETRY_RANDOM;
            Ok(Self {
                version,
                random,
                session_id: r.vec8_within(0..=MAX_SESSION_ID)?,
                suite: CipherSuite(r.u16()?),
                compression: r.u8()?,
                extensions: {
                    let block = r.peek();
                    let context = if !block_has(block, ExtensionType::SUPPORTED_VERSIONS) {
                        ExtensionContext::ServerHello12
                    } else if is_retry {
                        ExtensionContext::HelloRetryRequest
                    } else {
                        ExtensionContext::ServerHello13
                    };
                    Extensions::parse(context, r)?
                },
            })
        })
    }

    /// Whether this is a HelloRetryRequest.
    pub(crate) fn is_retry(&self) -> bool {
        self.extensions.selected_version.is_some() && *self.random == RETRY_RANDOM
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.u16(self.version.0)?;
        w.bytes(self.random)?;
        w.nested8(|w| w.bytes(self.session_id))?;
        w.u16(self.suite.0)?;
        w.u8(self.compression)?;
        self.extensions.write(w)
    }
}

/// HelloVerifyRequest. Its version says nothing about the one that is negotiated (RFC 6347 §4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HelloVerifyRequest<'a> {
    pub(crate) version: ProtocolVersion,
    /// 0 to 255 bytes.
    pub(crate) cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| Ok(Self { version: ProtocolVersion(r.u16()?), cookie: r.vec8()? }))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.u16(self.version.0)?;
        w.nested8(|w| w.bytes(self.cookie))
    }
}

#[cfg(test)]
mod tests;
