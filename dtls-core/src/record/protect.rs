//! How one epoch protects its records: nonce, associated data, header form and expansion.
//!
//! This is the seam between versions. Everything above asks the epoch, never the connection.

use crate::{
    crypto::{CryptoError, KeyBox, NONCE_LEN},
    error::Discard,
    wire::{
        enums::ProtocolVersion,
        record::{HEADER_LEN, MAX_PLAINTEXT, RecordHeader},
    },
};

/// Length of the explicit part of an AES nonce in a DTLS 1.2 record (RFC 5288 §3).
const EXPLICIT_NONCE_LEN: usize = 8;

/// Bytes a record adds before and after its plaintext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Overhead {
    /// Header and explicit nonce, before the plaintext.
    pub head: usize,
    /// Authentication tag, after the plaintext.
    pub tail: usize,
}

impl Overhead {
    /// All bytes a record adds.
    pub const fn total(self) -> usize {
        self.head.saturating_add(self.tail)
    }
}

/// The protection of one epoch in one direction.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) enum Protection {
    /// Epoch 0: none.
    Plain,
    /// DTLS 1.2 AEAD (RFC 6347 §4.1.2, RFC 5246 §6.2.3.3).
    V12(Aead12),
    /// DTLS 1.3 (RFC 9147 §4).
    V13(super::protect13::Aead13),
}

/// What decides the form of a record's header besides its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// Nothing follows the record in its datagram, so that its length can go unsaid (DTLS 1.3).
    pub(crate) last: bool,
    /// The sequence number takes 16 bits, not 8 (DTLS 1.3).
    pub(crate) wide: bool,
}

/// Keys of a DTLS 1.2 epoch.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct Aead12 {
    pub(crate) key: KeyBox,
    pub(crate) nonce: Nonce12,
    pub(crate) tag_len: usize,
}

/// The two ways DTLS 1.2 makes nonces.
#[derive(Clone)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Nonce12 {
    /// 4-byte salt and 8 explicit bytes carried in the record (RFC 5288 §3, RFC 6655 §3).
    Explicit([u8; 4]),
    /// 12-byte IV exclusive-or the record number; nothing carried (RFC 7905 §2).
    Implicit([u8; NONCE_LEN]),
}

impl Drop for Nonce12 {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        match self {
            Self::Explicit(salt) => salt.zeroize(),
            Self::Implicit(iv) => iv.zeroize(),
        }
    }
}

impl Protection {
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Opens the body of a record with the 13-byte header in place and returns the plaintext.
    ///
    /// # Errors
    /// [`Discard`] with the reason; `body` then holds nothing of use.
    pub(crate) fn open_legacy<'d>(
        &self,
        header: &RecordHeader,
        body: &'d mut [u8],
    ) -> Result<&'d mut [u8], Discard> {
        let plaintext = match self {
            Self::Plain => body,
            Self::V12(keys) => keys.open(header, body)?,
            Self::V13(_) => return Err(Discard::WrongVersion),
        };
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Discard::TooLong);
        }
        Ok(plaintext)
    }

    pub(crate) const fn overhead(&self, form: Form) -> Overhead {
        match self {
            Self::Plain => Overhead { head: HEADER_LEN, tail: 0 },
            Self::V12(keys) => {
                Overhead { head: HEADER_LEN.saturating_add(keys.nonce.explicit_len()), tail: keys.tag_len }
            }
            Self::V13(keys) => keys.overhead(form),
        }
    }

    /// The length of a record with `length` bytes of plaintext, with the padding that short ones need.
    pub(crate) const fn record_len(&self, form: Form, length: usize) -> usize {
        let padding = match self {
            Self::Plain | Self::V12(_) => 0,
            Self::V13(keys) => keys.padding(length),
        };
        self.overhead(form).total().saturating_add(length).saturating_add(padding)
    }

    /// Whether the level of an alert under these keys says whether it is fatal (RFC 5246 §7.2, RFC 8446 §6).
    pub(crate) const fn alert_levels_count(&self) -> bool {
        !matches!(self, Self::V13(_))
    }

    /// Most records this key may protect.
    pub(crate) const fn confidentiality_limit(&self) -> u64 {
        match self {
            // DTLS 1.2 names no limit below the wrap of the number (RFC 6347 §4.1).
            Self::Plain | Self::V12(_) => u64::MAX,
            Self::V13(keys) => keys.algorithm.confidentiality_limit(),
        }
    }

    /// Most records that may fail to authenticate under this key.
    pub(crate) const fn integrity_limit(&self) -> u64 {
        match self {
            Self::Plain | Self::V12(_) => u64::MAX,
            Self::V13(keys) => keys.algorithm.integrity_limit(),
        }
    }

    /// Turns the first bytes of `out` into a record: the caller has put `length` bytes of plaintext at offset
    /// `overhead(form).head`. Returns the record's length.
    ///
    /// # Errors
    /// [`CryptoError`] if `out` is too short or the provider failed.
    pub(crate) fn seal(
        &self,
        header: &RecordHeader,
        form: Form,
        out: &mut [u8],
        length: usize,
    ) -> Result<usize, CryptoError> {
        match self {
            Self::Plain => seal_legacy(header, self.overhead(form), out, length, |_, _, _| Ok(())),
            Self::V12(keys) => {
                seal_legacy(header, self.overhead(form), out, length, |explicit, body, tag| {
                    keys.seal(header, explicit, body, tag)
                })
            }
            Self::V13(keys) => keys.seal(header.typ, header.number, form, out, length),
        }
    }
}

