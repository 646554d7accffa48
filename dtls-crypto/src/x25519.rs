//! X25519 (RFC 7748 §5 and §6.1).

use alloc::boxed::Box;

use dtls_core::{
    Rng,
    crypto::{CryptoError, KeyShare, KxGroup, KxGroupId, SharedSecret},
};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// X25519.
pub const X25519: &dyn KxGroup = &Curve25519;

const LEN: usize = 32;

struct Curve25519;

impl KxGroup for Curve25519 {
    fn id(&self) -> KxGroupId {
        KxGroupId::X25519
    }

    /// The private key is the first 32 bytes of `rng`, clamped when used (RFC 7748 §5).
    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        let mut bytes = Zeroizing::new([0; LEN]);
        rng.try_fill(&mut *bytes).map_err(|_| CryptoError)?;
        let secret = StaticSecret::from(*bytes);
        let public = PublicKey::from(&secret);
        Ok(Box::new(Share { secret, public }))
    }
}

struct Share {
    secret: StaticSecret,
    public: PublicKey,
}

impl KeyShare for Share {
    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        let encoded: [u8; LEN] = peer_public_key.try_into().map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(encoded));
        // A point of small order gives the all-zero secret (RFC 7748 §6.1, RFC 8422 §5.11).
        if !shared.was_contributory() {
            return Err(CryptoError);
        }
        Ok(SharedSecret::new(shared.as_bytes().to_vec()))
    }
}
