//! Ideal hash and HMAC: digests of the right length from the mixer.

use dtls_core::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey, MAX_DIGEST_LEN};

use crate::mixer::{Domain, Mixer};

/// An ideal hash with the digest length of a real one.
#[derive(Clone, Copy, Debug)]
pub struct IdealHash(HashAlgorithm);

impl IdealHash {
    /// The ideal form of `algorithm`.
    pub const fn new(algorithm: HashAlgorithm) -> Self {
        Self(algorithm)
    }

    fn mixer(self, domain: Domain) -> Running {
        Running { mixer: Mixer::new(domain, self.0 as u64), len: self.0.digest_len() }
    }
}

impl Hash for IdealHash {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(self.mixer(Domain::Hash))
    }

    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey> {
        let mut keyed = self.mixer(Domain::Hmac);
        keyed.mixer.update_number(key.len() as u64);
        keyed.mixer.update(key);
        Box::new(keyed)
    }
}

/// A mixer and the length of the digests it gives.
#[derive(Clone)]
struct Running {
    mixer: Mixer,
    len: usize,
}

impl HashContext for Running {
    fn update(&mut self, data: &[u8]) {
        self.mixer.update(data);
    }

    fn current(&self) -> Digest {
        let mut bytes = [0; MAX_DIGEST_LEN];
        let bytes = &mut bytes[..self.len];
        self.mixer.expand(bytes);
        Digest::new(bytes)
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(self.clone())
    }
}

impl HmacKey for Running {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut message = self.clone();
        for part in parts {
            message.mixer.update(part);
        }
        message.current()
    }
}
