//! ClientHello, ServerHello and HelloVerifyRequest (RFC 5246 §7.4.1, RFC 6347 §4.2.1).
//!
//! Versions, suites and compression methods are read, not judged.

use super::{
    codec::{Full, Reader, Writer},
    enums::{CipherSuite, ProtocolVersion},
    extensions::{ExtensionContext, Extensions, U16List},
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

/// ServerHello.
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
            Ok(Self {
                version: ProtocolVersion(r.u16()?),
                random: r.array()?,
                session_id: r.vec8_within(0..=MAX_SESSION_ID)?,
                suite: CipherSuite(r.u16()?),
                compression: r.u8()?,
                extensions: Extensions::parse(ExtensionContext::ServerHello12, r)?,
            })
        })
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
