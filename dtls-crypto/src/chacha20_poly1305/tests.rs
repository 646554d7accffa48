use ::chacha20poly1305::{AeadInOut, KeyInit};
use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

/// Seals through our code, and checks that opening gives `plaintext` back and that any change of the tag is noticed.
fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let key = CHACHA20_POLY1305.key(key).unwrap();
    let (mut buffer, mut tag) = (plaintext.to_vec(), [0; 16]);
    key.seal(nonce, aad, &mut buffer, &mut tag).unwrap();
    let ciphertext = buffer.clone();

    let mut bad_tag = tag;
    bad_tag[plaintext.len() % 16] ^= 1 << (plaintext.len() % 8);
    assert_eq!(key.open(nonce, aad, &mut buffer, &bad_tag), Err(CryptoError));
    assert_eq!(buffer, ciphertext, "nothing is decrypted before the tag was checked");
    key.open(nonce, aad, &mut buffer, &tag).unwrap();
    assert_eq!(buffer, plaintext);
    (ciphertext, tag)
}

#[test]
fn rfc_8439_section_2_8_2() {
    let key = core::array::from_fn(|i| 0x80 + i as u8);
    let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen \
        would be it.";
    let (ciphertext, tag) = seal(&key, &nonce, &aad, text);
    assert_eq!(ciphertext[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
    assert_eq!(ciphertext[108..], [0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16]);
    assert_eq!(u128::from_be_bytes(tag), 0x1ae1_0b59_4f09_e26a_7e90_2ecb_d060_0691);
}

/// Every length around the blocks and lanes, against the RustCrypto crate.
#[test]
fn equals_the_chacha20poly1305_crate_at_every_length() {
    let plaintext: Vec<u8> = (0..1300_u32).map(|i| (i * 7) as u8).collect();
    for len in 0..plaintext.len() {
        compare(&[len as u8; 32], &[0x42; 12], &plaintext[..len % 40], &plaintext[..len]);
    }
}

proptest! {
    #[test]
    fn equals_the_chacha20poly1305_crate(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 12]>(),
        aad in prop::collection::vec(any::<u8>(), 0..70),
        plaintext in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        compare(&key, &nonce, &aad, &plaintext);
    }
}

fn compare(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) {
    let (ciphertext, tag) = seal(key, nonce, aad, plaintext);
    let oracle = ::chacha20poly1305::ChaCha20Poly1305::new(key.into());
    let mut expected = plaintext.to_vec();
    let expected_tag =
        oracle.encrypt_inout_detached(nonce.into(), aad, expected.as_mut_slice().into()).unwrap();
    assert_eq!(ciphertext, expected, "{} bytes", plaintext.len());
    assert_eq!(tag, expected_tag.as_slice());
}
