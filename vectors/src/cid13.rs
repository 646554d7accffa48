//! Records with a unified header and a connection id (RFC 9147 §9), which `dtls-core` does not have: checked over the
//! provider directly, so that the captures are known to be right when it does.

use dtls_core::{
    ContentType, Discard, RecordNumber,
    crypto::{AeadAlgorithm, CryptoError, Hash, NONCE_LEN},
    internals::{TrafficSecret, expand_label},
};

use crate::observer::PROVIDER;

/// Set in the first byte of a record with a connection id.
pub(crate) const PRESENT: u8 = 0b1_0000;
/// The other flags in that byte: a 16-bit number and a length. All senders of captures set them.
const WIDE_WITH_LENGTH: u8 = 0b1100;

/// A record with a connection id in its header, which has a 16-bit number and a length.
pub(crate) struct Record<'d> {
    pub(crate) header: &'d mut [u8],
    pub(crate) body: &'d mut [u8],
    cid_len: usize,
}

impl<'d> Record<'d> {
    /// Takes the first record off a datagram whose records carry `cid_len` bytes of connection id.
    pub(crate) fn split_first(datagram: &'d mut [u8], cid_len: usize) -> Option<(Self, &'d mut [u8])> {
        let (header, rest) = datagram.split_at_mut_checked(1 + cid_len + 2 + 2)?;
        let ([first, ..], [.., l0, l1]) = (&*header, &*header) else { return None };
        if first & WIDE_WITH_LENGTH != WIDE_WITH_LENGTH {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let (body, rest) = rest.split_at_mut_checked(length)?;
        Some((Self { header, body, cid_len }, rest))
    }

    pub(crate) fn cid(&self) -> &[u8] {
        self.header.get(1..=self.cid_len).unwrap_or_default()
    }

    /// Opens the record: content type, number and content without padding.
    pub(crate) fn open(
        self,
        secret: &TrafficSecret,
        hash: &dyn Hash,
        aead: AeadAlgorithm,
        epoch: u16,
    ) -> Result<(ContentType, RecordNumber, Vec<u8>), Discard> {
        let bad_tag = |CryptoError| Discard::BadTag;
        let factory = PROVIDER.aead(aead).ok_or(Discard::BadTag)?;
        let expand = |label: &[u8], length| {
            let mut out = vec![0; length];
            expand_label(hash, secret.as_bytes(), label, &[], &mut out);
            out
        };
        let mask_key = factory.mask_key(&expand(b"sn", aead.key_len())).map_err(bad_tag)?;
        let mask = mask_key.mask(self.body.first_chunk().ok_or(Discard::Malformed)?);
        for (byte, with) in self.header.iter_mut().skip(1 + self.cid_len).take(2).zip(mask) {
            *byte ^= with;
        }
        // Captures are far shorter than 65,536 records.
        let Some([n0, n1, _, _]) = self.header.last_chunk() else { return Err(Discard::Malformed) };
        let seq = u64::from(u16::from_be_bytes([*n0, *n1]));
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&expand(b"iv", NONCE_LEN));
        for (byte, with) in nonce.iter_mut().skip(4).zip(seq.to_be_bytes()) {
            *byte ^= with;
        }
        let length = self.body.len().checked_sub(aead.tag_len()).ok_or(Discard::Malformed)?;
        let (inner, tag) = self.body.split_at_mut(length);
        let key = factory.key(&expand(b"key", aead.key_len())).map_err(bad_tag)?;
        key.open(&nonce, self.header, inner, tag).map_err(bad_tag)?;
        let end = inner.iter().rposition(|byte| *byte != 0).ok_or(Discard::NoContentType)?;
        let (content, typ) = inner.split_at(end);
        let typ = ContentType(typ.first().copied().unwrap_or_default());
        Ok((typ, RecordNumber::new(epoch, seq), content.to_vec()))
    }
}