/// Lays out a record with the 13-byte header around a body in place.
fn seal_legacy(
    header: &RecordHeader,
    overhead: Overhead,
    out: &mut [u8],
    length: usize,
    seal: impl FnOnce(&mut [u8], &mut [u8], &mut [u8]) -> Result<(), CryptoError>,
) -> Result<usize, CryptoError> {
    let total = overhead.total().saturating_add(length);
    let record = out.get_mut(..total).ok_or(CryptoError)?;
    let (head, rest) = record.split_at_mut_checked(overhead.head).ok_or(CryptoError)?;
    let (body, tag) = rest.split_at_mut_checked(length).ok_or(CryptoError)?;
    let (front, explicit) = head.split_first_chunk_mut::<HEADER_LEN>().ok_or(CryptoError)?;
    let on_wire = u16::try_from(total.saturating_sub(HEADER_LEN)).map_err(|_| CryptoError)?;
    *front = header.encode(on_wire);
    seal(explicit, body, tag)?;
    Ok(total)
}

impl Nonce12 {
    const fn explicit_len(&self) -> usize {
        match self {
            Self::Explicit(_) => EXPLICIT_NONCE_LEN,
            Self::Implicit(_) => 0,
        }
    }

    /// The nonce of a record, given the eight bytes that vary.
    fn nonce(&self, varying: [u8; 8]) -> [u8; NONCE_LEN] {
        let mut nonce = match self {
            Self::Explicit([a, b, c, d]) => [*a, *b, *c, *d, 0, 0, 0, 0, 0, 0, 0, 0],
            Self::Implicit(iv) => *iv,
        };
        for (byte, with) in nonce.iter_mut().skip(4).zip(varying) {
            *byte ^= with;
        }
        nonce
    }
}

impl Aead12 {
    fn open<'d>(&self, header: &RecordHeader, body: &'d mut [u8]) -> Result<&'d mut [u8], Discard> {
        if header.version != ProtocolVersion::DTLS1_2 {
            return Err(Discard::WrongVersion);
        }
        // The receiver takes the explicit nonce as it comes; it need not be the record number (RFC 5246 §6.2.3.3).
        let (varying, rest) = match self.nonce {
            Nonce12::Explicit(_) => {
                let (explicit, rest) = body.split_first_chunk_mut::<8>().ok_or(Discard::Malformed)?;
                (*explicit, rest)
            }
            Nonce12::Implicit(_) => (header.number.to_be_bytes(), body),
        };
        let length = rest.len().checked_sub(self.tag_len).ok_or(Discard::Malformed)?;
        let (plaintext, tag) = rest.split_at_mut_checked(length).ok_or(Discard::Malformed)?;
        let aad = aad12(header, plaintext.len()).ok_or(Discard::TooLong)?;
        let nonce = self.nonce.nonce(varying);
        self.key.open(&nonce, &aad, plaintext, tag).map_err(|CryptoError| Discard::BadTag)?;
        Ok(plaintext)
    }

    fn seal(
        &self,
        header: &RecordHeader,
        explicit: &mut [u8],
        body: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        // RFC 6655 §3 and RFC 7925 §3.4: the explicit nonce is the record number, so it cannot repeat.
        let varying = header.number.to_be_bytes();
        if let Some(slot) = explicit.first_chunk_mut::<8>() {
            *slot = varying;
        }
        let aad = aad12(header, body.len()).ok_or(CryptoError)?;
        self.key.seal(&self.nonce.nonce(varying), &aad, body, tag)
    }
}

/// seq_num || type || version || plaintext length (RFC 5246 §6.2.3.3, with epoch in seq_num by RFC 6347 §4.1.2.1).
fn aad12(header: &RecordHeader, length: usize) -> Option<[u8; HEADER_LEN]> {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = header.number.to_be_bytes();
    let [v0, v1] = header.version.0.to_be_bytes();
    let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
    Some([n0, n1, n2, n3, n4, n5, n6, n7, header.typ.0, v0, v1, l0, l1])
}

impl core::fmt::Debug for Protection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::V12(_) => "V12(keys)",
            Self::V13(_) => "V13(keys)",
        })
    }
}

/// Keys are compared by their nonce part: it comes out of the same key block as the key.
#[cfg(feature = "__model")]
impl core::hash::Hash for Protection {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Plain => 0u8.hash(state),
            Self::V12(keys) => (1u8, &keys.nonce, keys.tag_len).hash(state),
            Self::V13(keys) => (2u8, &keys.iv, keys.algorithm).hash(state),
        }
    }
}

#[cfg(test)]
mod exhaustive;
