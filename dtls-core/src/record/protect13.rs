//! How a DTLS 1.3 epoch protects its records (RFC 9147 §4): unified header, masked number, inner content type, padding.

use zeroize::Zeroize;

use super::{
    number::{MAX_SEQ, RecordNumber, reconstruct},
    protect::{Form, Overhead},
};
use crate::{
    crypto::{AeadAlgorithm, CryptoError, KeyBox, MASK_SAMPLE_LEN, MaskBox, NONCE_LEN},
    error::Discard,
    wire::{
        enums::ContentType,
        record::{MAX_PLAINTEXT, UnifiedFlags},
    },
};

/// The mask is made of the first 16 bytes of ciphertext, so there must be as many (RFC 9147 §4.2.3).
const MIN_CIPHERTEXT: usize = MASK_SAMPLE_LEN;
/// The content type behind the plaintext.
const INNER_TYPE_LEN: usize = 1;

/// Keys of a DTLS 1.3 epoch.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct Aead13 {
    pub(crate) key: KeyBox,
    pub(crate) mask: MaskBox,
    pub(crate) iv: Iv,
    pub(crate) algorithm: AeadAlgorithm,
}

/// The static part of the nonce.
#[derive(Clone)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Iv(pub(crate) [u8; NONCE_LEN]);

impl Drop for Iv {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An opened record: what it really is, and its whole number.
pub(super) struct Inner<'d> {
    pub(super) typ: ContentType,
    pub(super) seq: u64,
    pub(super) body: &'d mut [u8],
}

impl Aead13 {
    pub(super) const fn overhead(&self, form: Form) -> Overhead {
        let number = if form.wide { 2 } else { 1 };
        let length = if form.last { 0 } else { 2 };
        let tail = INNER_TYPE_LEN.saturating_add(self.algorithm.tag_len());
        Overhead { head: 1usize.saturating_add(number).saturating_add(length), tail }
    }

    /// Zeros needed behind `length` bytes of plaintext so that the number can be masked.
    pub(super) const fn padding(&self, length: usize) -> usize {
        let plain = length.saturating_add(INNER_TYPE_LEN).saturating_add(self.algorithm.tag_len());
        MIN_CIPHERTEXT.saturating_sub(plain)
    }

    /// Unmasks and opens a record in place. `expected` is one more than the highest number opened in this epoch.
    pub(super) fn open<'d>(
        &self,
        epoch: u16,
        expected: u64,
        header: &mut [u8],
        body: &'d mut [u8],
    ) -> Result<Inner<'d>, Discard> {
        let low = self.unmask(header, body)?;
        let seq = reconstruct(expected, low.value, low.bits);
        if seq > MAX_SEQ {
            return Err(Discard::Malformed);
        }
        let length = body.len().checked_sub(self.algorithm.tag_len()).ok_or(Discard::Malformed)?;
        let (plaintext, tag) = body.split_at_mut_checked(length).ok_or(Discard::Malformed)?;
        let nonce = self.nonce(RecordNumber::new(epoch, seq));
        self.key.open(&nonce, header, plaintext, tag).map_err(|CryptoError| Discard::BadTag)?;
        strip_padding(plaintext).map(|(typ, body)| Inner { typ, seq, body })
    }

    /// Turns the first bytes of `out` into a record, as [`super::protect::Protection::seal`].
    pub(super) fn seal(
        &self,
        typ: ContentType,
        number: RecordNumber,
        form: Form,
        out: &mut [u8],
        length: usize,
    ) -> Result<usize, CryptoError> {
        let overhead = self.overhead(form);
        let padding = self.padding(length);
        let total = overhead.total().saturating_add(length).saturating_add(padding);
        let record = out.get_mut(..total).ok_or(CryptoError)?;
        let (header, rest) = record.split_at_mut_checked(overhead.head).ok_or(CryptoError)?;
        let flags = write_header(header, number, form, rest.len()).ok_or(CryptoError)?;
        let inner_len = length.saturating_add(INNER_TYPE_LEN).saturating_add(padding);
        let (inner, tag) = rest.split_at_mut_checked(inner_len).ok_or(CryptoError)?;
        let behind = inner.get_mut(length..).ok_or(CryptoError)?;
        behind.fill(0);
        *behind.first_mut().ok_or(CryptoError)? = typ.0;
        self.key.seal(&self.nonce(number), header, inner, tag)?;
        let sample = *rest.first_chunk().ok_or(CryptoError)?;
        self.apply_mask(flags, header, &sample);
        Ok(total)
    }

    /// Takes the mask off the number in `header` and reads it.
    fn unmask(&self, header: &mut [u8], body: &[u8]) -> Result<Low, Discard> {
        let sample = body.first_chunk().ok_or(Discard::Malformed)?;
        let flags = UnifiedFlags(*header.first().ok_or(Discard::Malformed)?);
        self.apply_mask(flags, header, sample);
        match (flags.number_len(), &*header) {
            (1, [_, n, ..]) => Ok(Low { value: u64::from(*n), bits: 8 }),
            (2, [_, n0, n1, ..]) => Ok(Low { value: u64::from(u16::from_be_bytes([*n0, *n1])), bits: 16 }),
            _ => Err(Discard::Malformed),
        }
    }

    /// Puts the mask onto the number, or takes it off. Nothing else of the header is masked (RFC 9147 §4.2.3).
    fn apply_mask(&self, flags: UnifiedFlags, header: &mut [u8], sample: &[u8; MASK_SAMPLE_LEN]) {
        let mask = self.mask.mask(sample);
        for (byte, with) in header.iter_mut().skip(1).take(flags.number_len()).zip(mask) {
            *byte ^= with;
        }
    }

    /// The IV exclusive-or the 64-bit sequence number; the epoch is not in it (rfc9147bis §4).
    fn nonce(&self, number: RecordNumber) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv.0;
        for (byte, with) in nonce.iter_mut().skip(4).zip(number.seq().to_be_bytes()) {
            *byte ^= with;
        }
        nonce
    }
}

