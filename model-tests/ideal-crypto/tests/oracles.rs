//! Each oracle speaks when it must and is silent when it must be, and the primitives keep the traits' promises.

use core::{panic::AssertUnwindSafe, time::Duration};
use std::{panic::catch_unwind, time::Instant};

use dtls_core::crypto::{AeadAlgorithm, AeadKey, CryptoError, HashAlgorithm, KxGroupId};
use ideal_crypto::{POISON, PROVIDER, World};
use simulated_network::Prng;

const NONCE: [u8; 12] = *b"epoch+number";

fn key(algorithm: AeadAlgorithm, byte: u8) -> Box<dyn AeadKey> {
    PROVIDER.aead(algorithm).unwrap().key(&vec![byte; algorithm.key_len()]).unwrap()
}

/// What `misuse` says when it panics in a world of its own.
fn complaint(misuse: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| World::default().run(misuse))).expect_err("went unnoticed");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap()
}

#[test]
fn opens_what_was_sealed_and_nothing_else() {
    for algorithm in AeadAlgorithm::ALL {
        let mut tag = vec![0; algorithm.tag_len()];
        let mut sealed = b"a reading of 21 degrees".to_vec();
        key(algorithm, 7).seal(&NONCE, b"header", &mut sealed, &mut tag).unwrap();
        assert_ne!(sealed, b"a reading of 21 degrees");

        let receiver = key(algorithm, 7);
        let open = |nonce: &[u8; 12], aad: &[u8], bytes: &[u8], tag: &[u8]| {
            let mut buffer = bytes.to_vec();
            let result = receiver.open(nonce, aad, &mut buffer, tag);
            (result, buffer)
        };
        assert_eq!(open(&NONCE, b"header", &sealed, &tag), (Ok(()), b"a reading of 21 degrees".to_vec()));
        let refused = (Err(CryptoError), vec![POISON; sealed.len()]);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&NONCE, b"header", &changed, &tag),
                refused,
                "{algorithm:?}, ciphertext bit {bit}"
            );
        }
        for bit in 0..tag.len() * 8 {
            let mut changed = tag.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&NONCE, b"header", &sealed, &changed), refused, "{algorithm:?}, tag bit {bit}");
        }
        assert_eq!(open(&NONCE, b"Header", &sealed, &tag), refused);
        assert_eq!(open(b"epoch+numbeR", b"header", &sealed, &tag), refused);
        assert_eq!(open(&NONCE, b"header", &sealed, &tag[1..]), refused);
        let mut buffer = sealed.clone();
        assert!(key(algorithm, 8).open(&NONCE, b"header", &mut buffer, &tag).is_err(), "another key");
    }
}

#[test]
fn lengths_are_checked() {
    for algorithm in AeadAlgorithm::ALL {
        let aead = PROVIDER.aead(algorithm).unwrap();
        assert!(aead.key(&vec![0; algorithm.key_len() + 1]).is_err());
        assert!(key(algorithm, 1).seal(&NONCE, b"", &mut [0; 4], &mut [0; 4]).is_err());
    }
}

#[test]
fn a_repeated_nonce_is_noticed() {
    let said = complaint(|| {
        let key = key(AeadAlgorithm::Aes128Ccm8, 1);
        key.seal(&NONCE, b"", &mut [1], &mut [0; 8]).unwrap();
        key.seal(&NONCE, b"", &mut [1], &mut [0; 8]).unwrap();
    });
    assert!(said.contains("used twice"), "{said}");
}

#[test]
fn a_handle_used_in_both_directions_is_noticed() {
    let said = complaint(|| {
        let key = key(AeadAlgorithm::Aes128Gcm, 1);
        key.seal(&NONCE, b"", &mut [1], &mut [0; 16]).unwrap();
        let _refused = key.open(b"another one!", b"", &mut [1], &[0; 16]);
    });
    assert!(said.contains("both directions"), "{said}");
}

#[test]
fn two_ends_sealing_under_one_key_are_noticed() {
    let said = complaint(|| {
        key(AeadAlgorithm::Aes128Gcm, 1).seal(&NONCE, b"", &mut [1], &mut [0; 16]).unwrap();
        key(AeadAlgorithm::Aes128Gcm, 1).seal(b"another one!", b"", &mut [1], &mut [0; 16]).unwrap();
    });
    assert!(said.contains("two handles"), "{said}");
}

#[test]
fn a_share_used_twice_is_noticed() {
    let said = complaint(|| {
        let group = PROVIDER.group(KxGroupId::X25519).unwrap();
        let mut rng = Prng::new(1);
        let [own, one, other] = [(); 3].map(|()| group.start(&mut rng).unwrap());
        own.agree(one.public_key()).unwrap();
        own.agree(one.public_key()).unwrap();
        own.agree(other.public_key()).unwrap();
    });
    assert!(said.contains("two peers"), "{said}");
}

