//! Ideal key agreement: Diffie-Hellman in a toy group, with public keys as long as the real ones.

use dtls_core::{
    Rng,
    crypto::{CryptoError, KeyShare, KxGroup, KxGroupId, SharedSecret},
};
use zeroize::Zeroizing;

use crate::{
    mixer::{Domain, Mixer},
    world,
};

/// The Mersenne prime 2^61 - 1, of which 37 is a primitive root.
const P: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;

/// An ideal group with the key lengths of a real one.
#[derive(Clone, Copy, Debug)]
pub struct IdealGroup(KxGroupId);

impl IdealGroup {
    /// The ideal form of `id`.
    pub const fn new(id: KxGroupId) -> Self {
        Self(id)
    }

    /// The encoding of `element`: its eight bytes, and redundancy up to the real length, all of which is checked.
    fn encode(self, element: u64) -> Vec<u8> {
        let (prefix, len): (&[u8], usize) = match self.0 {
            KxGroupId::Secp256r1 => (&[4], 65), // uncompressed point (RFC 8422 §5.4.1)
            _ => (&[], 32),
        };
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(&element.to_be_bytes());
        let filled = bytes.len();
        bytes.resize(len, 0);
        self.mixer(Domain::PublicKey, element).expand(&mut bytes[filled..]);
        bytes
    }

    fn decode(self, bytes: &[u8]) -> Result<u64, CryptoError> {
        let at = usize::from(self.0 == KxGroupId::Secp256r1);
        let element = bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_be_bytes);
        let element = element.ok_or(CryptoError)?;
        // 0 and 1 stand for the points of small order, which give everyone the same secret.
        if !(2..P).contains(&element) || self.encode(element) != bytes {
            return Err(CryptoError);
        }
        Ok(element)
    }

    fn mixer(self, domain: Domain, element: u64) -> Mixer {
        let mut mixer = Mixer::new(domain, self.0 as u64);
        mixer.update_number(element);
        mixer
    }
}

impl KxGroup for IdealGroup {
    fn id(&self) -> KxGroupId {
        self.0
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        let mut seed = [0; 8];
        rng.try_fill(&mut seed).map_err(|_failed| CryptoError)?;
        let private = 2 + u64::from_le_bytes(seed) % (P - 3);
        let public_key = self.encode(power(GENERATOR, private));
        Ok(Box::new(IdealShare { group: *self, private, public_key, handle: world::new_handle() }))
    }
}

struct IdealShare {
    group: IdealGroup,
    private: u64,
    public_key: Vec<u8>,
    handle: u64,
}

impl KeyShare for IdealShare {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        let peer = self.group.decode(peer_public_key)?;
        world::current(|world| world.agree(self.handle, u128::from(peer)));
        let mut secret = Zeroizing::new(vec![0; 32]);
        self.group.mixer(Domain::SharedSecret, power(peer, self.private)).expand(&mut secret);
        Ok(secret)
    }
}

/// `base` to the `exponent`, modulo [`P`].
fn power(base: u64, exponent: u64) -> u64 {
    let times = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(P)) as u64;
    let mut result = 1;
    let mut square = base;
    let mut left = exponent;
    while left > 0 {
        if left & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        left >>= 1;
    }
    result
}
