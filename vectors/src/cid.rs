//! Records with connection ids (RFC 9146), which `dtls-core` does not have: checked over the provider's AEAD directly, so
//! that the captures are known to be right when it does.

use dtls_core::{
    ContentType, Discard, ProtocolVersion, RecordNumber,
    crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, Hash, NONCE_LEN, Prf},
    internals::{End, Keys},
};

use crate::observer::PROVIDER;

/// tls12_cid (RFC 9146 §4).
pub(crate) const CONTENT_TYPE: u8 = 25;
/// connection_id (RFC 9146 §3).
const EXTENSION: u16 = 54;

/// A record with a connection id in its header.
pub(crate) struct Record<'d> {
    pub(crate) version: ProtocolVersion,
    pub(crate) number: RecordNumber,
    pub(crate) cid: &'d [u8],
    pub(crate) body: &'d mut [u8],
}

impl<'d> Record<'d> {
    /// Takes the first record off a datagram whose records carry `cid_len` bytes of connection id.
    pub(crate) fn split_first(datagram: &'d mut [u8], cid_len: usize) -> Option<(Self, &'d mut [u8])> {
        let (head, rest) = datagram.split_first_chunk_mut::<11>()?;
        let [_, v0, v1, e0, e1, seq @ ..] = *head;
        let (cid, rest) = rest.split_at_mut_checked(cid_len)?;
        let (length, rest) = rest.split_first_chunk_mut::<2>()?;
        let (body, rest) = rest.split_at_mut_checked(usize::from(u16::from_be_bytes(*length)))?;
        let seq = seq.iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte));
        let record = Self {
            version: ProtocolVersion(u16::from_be_bytes([v0, v1])),
            number: RecordNumber::new(u16::from_be_bytes([e0, e1]), seq),
            cid,
            body,
        };
        Some((record, rest))
    }
}

/// The keys of both directions.
pub(crate) struct CidKeys {
    client: Direction,
    server: Direction,
}

struct Direction {
    key: Box<dyn AeadKey>,
    iv: Vec<u8>,
    tag_len: usize,
}

impl CidKeys {
    /// From the key block (RFC 5246 §6.3).
    pub(crate) fn new(
        aead: AeadAlgorithm,
        hash: &dyn Hash,
        keys: &Keys,
        (client_random, server_random): (&[u8; 32], &[u8; 32]),
    ) -> Result<Self, CryptoError> {
        let (key_len, iv_len) = (aead.key_len(), if is_implicit(aead) { NONCE_LEN } else { 4 });
        let mut block = vec![0; 2 * (key_len + iv_len)];
        let seed = [&server_random[..], client_random, &[], &[]];
        Prf::new(hash, keys.master_secret()).expand(b"key expansion", seed, &mut block);
        let (write_keys, ivs) = block.split_at(2 * key_len);
        let (client_key, server_key) = write_keys.split_at(key_len);
        let (client_iv, server_iv) = ivs.split_at(iv_len);
        let factory = PROVIDER.aead(aead).ok_or(CryptoError)?;
        Ok(Self {
            client: Direction::new(factory, client_key, client_iv)?,
            server: Direction::new(factory, server_key, server_iv)?,
        })
    }

    /// Opens a record: the true content type and the content without padding (RFC 9146 §4).
    pub(crate) fn open(&self, from: End, record: Record<'_>) -> Result<(ContentType, Vec<u8>), Discard> {
        let inner = match from {
            End::Client => self.client.open(record),
            End::Server => self.server.open(record),
        }?;
        let end = inner.iter().rposition(|byte| *byte != 0).ok_or(Discard::Malformed)?;
        let (content, typ) = inner.split_at(end);
        Ok((ContentType(typ.first().copied().unwrap_or_default()), content.to_vec()))
    }
}

impl Direction {
    fn new(factory: &dyn Aead, key: &[u8], iv: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self { key: factory.key(key)?, iv: iv.to_vec(), tag_len: factory.algorithm().tag_len() })
    }

    fn open<'d>(&self, record: Record<'d>) -> Result<&'d [u8], Discard> {
        let Record { version, number, cid, body } = record;
        let number = (u64::from(number.epoch()) << 48 | number.seq()).to_be_bytes();
        let (varying, rest) = if self.iv.len() == NONCE_LEN {
            (number, body)
        } else {
            let (explicit, rest) = body.split_first_chunk_mut::<8>().ok_or(Discard::Malformed)?;
            (*explicit, rest)
        };
        let mut nonce = [0; NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(&self.iv) {
            *to = *from;
        }
        for (to, from) in nonce.iter_mut().skip(4).zip(varying) {
            *to ^= from;
        }
        let length = rest.len().checked_sub(self.tag_len).ok_or(Discard::Malformed)?;
        let (inner, tag) = rest.split_at_mut(length);
        let aad = additional_data(version, number, cid, length).ok_or(Discard::TooLong)?;
        self.key.open(&nonce, &aad, inner, tag).map_err(|CryptoError| Discard::BadTag)?;
        Ok(inner)
    }
}

/// RFC 9146 §5.3.
fn additional_data(version: ProtocolVersion, number: [u8; 8], cid: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut aad = vec![0xff; 8];
    aad.extend([CONTENT_TYPE, u8::try_from(cid.len()).ok()?, CONTENT_TYPE]);
    aad.extend(version.0.to_be_bytes());
    aad.extend(number);
    aad.extend(cid);
    aad.extend(u16::try_from(length).ok()?.to_be_bytes());
    Some(aad)
}

fn is_implicit(aead: AeadAlgorithm) -> bool {
    aead == AeadAlgorithm::ChaCha20Poly1305
}

/// The connection id in the hello of `end`, if it has the extension. The hello was decoded before.
pub(crate) fn offered(hello: &[u8], end: End) -> Option<Vec<u8>> {
    let mut rest = hello.get(2 + 32..)?;
    take_vec(&mut rest, 1)?; // session_id
    match end {
        End::Client => {
            take_vec(&mut rest, 1)?; // cookie
            take_vec(&mut rest, 2)?; // cipher_suites
            take_vec(&mut rest, 1)?; // compression_methods
        }
        End::Server => rest = rest.get(2 + 1..)?,
    }
    let mut extensions = take_vec(&mut rest, 2)?;
    while let Some((typ, tail)) = extensions.split_first_chunk::<2>() {
        extensions = tail;
        let mut body = take_vec(&mut extensions, 2)?;
        if u16::from_be_bytes(*typ) == EXTENSION {
            return take_vec(&mut body, 1).map(<[u8]>::to_vec);
        }
    }
    None
}

/// Takes a vector off the front of `rest` whose length has `width` bytes.
fn take_vec<'a>(rest: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_at_checked(width)?;
    let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (content, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(content)
}
