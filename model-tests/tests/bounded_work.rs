//! What a datagram costs, in calls of the cryptography, whatever is in it: at most one mask and one opening for each record,
//! over no more bytes than came, and hashing in proportion to them.

use core::cell::Cell;

use dtls_core::crypto::{
    Aead, AeadAlgorithm, AeadKey, CryptoError, Digest, Hash, HashAlgorithm, HashContext, HmacKey,
    MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, Provider,
};
use dtls_core::{CipherSuite, Discard, PskMode};
use model_tests::{Ends, Prng, Recipe, Side, wire};

/// Calls and bytes since the start of this thread.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Work {
    seals: usize,
    masks: usize,
    opens: usize,
    opened_bytes: usize,
    hashed_bytes: usize,
}

thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { seals: 0, masks: 0, opens: 0, opened_bytes: 0, hashed_bytes: 0 }) };
}

fn count(add: impl FnOnce(&mut Work)) {
    let mut work = DONE.get();
    add(&mut work);
    DONE.set(work);
}

/// What `run` does.
fn measured<T>(run: impl FnOnce() -> T) -> (T, Work) {
    DONE.set(Work::default());
    (run(), DONE.get())
}

/// The ideal algorithm of a kind, with its calls counted.
struct CountedAead(AeadAlgorithm);
struct CountedHash(HashAlgorithm);
struct Counted<T: ?Sized>(Box<T>);

impl Aead for CountedAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let ideal = ideal_crypto::PROVIDER.aead(self.0).ok_or(CryptoError)?;
        Ok(Box::new(Counted(ideal.key(key)?)))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let ideal = ideal_crypto::PROVIDER.aead(self.0).ok_or(CryptoError)?;
        Ok(Box::new(Counted(ideal.mask_key(key)?)))
    }
}

impl AeadKey for Counted<dyn AeadKey> {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        count(|work| work.seals += 1);
        self.0.seal(nonce, aad, buffer, tag)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        count(|work| {
            work.opens += 1;
            work.opened_bytes += buffer.len() + tag.len();
        });
        self.0.open(nonce, aad, buffer, tag)
    }
}

impl MaskKey for Counted<dyn MaskKey> {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> [u8; MASK_SAMPLE_LEN] {
        count(|work| work.masks += 1);
        self.0.mask(sample)
    }
}

impl Hash for CountedHash {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Counted(ideal_crypto::PROVIDER.hash(self.0).expect("it has all").start()))
    }

    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey> {
        count(|work| work.hashed_bytes += key.len());
        Box::new(Counted(ideal_crypto::PROVIDER.hash(self.0).expect("it has all").hmac(key)))
    }
}

impl HashContext for Counted<dyn HashContext> {
    fn update(&mut self, data: &[u8]) {
        count(|work| work.hashed_bytes += data.len());
        self.0.update(data);
    }

    fn current(&self) -> Digest {
        self.0.current()
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.fork()))
    }
}

impl HmacKey for Counted<dyn HmacKey> {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        count(|work| work.hashed_bytes += parts.iter().map(|part| part.len()).sum::<usize>());
        self.0.sign(parts)
    }
}

static PROVIDER: Provider = Provider {
    aeads: &[&CountedAead(AeadAlgorithm::Aes128Gcm), &CountedAead(AeadAlgorithm::Aes128Ccm8)],
    hashes: &[&CountedHash(HashAlgorithm::Sha256)],
    ..ideal_crypto::PROVIDER
};

