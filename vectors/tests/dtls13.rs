//! The parts of DTLS 1.3 for which no published vectors are known: header forms that no peer of the captures sends, padding,
//! the limits of exporters, imported keys.
//!
//! The constants were computed with Python's `hmac` and `hashlib` and the `cryptography` package (OpenSSL), from the text of
//! the RFCs and without code of this project.

use dtls_core::{
    ApiMisuse, ClientConfig, ContentType, Discard, Psk, RecordNumber,
    crypto::{AeadAlgorithm, Digest, Hash, HashAlgorithm},
    internals::{Early, PskOrigin, Reader13, TrafficSecret, UnifiedRecord, offered_keys},
};
use dtls_crypto::PROVIDER;

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hash(algorithm: HashAlgorithm) -> &'static dyn Hash {
    PROVIDER.hash(algorithm).unwrap()
}

/// The bytes 100, 101 and so on, as many as the hash has.
fn secret(algorithm: HashAlgorithm) -> TrafficSecret {
    let secret: Vec<u8> = (100..).take(algorithm.digest_len()).collect();
    TrafficSecret::from_bytes(hash(algorithm), &secret)
}

fn open(reader: &mut Reader13, record: &[u8]) -> Result<(ContentType, RecordNumber, Vec<u8>), Discard> {
    let mut datagram = record.to_vec();
    let (record, rest) = UnifiedRecord::split_first(&mut datagram)?;
    assert!(rest.is_empty());
    reader.open(record).map(|(typ, number, body)| (typ, number, body.to_vec()))
}

/// Application data "hello" in record 3:0x5fe, with an 8-bit and a 16-bit number, each with and without a length. Under the
/// short tag two zeros of padding are needed for a sample of 16 bytes (RFC 9147 §4.2.3).
#[rustfmt::skip]
const FORMS: [(AeadAlgorithm, HashAlgorithm, [&str; 4]); 4] = [
    (AeadAlgorithm::Aes128Gcm, HashAlgorithm::Sha256, [
        "27cd0016ac1472c4aa5afa47b8601ac0b0f18b8003ba73a553cb",
        "23bdac1472c4aa5a44698c471877e15878c74fc80ec8d8ee",
        "2f292b0016ac1472c4aa5a8559e48827df3b38f286798ff87b9246",
        "2b3220ac1472c4aa5a2ccc1db5ef33a64ebc2b5039810d2b5b",
    ]),
    (AeadAlgorithm::Aes256Gcm, HashAlgorithm::Sha384, [
        "27d700160a0acfad054f1f0bbd2480c30d6e13318a6e78ca6fdf",
        "233a0a0acfad054fa2df6a9b60f1289f2b01348a405bcab0",
        "2f5e4a00160a0acfad054f66bb6d4c41049a687b01b92669720237",
        "2ba2b90a0acfad054f5735473ba699f528079f1726bb0f5f4a",
    ]),
    (AeadAlgorithm::ChaCha20Poly1305, HashAlgorithm::Sha256, [
        "27a60016445304fbf828e65b409de95ad7a02e0d1e5877d4b739",
        "2311445304fbf8283c077067a0034c3bb9d7523caa013f6f",
        "2fbe010016445304fbf8286819aea89fde4361111d1ee3ee59475f",
        "2bfbcd445304fbf828645bac6bfc8af340498ea3bb9af2bb83",
    ]),
    (AeadAlgorithm::Aes128Ccm8, HashAlgorithm::Sha256, [
        "272000109624f2f9f26af05f157e91cdba85c63c",
        "23ea9624f2f9f26af05fba9b78ab33fdb9f7",
        "2f6a9b00109624f2f9f26af05fa09e17c38f0e39f6",
        "2b4fe29624f2f9f26af05f57e77264c3f2be5d",
    ]),
];

