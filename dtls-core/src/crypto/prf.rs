//! The TLS 1.2 pseudo-random function (RFC 5246 §5): P_hash over the suite's HMAC.

use alloc::boxed::Box;

use super::{Hash, HmacKey};

/// The PRF keyed with one secret.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct Prf {
    key: Box<dyn HmacKey>,
}

impl Prf {
    /// Keys the PRF with `secret`.
    pub fn new(hash: &dyn Hash, secret: &[u8]) -> Self {
        Self { key: hash.hmac(secret) }
    }

    /// Fills `out` with PRF(secret, label, concatenated seed parts). Does not allocate.
    ///
    /// Four seed parts are the most TLS 1.2 needs anywhere: two randoms, a length and a context (RFC 5705 §4).
    pub fn expand(&self, label: &[u8], seed: [&[u8]; 4], out: &mut [u8]) {
        let [s0, s1, s2, s3] = seed;
        // A(1) = HMAC(secret, A(0)), A(0) = label + seed
        let mut a = self.key.sign(&[label, s0, s1, s2, s3]);
        let mut rest = out;
        while !rest.is_empty() {
            let block = self.key.sign(&[a.as_bytes(), label, s0, s1, s2, s3]);
            let n = rest.len().min(block.as_bytes().len());
            if n == 0 {
                return; // a provider that returns empty tags; nothing sensible can follow
            }
            let Some((head, tail)) = rest.split_at_mut_checked(n) else { return };
            for (to, from) in head.iter_mut().zip(block.as_bytes()) {
                *to = *from;
            }
            rest = tail;
            a = self.key.sign(&[a.as_bytes()]);
        }
    }
}
