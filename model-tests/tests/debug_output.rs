//! What `Debug` prints ends up in logs: no part of a connection shows a secret there, in whatever state it is; nor does any
//! datagram.

use core::{cell::RefCell, fmt::Debug, time::Duration};
use std::collections::{BTreeSet, HashSet};

use dtls_core::{
    CipherSuite, Psk, PskMode, Rng, StateKind,
    crypto::{
        Aead, AeadAlgorithm, AeadKey, CryptoError, Hash, HashAlgorithm, HashContext, HmacKey, KeyShare,
        KxGroup, KxGroupId, MaskKey, Provider, SharedSecret,
    },
};
use ideal_crypto::{IdealAead, IdealGroup, IdealHash};
use model_tests::{KEY, Pair, Recipe, Setup, Side};
use simulated_network::{Faults, Network};

thread_local! {
    static SECRETS: RefCell<BTreeSet<Vec<u8>>> = RefCell::default();
}

/// Remembers the first bytes of a key, long enough not to be met by chance.
fn take_note(secret: &[u8]) {
    let start = secret.get(..8).unwrap_or_default();
    // HKDF-Extract without a salt has a key of zeros (RFC 5869 §2.2).
    if start.iter().any(|byte| *byte != 0) {
        SECRETS.with_borrow_mut(|secrets| secrets.insert(start.to_vec()));
    }
}

/// Algorithms that take note of every key they get and of every shared secret.
struct Noting<T>(T);

impl Aead for Noting<IdealAead> {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        take_note(key);
        self.0.key(key)
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        take_note(key);
        self.0.mask_key(key)
    }
}

impl Hash for Noting<IdealHash> {
    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    fn start(&self) -> Box<dyn HashContext> {
        self.0.start()
    }

    fn hmac(&self, key: &[u8]) -> Box<dyn HmacKey> {
        take_note(key);
        self.0.hmac(key)
    }
}

impl KxGroup for Noting<IdealGroup> {
    fn id(&self) -> KxGroupId {
        self.0.id()
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn KeyShare>, CryptoError> {
        Ok(Box::new(Noting(self.0.start(rng)?)))
    }
}

impl KeyShare for Noting<Box<dyn KeyShare>> {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn agree(&self, peer_public_key: &[u8]) -> Result<SharedSecret, CryptoError> {
        let secret = self.0.agree(peer_public_key)?;
        take_note(&secret);
        Ok(secret)
    }
}

static PROVIDER: Provider = Provider {
    aeads: &[
        &Noting(IdealAead::new(AeadAlgorithm::Aes128Ccm8)),
        &Noting(IdealAead::new(AeadAlgorithm::Aes128Ccm)),
    ],
    hashes: &[&Noting(IdealHash::new(HashAlgorithm::Sha256))],
    groups: &[&Noting(IdealGroup::new(KxGroupId::X25519))],
};

/// The bytes as `{:?}`, `{:x?}` and `{:02x}` would show them, in a longer list too.
fn spellings(secret: &[u8]) -> [String; 3] {
    let list = |text: String| text.trim_matches(['[', ']']).to_owned();
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    [list(format!("{secret:?}")), list(format!("{secret:02x?}")), hex]
}

fn shows_no_secret(what: &impl Debug) {
    let texts = [format!("{what:?}"), format!("{what:02x?}")];
    SECRETS.with_borrow(|secrets| {
        for secret in secrets {
            for spelling in spellings(secret) {
                let shown = texts.iter().any(|text| text.to_lowercase().contains(&spelling));
                assert!(!shown, "{spelling} is in {texts:?}");
            }
        }
    });
}

/// Walks through a handshake, data and closing with small datagrams, so that each state lasts, and looks at both ends after each
/// step.
fn states_of(recipe: &Recipe) -> HashSet<StateKind> {
    take_note(KEY);
    let setup = Setup { room: [100; 2], ..recipe.setup() };
    shows_no_secret(&(&setup, Psk::new(b"identity", KEY)));
    let mut pair = Pair::on(&setup, Network::new(0, Faults::default()));
    let mut states = HashSet::new();
    let mut look = |pair: &Pair| {
        for connection in
            Side::BOTH.iter().filter_map(|side| pair.ends.end(*side)).map(|end| end.connection())
        {
            states.insert(connection.state_kind());
            shows_no_secret(connection);
            shows_no_secret(&connection.parts());
        }
    };
    let until = pair.ends.now().after(Duration::from_secs(60));
    look(&pair);
    while !pair.ends.connected() {
        if pair.ends.end(Side::Server).is_some_and(|end| end.wants_psk()) {
            pair.ends.provide_psk(Some(KEY)).unwrap();
        }
        assert!(pair.step(until), "not connected:\n{}", pair.diagram());
        look(&pair);
    }
    pair.send(Side::Client, b"ping");
    pair.run_for(Duration::from_secs(1));
    look(&pair);
    pair.close(Side::Client);
    pair.run_for(Duration::from_secs(1));
    look(&pair);
    pair.network.sent().iter().for_each(|sent| carries_no_secret(&sent.bytes));
    states
}

fn carries_no_secret(datagram: &[u8]) {
    SECRETS.with_borrow(|secrets| {
        let carried = datagram.windows(8).find(|window| secrets.contains(*window));
        assert_eq!(carried, None, "S2: a secret is in {datagram:02x?}");
    });
}

/// Secrets are never in `Debug`, nor on the wire: keys of the application, of the key schedule, of records and cookies, and shared secrets.
#[test]
fn no_state_shows_a_secret() {
    let recipes = [
        (CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, PskMode::PskOnly),
        (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, PskMode::PskDhe),
        (CipherSuite::TLS_AES_128_CCM_SHA256, PskMode::PskOnly),
        (CipherSuite::TLS_AES_128_CCM_SHA256, PskMode::PskDhe),
    ];
    let mut seen = HashSet::new();
    for (suite, mode) in recipes {
        for deferred in [false, true] {
            let mut recipe = Recipe { suites: vec![suite], deferred, ..Recipe::new13(PROVIDER, mode) };
            recipe.listener.cookies = !deferred;
            seen.extend(states_of(&recipe));
        }
    }
    let secrets = SECRETS.with_borrow(BTreeSet::len);
    assert!(secrets >= 40, "only {secrets} secrets were noted");
    let unseen = StateKind::ALL.iter().filter(|kind| !seen.contains(kind)).collect::<Vec<_>>();
    assert_eq!(unseen, [&StateKind::ExpectClientHello, &StateKind::Failed], "every state that has keys");
}
