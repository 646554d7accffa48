//! The formulas of `model-tests/smt`, which a solver proves for all numbers (`.ci/smt`), are what the code computes: both are
//! evaluated at every boundary and at random points.

mod smtlib;

use core::cell::Cell;

use dtls_core::{
    ContentType, ProtocolVersion, RecordNumber,
    crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, Provider},
    internals::{Keys, RecordKeys, TrafficSecret, reconstruct},
};
use model_tests::Prng;
use smtlib::{Definitions, Value};

/// One more than the largest sequence number.
const NUMBERS: u64 = 1 << 48;

fn bits64(n: u64) -> Value {
    Value::bits(64, n.into())
}

/// Expected numbers around every power of two and every multiple of half a period near the ends.
fn boundaries() -> impl Iterator<Item = u64> {
    let powers = (0..=48).map(|bit| 1_u64 << bit);
    let halves = (0..9).flat_map(|n| [n << 7, n << 15, NUMBERS - (n << 7), NUMBERS - (n << 15)]);
    powers.chain(halves).flat_map(|n| n.saturating_sub(2)..=n.saturating_add(2)).filter(|n| *n <= NUMBERS)
}

#[test]
fn reconstruction() {
    let definitions = Definitions::parse(include_str!("../../smt/reconstruction.smt2"));
    let mut rng = Prng::new(1);
    let mut cases = 0_u64;
    let mut compare = |expected: u64, low: u64, bits: u32| {
        let period = 1_u64 << bits;
        let formula = definitions.call("reconstruct", &[bits64(expected), bits64(low), bits64(period)]);
        assert_eq!(formula, bits64(reconstruct(expected, low, bits)), "{expected} {low} {bits}");
        cases += 1;
    };
    for expected in boundaries() {
        for low in 0..256 {
            compare(expected, low, 8);
        }
        for low in
            (0..16).flat_map(|n| [n, (1 << 15) - 8 + n, (1 << 16) - 16 + n, (expected + 65_528 + n) & 0xffff])
        {
            compare(expected, low, 16);
        }
        for low in (0..16).map(|n| (expected + (1 << 15) + 65_528 + n) & 0xffff) {
            compare(expected, low, 16);
        }
    }
    for _ in 0..50_000 {
        let expected = rng.below(NUMBERS + 1) >> rng.below(48);
        compare(expected, rng.below(1 << 8), 8);
        compare(expected, rng.below(1 << 16), 16);
    }
    println!("reconstruction: formula and code agree in {cases} cases");
}

thread_local! {
    static LAST_NONCE: Cell<[u8; NONCE_LEN]> = const { Cell::new([0; NONCE_LEN]) };
}

/// Keys that tell which nonce they were called with, and do nothing else.
struct Telltale(AeadAlgorithm);

impl Aead for Telltale {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, _: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        Ok(Box::new(Self(self.0)))
    }

    fn mask_key(&self, _: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        Ok(Box::new(Self(self.0)))
    }
}

impl AeadKey for Telltale {
    fn seal(&self, nonce: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8], _: &mut [u8]) -> Result<(), CryptoError> {
        LAST_NONCE.set(*nonce);
        Ok(())
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8], _: &[u8]) -> Result<(), CryptoError> {
        LAST_NONCE.set(*nonce);
        Ok(())
    }
}

impl MaskKey for Telltale {
    fn mask(&self, _: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        [0; MASK_SAMPLE_LEN]
    }
}

static PROVIDER: Provider = Provider {
    aeads: &[&Telltale(AeadAlgorithm::Aes128Gcm), &Telltale(AeadAlgorithm::ChaCha20Poly1305)],
    ..ideal_crypto::PROVIDER
};

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |n, byte| n << 8 | u128::from(*byte))
}

/// Compares the nonces that `seal` makes with those of the formula `name`; both get the part of the first nonce that does not
/// vary, `secret_len` bytes long.
fn compare_nonces(
    (name, secret_len, with_epoch): (&str, usize, bool),
    rng: &mut Prng,
    seal: impl Fn(RecordNumber),
) -> u64 {
    let definitions = Definitions::parse(include_str!("../../smt/nonces.smt2"));
    let nonce_of = |epoch, seq| {
        seal(RecordNumber::new(epoch, seq));
        LAST_NONCE.get()
    };
    // What varies is nothing but zeros here.
    let secret = number(&nonce_of(0, 0)[..secret_len]);
    let secret = Value::bits(8 * secret_len as u32, secret);
    let mut cases = 0;
    let random: Vec<_> = (0..5_000).map(|_| rng.below(NUMBERS)).collect();
    for seq in boundaries().filter(|seq| *seq < NUMBERS).chain(random) {
        for epoch in [0, 1, 2, 3, 255, 256, u16::MAX, rng.below(1 << 16) as u16] {
            let seq_value = Value::bits(48, seq.into());
            let formula = if with_epoch {
                definitions.call(name, &[secret, Value::bits(16, epoch.into()), seq_value])
            } else {
                definitions.call(name, &[secret, seq_value])
            };
            assert_eq!(formula, Value::bits(96, number(&nonce_of(epoch, seq))), "{name} {epoch} {seq}");
            cases += 1;
        }
    }
    cases
}

fn seal12(keys: &RecordKeys, number: RecordNumber) {
    keys.seal(ContentType::APPLICATION_DATA, ProtocolVersion::DTLS1_2, number, b"").expect("sealed");
}

#[test]
fn nonces() {
    let mut rng = Prng::new(2);
    let mut cases = 0;
    let hash = ideal_crypto::PROVIDER.hashes[0];
    for seed in 0..3 {
        for (name, secret_len, aead) in [
            ("explicit12", 4, AeadAlgorithm::Aes128Gcm),
            ("implicit12", NONCE_LEN, AeadAlgorithm::ChaCha20Poly1305),
        ] {
            let keys = Keys::from_master(hash, &[seed; 48], [1; 32], [2; 32]);
            let (keys, _) = keys.records(&PROVIDER, aead).expect("it has the AEAD");
            cases += compare_nonces((name, secret_len, true), &mut rng, |number| seal12(&keys, number));
        }
        let secret = TrafficSecret::from_bytes(hash, &[seed; 32]);
        let keys = secret.writer(&PROVIDER, AeadAlgorithm::Aes128Gcm).expect("it has the AEAD");
        cases += compare_nonces(("nonce13", NONCE_LEN, false), &mut rng, |number| {
            keys.seal_unified(ContentType::APPLICATION_DATA, number, (true, true), b"").expect("sealed");
        });
    }
    println!("nonces: formula and code agree in {cases} cases");
}