/// A datagram as full of records as it can be that cost something: with headers of every form and epoch, and what was seen.
/// Some are of one form and epoch throughout.
fn forge(rng: &mut Prng, seen: &[Vec<u8>]) -> Vec<u8> {
    let mut datagram = Vec::new();
    let size = 100 + rng.below(1300) as usize;
    let uniform = rng.chance(0.5);
    let forms = if seen.is_empty() { 3 } else { 4 };
    let (mut form, mut epoch) = (rng.below(forms), rng.below(4) as u8);
    while datagram.len() < size {
        if !uniform {
            (form, epoch) = (rng.below(forms), rng.below(4) as u8);
        }
        let body = [0, 8, 16, 17, 24, 24, 24, 60][rng.below(8) as usize];
        let [n0, n1, ..] = rng.next_u64().to_be_bytes();
        match form {
            0 => datagram.extend([23, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, n0, n1, 0, body]),
            1 => datagram.extend([0x24 | epoch, n0, 0, body]),
            2 => datagram.extend([0x2c | epoch, n0, n1, 0, body]),
            _ => {
                datagram.extend(&seen[rng.below(seen.len() as u64) as usize]);
                continue;
            }
        }
        datagram.extend((0..body).map(|_| rng.next_u64() as u8));
    }
    datagram
}

/// The most of each that one datagram took.
#[derive(Default)]
struct Most {
    datagrams: u64,
    records: usize,
    opens: usize,
    hashed_bytes: usize,
}

impl Most {
    fn deliver(&mut self, ends: &mut Ends, to: Side, datagram: &[u8]) {
        let (_, work) = measured(|| ends.deliver(to, datagram));
        let records = wire::records(datagram).count();
        // What is sent takes a mask each as well.
        let within = work.opens <= records && work.masks <= records + work.seals;
        assert!(within, "{work:?} for {records} records");
        assert!(work.opened_bytes <= datagram.len(), "{work:?} for {} bytes", datagram.len());
        // Key schedules take a few thousand; each byte may be part of a hello that is hashed for cookie, binder and transcript.
        let bound = 4_000 + 4 * datagram.len();
        assert!(work.hashed_bytes <= bound, "{work:?} for {} bytes", datagram.len());
        self.datagrams += 1;
        self.records = self.records.max(records);
        self.opens = self.opens.max(work.opens);
        self.hashed_bytes = self.hashed_bytes.max(work.hashed_bytes);
    }
}

#[test]
fn no_datagram_costs_more_than_its_records() {
    let recipes = [
        Recipe { suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256], ..Recipe::new(PROVIDER) },
        Recipe { suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8], ..Recipe::new(PROVIDER) },
        Recipe {
            suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256],
            ..Recipe::new13(PROVIDER, PskMode::PskDhe)
        },
        Recipe {
            suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256],
            ..Recipe::new13(PROVIDER, PskMode::PskOnly)
        },
    ];
    for recipe in recipes {
        let mut most = Most::default();
        let mut rng = Prng::new(7);
        let mut ends = Ends::new(&recipe.setup());
        let mut seen: [Vec<Vec<u8>>; 2] = Default::default();
        for round in 0..40 {
            if ends.connected() {
                for side in Side::BOTH {
                    ends.send(side, &[round; 40]).expect("connected");
                }
            }
            for outgoing in ends.take_outgoing() {
                let to = outgoing.from.peer();
                let seen = &mut seen[to as usize];
                for _ in 0..30 {
                    let forged = forge(&mut rng, seen);
                    most.deliver(&mut ends, to, &forged);
                }
                most.deliver(&mut ends, to, &outgoing.bytes);
                seen.extend(wire::records(&outgoing.bytes).map(|record| record.bytes.to_vec()));
                // All of it again, in one datagram.
                most.deliver(&mut ends, to, &seen.concat());
            }
        }
        assert!(ends.connected());
        let stats = Side::BOTH.map(|side| ends.end(side).expect("it connected").connection().stats().clone());
        let forged: u32 = stats.iter().map(|stats| stats.discarded(Discard::BadTag)).sum();
        assert!(forged > 1_000 && most.opens > 10, "the forgeries do not get as far as the keys: {forged}");
        println!(
            "{:?} {:?}: {} datagrams of up to {} records; at most {} opened and {} bytes hashed for one",
            recipe.suites[0], recipe.modes[0], most.datagrams, most.records, most.opens, most.hashed_bytes
        );
    }
}
