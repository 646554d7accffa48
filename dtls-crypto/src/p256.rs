//! Elliptic-curve Diffie-Hellman on NIST P-256 with uncompressed points (SEC 1 §2.3, RFC 8422 §5.4.1 and §5.11).

use alloc::boxed::Box;

use ::p256::{
    FieldBytes, NonZeroScalar, PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToSec1Point,
};
use dtls_core::{
    Rng,
    crypto::{CryptoError, KeyShare, KxGroup, KxGroupId, SharedSecret},
};
use zeroize::Zeroizing;

/// P-256.
pub const SECP256R1: &dyn KxGroup = &Secp256r1;

const PUBLIC_KEY_LEN: usize = 65;
const UNCOMPRESSED: u8 = 4;

/// A uniformly random 32-byte string is no valid scalar once in 2^32 times; four in a row mean a broken source.
const MAX_ATTEMPTS: usize = 4;

struct Secp256r1;

impl KxGroup for Secp256r1 {
    fn id(&self) -> KxGroupId {
        KxGroupId::Secp256r1
    }

    /// The private key is the first 32 bytes of `rng` that are a scalar from 1 to the group order minus 1, big-endian.
    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        let mut bytes = Zeroizing::new(FieldBytes::default());
        for _ in 0..MAX_ATTEMPTS {
            rng.try_fill(&mut bytes).map_err(|_| CryptoError)?;
            if let Ok(secret) = SecretKey::from_bytes(&bytes) {
                return Ok(Box::new(Share::new(&secret)?));
            }
        }
        Err(CryptoError)
    }
}

struct Share {
    secret: Zeroizing<NonZeroScalar>,
    public: [u8; PUBLIC_KEY_LEN],
}

impl Share {
    fn new(secret: &SecretKey) -> Result<Self, CryptoError> {
        let secret = Zeroizing::new(secret.to_nonzero_scalar());
        let point = PublicKey::from_secret_scalar(&secret).to_sec1_point(false);
        let public = point.as_bytes().try_into().map_err(|_| CryptoError)?;
        Ok(Self { secret, public })
    }
}

impl KeyShare for Share {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        let encoded: &[u8; PUBLIC_KEY_LEN] = peer_public_key.try_into().map_err(|_| CryptoError)?;
        let [UNCOMPRESSED, ..] = encoded else { return Err(CryptoError) };
        // Checks that both coordinates are reduced and that the point is on the curve; the cofactor is 1.
        let peer = PublicKey::from_sec1_bytes(encoded).map_err(|_| CryptoError)?;
        let shared = diffie_hellman(&*self.secret, peer.as_affine());
        Ok(SharedSecret::new(shared.raw_secret_bytes().to_vec()))
    }
}
