//! Uses the library from outside its workspace.
use dtls_core::crypto::{AeadAlgorithm, CryptoError};
use dtls_crypto::PROVIDER;

fn main() -> Result<(), CryptoError> {
    let key = PROVIDER.aead(AeadAlgorithm::Aes128Ccm8).ok_or(CryptoError)?.key(&[7; 16])?;
    let (mut text, mut tag) = (*b"21.5 C", [0; 8]);
    key.seal(&[1; 12], b"header", &mut text, &mut tag)?;
    key.open(&[1; 12], b"header", &mut text, &tag)?;
    assert_eq!(&text, b"21.5 C");
    println!("sealed and opened one reading with AES-128-CCM-8");
    Ok(())
}