#[test]
fn every_header_form() {
    let number = RecordNumber::new(3, 0x5fe);
    for (aead, algorithm, records) in FORMS {
        let secret = secret(algorithm);
        let writer = secret.writer(&PROVIDER, aead).unwrap();
        let forms = [(false, false), (false, true), (true, false), (true, true)];
        for (form, expected) in forms.into_iter().zip(records) {
            let data = ContentType::APPLICATION_DATA;
            assert_eq!(hex(&writer.seal_unified(data, number, form, b"hello").unwrap()), expected);
            let mut reader = secret.reader(&PROVIDER, aead, 3).unwrap();
            // Something close has to be received before eight bits say which number is meant.
            if !form.0 {
                let before = RecordNumber::new(3, 0x590);
                let sealed = writer.seal_unified(data, before, (true, true), b"before").unwrap();
                assert_eq!(open(&mut reader, &sealed).unwrap().1, before);
            }
            assert_eq!(open(&mut reader, &bytes(expected)), Ok((data, number, b"hello".to_vec())));
            assert_eq!(open(&mut reader, &bytes(expected)), Err(Discard::Replay));
            for bit in 0..expected.len() * 4 {
                let mut changed = bytes(expected);
                changed[bit / 8] ^= 1 << (bit % 8);
                let mut datagram = changed.clone();
                if let Ok((record, _)) = UnifiedRecord::split_first(&mut datagram) {
                    assert!(reader.open(record).is_err(), "{aead:?} {form:?}: bit {bit} changed");
                }
            }
        }
    }
}

#[test]
fn padding_of_the_sender_is_taken_off() {
    let secret = secret(HashAlgorithm::Sha256);
    let mut reader = secret.reader(&PROVIDER, AeadAlgorithm::Aes128Ccm8, 3).unwrap();
    let empty = bytes("2395083fef86fbaaf2374a439502a722dcfc");
    let seven = (ContentType::APPLICATION_DATA, RecordNumber::new(3, 7), Vec::new());
    assert_eq!(open(&mut reader, &empty), Ok(seven));
    // The least a sender may do and what this library does.
    let writer = secret.writer(&PROVIDER, AeadAlgorithm::Aes128Ccm8).unwrap();
    let number = RecordNumber::new(3, 7);
    let sealed = writer.seal_unified(ContentType::APPLICATION_DATA, number, (false, true), b"");
    assert_eq!(sealed.unwrap(), empty);
    let mut reader = secret.reader(&PROVIDER, AeadAlgorithm::Aes128Ccm8, 3).unwrap();
    let alert = bytes("23261e3ffa86fbaaf237730418248a20305e");
    assert_eq!(open(&mut reader, &alert), Ok((ContentType::ALERT, number, vec![1, 0])));
    let mut reader = secret.reader(&PROVIDER, AeadAlgorithm::Aes128Gcm, 3).unwrap();
    let long =
        "2fb2a4002aaa56939455b06c0b39aaa57b5cf21a969bab23f2faa0ab8febc8d6da70b249031eb3225fcc8f78c13321";
    let expected = (ContentType::HANDSHAKE, RecordNumber::new(3, 0x5ff), b"hello".to_vec());
    assert_eq!(open(&mut reader, &bytes(long)), Ok(expected));
}

#[test]
fn only_the_low_bits_of_a_number_travel_but_all_are_in_the_nonce() {
    let secret = secret(HashAlgorithm::Sha256);
    let record = bytes("2beb9cf346a273005af084c44db08424557978c39ff87149a5");
    let number = RecordNumber::new(3, 0x10_05fe);
    let writer = secret.writer(&PROVIDER, AeadAlgorithm::Aes128Gcm).unwrap();
    let data = ContentType::APPLICATION_DATA;
    assert_eq!(writer.seal_unified(data, number, (true, true), b"hello").unwrap(), record);
    let mut reader = secret.reader(&PROVIDER, AeadAlgorithm::Aes128Gcm, 3).unwrap();
    assert_eq!(open(&mut reader, &record), Err(Discard::BadTag), "taken for 3:0x5fe");
    // Steps of less than half the range of 16 bits.
    for seq in (0..0x10_05fe).step_by(0x7fff) {
        let sealed = writer.seal_unified(data, RecordNumber::new(3, seq), (true, true), b"").unwrap();
        assert_eq!(open(&mut reader, &sealed).unwrap().1.seq(), seq);
    }
    assert_eq!(open(&mut reader, &record), Ok((data, number, b"hello".to_vec())));
}