#[test]
fn released_data_must_have_been_opened() {
    let mut world = World::default();
    world.run(|| {
        let mut tag = [0; 16];
        let mut record = *b"inner plaintext\x17\0\0";
        key(AeadAlgorithm::Aes128Gcm, 1).seal(&NONCE, b"", &mut record, &mut tag).unwrap();
        key(AeadAlgorithm::Aes128Gcm, 1).open(&NONCE, b"", &mut record, &tag).unwrap();
    });
    world.assert_released(b"inner plaintext\x17\0\0"); // DTLS 1.2: the whole plaintext
    world.assert_released(b"inner plaintext"); // DTLS 1.3: without type and padding
    let unchecked = catch_unwind(AssertUnwindSafe(|| world.assert_released(b"inner plaintex")));
    assert!(unchecked.is_err());
    let poison = catch_unwind(AssertUnwindSafe(|| world.assert_released(&[POISON; 18])));
    assert!(poison.is_err());
}

#[test]
fn branches_of_a_cloned_world_are_independent() {
    let sender = key(AeadAlgorithm::Aes128Gcm, 1);
    let seal = || sender.seal(&NONCE, b"", &mut [1], &mut [0; 16]).unwrap();
    let mut before = World::default();
    let mut one = before.clone();
    one.run(seal);
    let mut other = before.clone();
    other.run(seal);
    assert_eq!((before.sealed(), one.sealed(), other.sealed()), (0, 1, 1));
    let again = catch_unwind(AssertUnwindSafe(|| one.run(seal)));
    assert!(again.is_err());
    before.run(seal);
}

#[test]
fn a_panic_leaves_the_outer_world_current() {
    let mut outer = World::default();
    outer.run(|| {
        complaint(|| panic!("inside"));
        key(AeadAlgorithm::Aes128Gcm, 1).seal(&NONCE, b"", &mut [1], &mut [0; 16]).unwrap();
    });
    assert_eq!(outer.sealed(), 1);
}

#[test]
fn both_ends_agree_and_bad_keys_do_not() {
    for id in [KxGroupId::Secp256r1, KxGroupId::X25519] {
        let group = PROVIDER.group(id).unwrap();
        let mut rng = Prng::new(9);
        let (a, b) = (group.start(&mut rng).unwrap(), group.start(&mut rng).unwrap());
        let secret = a.agree(b.public_key()).unwrap();
        assert_eq!(secret, b.agree(a.public_key()).unwrap());
        assert_eq!((secret.len(), a.public_key().len()), (32, if id == KxGroupId::X25519 { 32 } else { 65 }));
        for bit in 0..b.public_key().len() * 8 {
            let mut changed = b.public_key().to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(a.agree(&changed).is_err(), "{id:?} bit {bit}");
        }
        assert!(a.agree(&[]).is_err());
        assert!(a.agree(&vec![0; b.public_key().len()]).is_err());
    }
}

#[test]
fn a_hash_is_a_function_of_its_message_and_hmac_of_its_key_too() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        let hash = PROVIDER.hash(algorithm).unwrap();
        let mut context = hash.start();
        context.update(b"hello ");
        let mut fork = context.fork();
        context.update(b"world");
        let before = context.current();
        assert_eq!(before.as_bytes(), context.current().as_bytes(), "looking changes nothing");
        assert_eq!(before.as_bytes().len(), algorithm.digest_len());
        fork.update(b"moon");
        assert_ne!(before.as_bytes(), fork.current().as_bytes());

        let tag = hash.hmac(b"key").sign(&[b"one", b"two"]);
        assert_eq!(tag.as_bytes(), hash.hmac(b"key").sign(&[b"onetwo"]).as_bytes());
        assert_ne!(tag.as_bytes(), hash.hmac(b"keyo").sign(&[b"netwo"]).as_bytes());
        assert_ne!(tag.as_bytes(), hash.hmac(b"kez").sign(&[b"onetwo"]).as_bytes());
    }
}

/// Prints how fast the provider is, so that a slow-down is seen in the log; no figure fails the test.
#[test]
#[allow(clippy::disallowed_methods, reason = "measures real time and decides nothing by it")]
fn speed() {
    let rate = |name: &str, mut once: Box<dyn FnMut(u64)>| {
        let start = Instant::now();
        let mut done = 0_u64;
        while start.elapsed() < Duration::from_millis(50) {
            (0..100).for_each(|i| once(done + i));
            done += 100;
        }
        println!("{name}: {:.0} a second", done as f64 / start.elapsed().as_secs_f64());
    };
    let sender = key(AeadAlgorithm::Aes128Ccm8, 1);
    let mut buffer = vec![0; 1200];
    rate(
        "seal 1200 bytes, checked",
        Box::new(move |i| {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&i.to_be_bytes());
            sender.seal(&nonce, &NONCE, &mut buffer, &mut [0; 8]).unwrap();
        }),
    );
    let hmac = PROVIDER.hash(HashAlgorithm::Sha256).unwrap().hmac(b"secret");
    rate("HMAC of 64 bytes", Box::new(move |_| drop(hmac.sign(&[&[0; 64]]))));
    let group = PROVIDER.group(KxGroupId::X25519).unwrap();
    let mut rng = Prng::new(1);
    rate("key share made", Box::new(move |_| drop(group.start(&mut rng).unwrap())));
}
