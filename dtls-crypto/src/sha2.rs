//! SHA-256 and SHA-384 (FIPS 180-4) with their HMAC (RFC 2104).

use alloc::boxed::Box;
use core::marker::PhantomData;

use ::sha2::{Sha256, Sha384, digest};
use digest::Output;
use dtls_core::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use zeroize::Zeroize;

/// SHA-256.
pub const SHA_256: &dyn Hash = &Factory::<Sha256>::new(HashAlgorithm::Sha256);
/// SHA-384.
pub const SHA_384: &dyn Hash = &Factory::<Sha384>::new(HashAlgorithm::Sha384);

struct Factory<D> {
    algorithm: HashAlgorithm,
    hash: PhantomData<fn() -> D>,
}

impl<D> Factory<D> {
    const fn new(algorithm: HashAlgorithm) -> Self {
        Self { algorithm, hash: PhantomData }
    }
}

impl<D> Hash for Factory<D>
where
    D: digest::Digest + EagerHash + Clone + Send + Sync + 'static,
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync,
{
    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Context(D::new()))
    }

    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey> {
        #[allow(
            clippy::expect_used,
            reason = "the error belongs to fixed-length MACs; HMAC cannot return it"
        )]
        let keyed = <Hmac<D> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        Box::new(KeyedHmac::<D>(keyed))
    }
}

struct Context<D>(D);

impl<D> HashContext for Context<D>
where
    D: digest::Digest + Clone + Send + Sync + 'static,
{
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn current(&self) -> Digest {
        wiped::<D>(self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.clone()))
    }
}

/// Holds the inner and the outer hash state after the key's block, so that signing hashes only the message.
struct KeyedHmac<D: EagerHash>(Hmac<D>);

impl<D> HmacKey for KeyedHmac<D>
where
    D: EagerHash,
    Hmac<D>: Mac + Clone + Send + Sync,
{
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        wiped::<Hmac<D>>(mac.finalize().into_bytes())
    }
}

/// Moves `output` into a [`Digest`], leaving no copy behind.
fn wiped<D: digest::OutputSizeUser>(mut output: Output<D>) -> Digest {
    let digest = Digest::new(&output);
    output.zeroize();
    digest
}
