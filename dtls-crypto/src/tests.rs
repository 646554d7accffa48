//! What holds for every algorithm of the provider.

use dtls_core::{
    Rng, RngError,
    crypto::{AeadAlgorithm, HashAlgorithm, KxGroupId},
};

use crate::PROVIDER;

/// Hands out fixed strings, one a call, then fails.
struct Script<'a>(&'a [[u8; 32]]);

impl Rng for Script<'_> {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let (first, rest) = self.0.split_first().ok_or(RngError)?;
        out.copy_from_slice(first);
        self.0 = rest;
        Ok(())
    }
}

#[test]
fn every_algorithm_is_offered_under_its_name() {
    for algorithm in AeadAlgorithm::ALL {
        let aead = PROVIDER.aead(algorithm).unwrap();
        assert!(aead.key(&[1; 32][..algorithm.key_len()]).is_ok(), "{algorithm:?}");
        for wrong in [0, 15, 17, 24, 31, 33, 48 - algorithm.key_len()] {
            assert!(aead.key(&[1; 64][..wrong]).is_err(), "{algorithm:?} takes {wrong} bytes");
        }
    }
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        let hash = PROVIDER.hash(algorithm).unwrap();
        assert_eq!(hash.start().current().as_bytes().len(), algorithm.digest_len());
    }
    for (id, len) in [(KxGroupId::X25519, 32), (KxGroupId::Secp256r1, 65)] {
        let share = PROVIDER.group(id).unwrap().start(&mut Script(&[[1; 32]])).unwrap();
        assert_eq!(share.public_key().len(), len);
    }
}

/// The promise to wipe keys rests on features of the crates below; this does not compile without them.
#[test]
fn what_holds_a_key_wipes_itself() {
    const fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<aes::Aes128Enc>();
    wiped::<aes::Aes256Enc>();
    wiped::<::aes_gcm::AesGcm<aes::Aes256Enc, ccm::aead::consts::U12>>();
    wiped::<chacha20::ChaChaCore<chacha20::R20, chacha20::variants::Ietf>>();
    wiped::<::sha2::Sha256>();
    wiped::<::sha2::Sha384>();
    // What the HMAC type is made of; it has not got the marker itself.
    wiped::<<::sha2::Sha256 as hmac::EagerHash>::Core>();
    wiped::<<::sha2::Sha384 as hmac::EagerHash>::Core>();
    wiped::<x25519_dalek::StaticSecret>();
}

#[test]
fn a_failed_open_leaves_no_plaintext() {
    for aead in PROVIDER.aeads {
        let algorithm = aead.algorithm();
        let key = aead.key(&[7; 32][..algorithm.key_len()]).unwrap();
        let plaintext = [0x5a; 100];
        let (mut buffer, mut tag) = (plaintext, [0; 16]);
        let tag = &mut tag[..algorithm.tag_len()];
        key.seal(&[1; 12], b"aad", &mut buffer, tag).unwrap();
        tag[0] ^= 1;
        assert!(key.open(&[1; 12], b"aad", &mut buffer, tag).is_err());
        assert!(buffer.iter().filter(|&&b| b == 0x5a).count() < 10, "{algorithm:?}");
    }
}

#[test]
fn ccm_refuses_more_than_its_length_field_can_say() {
    let key = crate::AES_128_CCM.key(&[7; 16]).unwrap();
    let mut buffer = alloc::vec![0x5a; 1 << 24];
    assert!(key.seal(&[1; 12], b"", &mut buffer, &mut [0; 16]).is_err());
    assert!(key.open(&[1; 12], b"", &mut buffer, &[0; 16]).is_err());
    assert!(key.seal(&[1; 12], b"", &mut buffer[1..], &mut [0; 16]).is_ok());
}

#[test]
fn two_shares_agree_and_bad_points_are_refused() {
    for group in PROVIDER.groups {
        let a = group.start(&mut Script(&[[1; 32]])).unwrap();
        let b = group.start(&mut Script(&[[2; 32]])).unwrap();
        let secret = a.agree(b.public_key()).unwrap();
        assert_eq!(secret, b.agree(a.public_key()).unwrap());
        assert_eq!(secret.len(), 32);
        assert!(a.agree(&[]).is_err());
        assert!(a.agree(&b.public_key()[1..]).is_err());
        assert!(a.agree(&[b.public_key(), &[0]].concat()).is_err());
        assert!(a.agree(&[0; 65][..b.public_key().len()]).is_err(), "all zero");
        assert!(group.start(&mut Script(&[])).is_err(), "a failing random source");
    }
}

#[test]
fn p256_takes_uncompressed_points_on_the_curve_only() {
    let share = crate::SECP256R1.start(&mut Script(&[[1; 32]])).unwrap();
    let good = share.public_key().to_vec();
    for form in [0, 2, 3, 5, 6, 7] {
        let mut point = good.clone();
        point[0] = form;
        assert!(share.agree(&point).is_err(), "form {form}");
        assert!(share.agree(&point[..33]).is_err(), "compressed form {form}");
    }
    for at in [1, 32, 33, 64] {
        let mut point = good.clone();
        point[at] ^= 1;
        assert!(share.agree(&point).is_err(), "byte {at} changed");
    }
}

#[test]
fn p256_draws_again_when_the_bytes_are_no_scalar_but_not_forever() {
    let order = hex32("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let draws = [[0; 32], order, [0xff; 32], [1; 32]];
    let share = crate::SECP256R1.start(&mut Script(&draws)).unwrap();
    let direct = crate::SECP256R1.start(&mut Script(&[[1; 32]])).unwrap();
    assert_eq!(share.public_key(), direct.public_key());
    assert!(crate::SECP256R1.start(&mut Script(&[[0xff; 32]; 1000])).is_err());
}

/// FIPS 180-4 ("abc" of the NIST examples), RFC 4231 §4.2 and §4.7 (a key longer than the block).
#[test]
fn sha256_and_its_hmac_known_answers() {
    let mut context = crate::SHA_256.start();
    context.update(b"ab");
    let fork = context.fork();
    context.update(b"c");
    let abc = hex32("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(context.current().as_bytes(), abc);
    assert_eq!(context.current().as_bytes(), abc, "goes on unchanged");
    assert_ne!(fork.current().as_bytes(), abc);

    let mac = crate::SHA_256.hmac(&[0x0b; 20]).sign(&[b"Hi", b"", b" There"]);
    assert_eq!(mac.as_bytes(), hex32("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    let mac =
        crate::SHA_256.hmac(&[0xaa; 131]).sign(&[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
    assert_eq!(mac.as_bytes(), hex32("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

/// RFC 7748 §6.1.
#[test]
fn x25519_known_answer() {
    let alice = hex32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let secret = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let share = crate::X25519.start(&mut Script(&[alice])).unwrap();
    assert_eq!(share.agree(&bob).unwrap().as_slice(), secret);
}

fn hex32(hex: &str) -> [u8; 32] {
    core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}
