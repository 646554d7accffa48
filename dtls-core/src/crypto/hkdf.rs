//! HKDF (RFC 5869) and HKDF-Expand-Label with the DTLS 1.3 prefix (RFC 8446 §7.1, RFC 9147 §5.9).

use super::{Digest, Hash};

/// Stands before every label of DTLS 1.3, without a space (RFC 9147 §5.9).
const PREFIX: &[u8] = b"dtls13";

/// HKDF-Extract.
pub(crate) fn extract(hash: &dyn Hash, salt: &[u8], secret: &[u8]) -> Digest {
    hash.hmac(salt).sign(&[secret])
}

/// HKDF-Expand-Label: fills `out`, of at most 255 times the digest's length, from `secret`.
pub(crate) fn expand_label(hash: &dyn Hash, secret: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) {
    expand_prefixed(hash, secret, [PREFIX, label], context, out);
}

/// The same for a label in two parts. TLS has another prefix, and so have its vectors.
pub(crate) fn expand_prefixed(
    hash: &dyn Hash,
    secret: &[u8],
    [prefix, label]: [&[u8]; 2],
    context: &[u8],
    out: &mut [u8],
) {
    let length = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    // Labels and contexts are ours: digests and a dozen short words.
    let label_len = [u8::try_from(prefix.len().saturating_add(label.len())).unwrap_or(u8::MAX)];
    let context_len = [u8::try_from(context.len()).unwrap_or(u8::MAX)];
    let key = hash.hmac(secret);
    let mut previous = Digest::new(&[]);
    for (block, counter) in out.chunks_mut(hash.algorithm().digest_len()).zip(1..=u8::MAX) {
        previous = key.sign(&[
            previous.as_bytes(),
            &length,
            &label_len,
            prefix,
            label,
            &context_len,
            context,
            &[counter],
        ]);
        for (to, from) in block.iter_mut().zip(previous.as_bytes()) {
            *to = *from;
        }
    }
}