#[test]
fn exporter() {
    let secret: Vec<u8> = (0..32).collect();
    let secret = TrafficSecret::from_bytes(hash(HashAlgorithm::Sha256), &secret);
    let export = |context, length| {
        let mut out = vec![0; length];
        secret.exporter().export(&PROVIDER, "EXPORTER-test", context, &mut out).map(|()| hex(&out))
    };
    let longest = export(Some(&b"ctx"[..]), 255 * 32).unwrap();
    assert!(longest.starts_with("f4253167cf5f76780aba9c66bcad8de7"), "{longest}");
    assert!(longest.ends_with("ff2d1aa9bb38b525dbb95e66c8b10127"), "{longest}");
    assert_eq!(export(Some(b"ctx"), 255 * 32 + 1), Err(ApiMisuse::OutputTooLong), "HKDF ends here");
    let without = "f0fdab7a2b990edcb0be7241ba474e5498afda3ca103da313d38b3266e635e59";
    assert_eq!(export(None, 32).unwrap(), without);
    assert_eq!(export(Some(b""), 32).unwrap(), without, "no context and an empty one are the same");
}

/// The key 01..20 of "Client_identity" with the context "context", imported for each hash (RFC 9258 §4.1): the identity on the
/// wire, the key, the binder key, and the binder over a transcript "abc".
const IMPORTED: [(HashAlgorithm, [&str; 4]); 2] = [
    (
        HashAlgorithm::Sha256,
        [
            "000f436c69656e745f6964656e746974790007636f6e74657874fefc0001",
            "5eb6d5ac3c09e669d7a060f1df9389fb737dfb838b7e02fc00873e9b29ba152b",
            "b27667b6a5c41189c1fae0d0161aa8b5290bfbe9eb15a2eb052da5b4a3ed41d9",
            "73cd66335ebd372947a9565cb3041f5fb3936299ff6487c51c020d9020662f1d",
        ],
    ),
    (
        HashAlgorithm::Sha384,
        [
            "000f436c69656e745f6964656e746974790007636f6e74657874fefc0002",
            "267f1991ee8a37ae6cedf3c776d7e78a5e13c306230fe10686ec0b9f81da23ff\
             d1182e3032354f5ba778798e3d361179",
            "a1e20af600e8b122b488125660b82b5b7a757aec9703cc270b00b9db66ce0b07\
             c99274e5568c1d9714b326a15ad6b8da",
            "47b1f9f8e7ad851a2362217e7ad18d7800336f52e8453d902f60deff3d6871b7\
             547b2c6c3f0d5797414f254041a2fd74",
        ],
    ),
];

#[test]
fn imported_keys() {
    let key: Vec<u8> = (1..=32).collect();
    let psk = Psk::imported(b"Client_identity", &key, b"context");
    let config = ClientConfig::builder(PROVIDER).psks([psk]).build().unwrap();
    let offered = offered_keys(&config);
    assert_eq!(offered.len(), IMPORTED.len());
    for (algorithm, [identity, key, binder_key, binder]) in IMPORTED {
        let (_, found) = offered.iter().find(|(i, _)| hex(i) == identity).expect("not offered");
        assert_eq!(hex(found), key);
        let hash = hash(algorithm);
        let secret = Early::new(hash, found).binder(PskOrigin::Imported);
        assert_eq!(hex(secret.as_bytes()), binder_key);
        assert_eq!(hex(secret.verify_data(&digest(hash, b"abc")).as_bytes()), binder);
    }
}

fn digest(hash: &dyn Hash, data: &[u8]) -> Digest {
    let mut context = hash.start();
    context.update(data);
    context.current()
}
