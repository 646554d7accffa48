//! Who gets hold of a pre-shared key later, and has kept every datagram, can read what a key from the pre-shared key alone
//! protected, and nothing that an ephemeral key exchange took part in (RFC 5489 §7, RFC 8446 §2.2).
//!
//! Seen without taking anything apart: of two handshakes that differ in nothing but the Diffie-Hellman secret, what is in clear
//! is the same. So a key that is another one then cannot be had from that and the pre-shared key. Without an ephemeral exchange
//! no key is another one, which shows that the comparison tells the two apart.

use core::{cell::RefCell, time::Duration};
use std::collections::BTreeSet;

use dtls_core::{
    CipherSuite, PskMode, Rng,
    crypto::{
        Aead, AeadAlgorithm, AeadKey, CryptoError, HashAlgorithm, KeyShare, KxGroup, KxGroupId, MaskKey,
        Provider, SharedSecret,
    },
};
use ideal_crypto::{IdealAead, IdealGroup, IdealHash};
use model_tests::{Pair, Recipe, Side};
use simulated_network::Faults;

thread_local! {
    /// What every Diffie-Hellman secret is changed by.
    static CHANGE: RefCell<u8> = const { RefCell::new(0) };
    /// The keys of records.
    static KEYS: RefCell<BTreeSet<Vec<u8>>> = RefCell::default();
}

struct Noting(IdealAead);

impl Aead for Noting {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        KEYS.with_borrow_mut(|keys| keys.insert(key.to_vec()));
        self.0.key(key)
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        KEYS.with_borrow_mut(|keys| keys.insert(key.to_vec()));
        self.0.mask_key(key)
    }
}

struct Changing<T>(T);

impl KxGroup for Changing<IdealGroup> {
    fn id(&self) -> KxGroupId {
        self.0.id()
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        Ok(Box::new(Changing(self.0.start(rng)?)))
    }
}

impl KeyShare for Changing<Box<dyn KeyShare>> {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        let mut secret = self.0.agree(peer_public_key)?;
        secret[0] ^= CHANGE.with_borrow(|change| *change);
        Ok(secret)
    }
}

static PROVIDER: Provider = Provider {
    aeads: &[
        &Noting(IdealAead::new(AeadAlgorithm::Aes128Ccm8)),
        &Noting(IdealAead::new(AeadAlgorithm::Aes128Ccm)),
    ],
    hashes: &[&IdealHash::new(HashAlgorithm::Sha256)],
    groups: &[&Changing(IdealGroup::new(KxGroupId::X25519))],
};

/// The unprotected records of a conversation, and the keys of all others.
fn conversation(recipe: &Recipe, change: u8) -> (Vec<Vec<u8>>, BTreeSet<Vec<u8>>) {
    CHANGE.set(change);
    KEYS.take();
    let mut pair = Pair::new(&recipe.setup(), Faults::default());
    pair.connect();
    pair.send(Side::Client, b"ping");
    pair.run_for(Duration::from_secs(1));
    let sent = pair.network.sent();
    let clear = sent.iter().flat_map(|sent| unprotected(&sent.bytes)).collect();
    (clear, KEYS.take())
}

/// The records of epoch 0 (RFC 6347 §4.1), which come before all others in a datagram.
fn unprotected(datagram: &[u8]) -> Vec<Vec<u8>> {
    let (mut records, mut rest) = (Vec::new(), datagram);
    while let [20..=31, _, _, 0, 0, _, _, _, _, _, _, a, b, ..] = *rest {
        let (record, next) = rest.split_at(13 + usize::from(u16::from_be_bytes([a, b])));
        records.push(record.to_vec());
        rest = next;
    }
    records
}

#[test]
fn who_has_the_pre_shared_key_later() {
    for (suite, mode, keys) in [
        (CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, PskMode::PskOnly, 2),
        (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, PskMode::PskDhe, 2),
        (CipherSuite::TLS_AES_128_CCM_SHA256, PskMode::PskOnly, 8),
        (CipherSuite::TLS_AES_128_CCM_SHA256, PskMode::PskDhe, 8),
    ] {
        let recipe = Recipe { suites: vec![suite], ..Recipe::new13(PROVIDER, mode) };
        let [one, again, other] = [0, 0, 0x80].map(|change| conversation(&recipe, change));
        assert_eq!(one, again, "{suite:?}, {mode:?}: S19");
        assert!(one.0.len() >= 4, "{:?}", one.0);
        assert_eq!(one.0, other.0, "{suite:?}, {mode:?}: what is in clear");
        assert_eq!((one.1.len(), other.1.len()), (keys, keys), "{suite:?}, {mode:?}");
        let shared = one.1.intersection(&other.1).count();
        let expected = if mode == PskMode::PskOnly { keys } else { 0 };
        assert_eq!(shared, expected, "S2: {suite:?}, {mode:?}: keys that no ephemeral secret took part in");
    }
}
