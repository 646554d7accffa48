//! Key exchange messages of DTLS 1.2 with pre-shared keys: PSK (RFC 4279 §2) and ECDHE_PSK (RFC 5489 §2).
//!
//! Which of them a ServerKeyExchange or ClientKeyExchange holds follows from the cipher suite, not from its bytes.

use core::ops::RangeInclusive;

use super::{
    codec::{Full, Reader, Writer},
    enums::NamedGroup,
};
use crate::error::DecodeError;

/// ECCurveType named_curve (RFC 8422 §5.4), the only one that is not deprecated.
const NAMED_CURVE: u8 = 3;

/// ECPoint is opaque point<1..2^8-1> (RFC 8422 §5.4).
const POINT_LEN: RangeInclusive<usize> = 1..=255;

/// ServerKeyExchange of plain PSK. The server leaves the message out if it has no hint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PskHint<'a> {
    /// 0 to 65,535 bytes.
    pub(crate) hint: &'a [u8],
}

impl<'a> PskHint<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| Ok(Self { hint: r.vec16()? }))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.hint))
    }
}

/// ServerKeyExchange of ECDHE_PSK. It is not signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EcdhePskParams<'a> {
    /// 0 to 65,535 bytes; empty if the server has none.
    pub(crate) hint: &'a [u8],
    pub(crate) group: NamedGroup,
    /// 1 to 255 bytes, in the group's own encoding.
    pub(crate) public_key: &'a [u8],
}

impl<'a> EcdhePskParams<'a> {
    /// A curve_type other than named_curve is [`DecodeError::Value`].
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| {
            let hint = r.vec16()?;
            if r.u8()? != NAMED_CURVE {
                return Err(DecodeError::Value);
            }
            Ok(Self { hint, group: NamedGroup(r.u16()?), public_key: r.vec8_within(POINT_LEN)? })
        })
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.hint))?;
        w.u8(NAMED_CURVE)?;
        w.u16(self.group.0)?;
        w.nested8(|w| w.bytes(self.public_key))
    }
}

/// ClientKeyExchange of plain PSK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PskIdentity<'a> {
    /// 0 to 65,535 bytes.
    pub(crate) identity: &'a [u8],
}

impl<'a> PskIdentity<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| Ok(Self { identity: r.vec16()? }))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.identity))
    }
}

/// ClientKeyExchange of ECDHE_PSK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EcdhePskIdentity<'a> {
    /// 0 to 65,535 bytes.
    pub(crate) identity: &'a [u8],
    /// 1 to 255 bytes, in the group's own encoding.
    pub(crate) public_key: &'a [u8],
}

impl<'a> EcdhePskIdentity<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all(body, |r| Ok(Self { identity: r.vec16()?, public_key: r.vec8_within(POINT_LEN)? }))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.identity))?;
        w.nested8(|w| w.bytes(self.public_key))
    }
}

/// ServerHelloDone is empty (RFC 5246 §7.4.5).
pub(crate) const fn parse_server_hello_done(body: &[u8]) -> Result<(), DecodeError> {
    Reader::new(body).finish()
}

#[cfg(test)]
mod tests;