/// The low bits of a sequence number, as they stand in a header.
struct Low {
    value: u64,
    bits: u32,
}

/// Writes the header with its number still clear: that is the associated data (RFC 9147 §4).
fn write_header(header: &mut [u8], number: RecordNumber, form: Form, length: usize) -> Option<UnifiedFlags> {
    let flags = UnifiedFlags::new(number.epoch(), form.wide, !form.last);
    let [.., n0, n1] = number.seq().to_be_bytes();
    let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
    match (form.wide, form.last, header) {
        (false, true, [f, n]) => (*f, *n) = (flags.0, n1),
        (true, true, [f, a, b]) => (*f, *a, *b) = (flags.0, n0, n1),
        (false, false, [f, n, a, b]) => (*f, *n, *a, *b) = (flags.0, n1, l0, l1),
        (true, false, [f, m, n, a, b]) => (*f, *m, *n, *a, *b) = (flags.0, n0, n1, l0, l1),
        _ => return None,
    }
    Some(flags)
}

/// Splits DTLSInnerPlaintext: the last byte that is not zero is the content type. Padding does not change how long it may be
/// (RFC 8446 §5.4).
fn strip_padding(inner: &mut [u8]) -> Result<(ContentType, &mut [u8]), Discard> {
    if inner.len() > MAX_PLAINTEXT.saturating_add(INNER_TYPE_LEN) {
        return Err(Discard::TooLong);
    }
    let end = inner.iter().rposition(|b| *b != 0).ok_or(Discard::NoContentType)?;
    let (body, rest) = inner.split_at_mut_checked(end).ok_or(Discard::NoContentType)?;
    let typ = ContentType(*rest.first().ok_or(Discard::NoContentType)?);
    Ok((typ, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_counts_into_the_length_of_the_plaintext() {
        let mut inner = std::vec![0; MAX_PLAINTEXT + 2];
        inner[7] = ContentType::APPLICATION_DATA.0;
        assert_eq!(strip_padding(&mut inner).unwrap_err(), Discard::TooLong);
        let (typ, body) = strip_padding(&mut inner[..=MAX_PLAINTEXT]).unwrap();
        assert_eq!((typ, body.len()), (ContentType::APPLICATION_DATA, 7));
    }
}
