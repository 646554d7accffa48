//! Key derivation vectors of NIST and others, through the core's own PRF and master secret.

use std::fs;

use dtls_core::{
    crypto::{Digest, Hash, HashAlgorithm, Prf},
    internals::{Keys, psk_premaster},
};
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

fn parse(name: &str) -> Value {
    serde_json::from_slice(&fs::read(format!("{DATA}/{name}.json")).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hash(name: &Value) -> Option<&'static dyn Hash> {
    let algorithm = match name.as_str().unwrap() {
        "sha256" | "SHA2-256" => HashAlgorithm::Sha256,
        "sha384" | "SHA2-384" => HashAlgorithm::Sha384,
        _ => return None,
    };
    dtls_crypto::PROVIDER.hash(algorithm)
}

#[test]
fn tls12_prf() {
    let file = parse("tls12-prf");
    let vectors = file["vectors"].as_array().unwrap();
    for vector in vectors {
        let expected = bytes(&vector["output"]);
        let (label, seed) = (vector["label"].as_str().unwrap(), bytes(&vector["seed"]));
        let mut out = vec![0; expected.len()];
        let prf = Prf::new(hash(&vector["hash"]).unwrap(), &bytes(&vector["secret"]));
        prf.expand(label.as_bytes(), [&seed, &[], &[], &[]], &mut out);
        assert_eq!(out, expected, "{label}");
        // Where the seed is cut makes no difference.
        let (a, b) = seed.split_at(seed.len() / 3);
        prf.expand(label.as_bytes(), [a, &[], b, &[]], &mut out);
        assert_eq!(out, expected, "{label}");
    }
    assert_eq!(vectors.len(), 4);
}

/// The master secret vector of the file above once more, through the function that connections call.
#[test]
fn master_secret_from_randoms() {
    let file = parse("tls12-prf");
    let vector = file["vectors"].as_array().unwrap().iter().find(|v| v["label"] == "master secret").unwrap();
    let seed = bytes(&vector["seed"]);
    let (client, server) = seed.split_at(32);
    let keys = Keys::from_premaster(
        hash(&vector["hash"]).unwrap(),
        &bytes(&vector["secret"]),
        client.try_into().unwrap(),
        server.try_into().unwrap(),
        None,
    );
    assert_eq!(keys.master_secret()[..], bytes(&vector["output"]));
}

#[test]
fn acvp_extended_master_secret() {
    let file = parse("acvp-tls12-ems-kdf");
    let (mut run, mut without_hash) = (0, 0);
    for group in file["groups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let Some(hash) = hash(&group["hashAlg"]) else {
                without_hash += 1;
                continue;
            };
            let client: [u8; 32] = bytes(&test["clientRandom"]).try_into().unwrap();
            let server: [u8; 32] = bytes(&test["serverRandom"]).try_into().unwrap();
            let session_hash = Digest::new(&bytes(&test["sessionHash"]));
            let premaster = bytes(&test["preMasterSecret"]);
            let keys = Keys::from_premaster(hash, &premaster, client, server, Some(&session_hash));
            assert_eq!(keys.master_secret()[..], bytes(&test["expected"]["masterSecret"]));
            let expected = bytes(&test["expected"]["keyBlock"]);
            let mut block = vec![0; expected.len()];
            let prf = Prf::new(hash, keys.master_secret());
            prf.expand(b"key expansion", [&server, &client, &[], &[]], &mut block);
            assert_eq!(block, expected);
            run += 1;
        }
    }
    assert_eq!((run, without_hash), (13, 1), "SHA-512 is no hash of a DTLS suite");
}

#[test]
fn wiresharks_premaster_secret() {
    let file = parse("wireshark-dtls12-psk-aes128ccm8");
    assert_eq!(psk_premaster(&bytes(&file["psk"])), bytes(&file["premaster_secret"]));
}
