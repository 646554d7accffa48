//! Key shares and pre-shared keys as they stand in the extensions of DTLS 1.3 hellos (RFC 8446 §4.2.8, §4.2.11).

use super::{
    codec::{Full, Reader, Writer},
    enums::NamedGroup,
};
use crate::error::DecodeError;

/// Bounds of a PskBinderEntry (RFC 8446 §4.2.11).
const BINDER_LEN: core::ops::RangeInclusive<usize> = 32..=255;

/// A public key and its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyShareEntry<'a> {
    pub(crate) group: NamedGroup,
    pub(crate) public_key: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let group = NamedGroup(r.u16()?);
        let public_key = r.vec16()?;
        if public_key.is_empty() { Err(DecodeError::Length) } else { Ok(Self { group, public_key }) }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.u16(self.group.0)?;
        w.nested16(|w| w.bytes(self.public_key))
    }
}

/// The key shares of a ClientHello, checked when read: entries are well-formed. May be empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyShares<'a>(pub(crate) &'a [u8]);

impl<'a> KeyShares<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let list = r.vec16()?;
        let mut entries = Reader::new(list);
        while !entries.is_empty() {
            KeyShareEntry::read(&mut entries)?;
        }
        Ok(Self(list))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.0))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = KeyShareEntry<'a>> + use<'a> {
        let mut entries = Reader::new(self.0);
        core::iter::from_fn(move || KeyShareEntry::read(&mut entries).ok())
    }
}

/// One identity of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OfferedIdentity<'a> {
    pub(crate) identity: &'a [u8],
    /// 0 for keys that were not made by a ticket (RFC 8446 §4.2.11).
    pub(crate) obfuscated_age: u32,
}

impl<'a> OfferedIdentity<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let identity = r.vec16()?;
        let [a, b, c, d] = *r.array()?;
        if identity.is_empty() {
            return Err(DecodeError::Length);
        }
        Ok(Self { identity, obfuscated_age: u32::from_be_bytes([a, b, c, d]) })
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.identity))?;
        w.bytes(&self.obfuscated_age.to_be_bytes())
    }
}

/// Identities and their binders, checked when read: entries are well-formed, and there are as many binders as identities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OfferedPsks<'a> {
    pub(crate) identities: &'a [u8],
    pub(crate) binders: &'a [u8],
}

impl<'a> OfferedPsks<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let psks = Self { identities: r.vec16()?, binders: r.vec16()? };
        let (mut identities, mut binders) = (Reader::new(psks.identities), Reader::new(psks.binders));
        loop {
            OfferedIdentity::read(&mut identities)?;
            binders.vec8_within(BINDER_LEN)?;
            if identities.is_empty() {
                return binders.finish().map(|()| psks);
            }
        }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.identities))?;
        w.nested16(|w| w.bytes(self.binders))
    }

    /// Each identity with its binder.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (OfferedIdentity<'a>, &'a [u8])> + use<'a> {
        let (mut identities, mut binders) = (Reader::new(self.identities), Reader::new(self.binders));
        core::iter::from_fn(move || {
            Some((OfferedIdentity::read(&mut identities).ok()?, binders.vec8().ok()?))
        })
    }

    /// Bytes at the end of a ClientHello that its binders do not cover: the list of binders with its length.
    pub(crate) const fn uncovered(&self) -> usize {
        self.binders.len().saturating_add(2)
    }
}
