//! The whole data set, with exact counts; and that the checker notices when any input or expectation is off by a byte.

mod dtls13;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use vectors::{Outcome, Report, check};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{DATA}/{name}.json")).unwrap()
}

fn parse(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap()
}

fn check_value(capture: &Value) -> Outcome {
    check(&serde_json::to_vec(capture).unwrap())
}

/// What the index, made by the independent decryptor, says of each capture: version and protected records.
fn index() -> BTreeMap<String, (String, usize)> {
    let index = parse("captures-index");
    let captures = index["captures"].as_array().unwrap().iter();
    let entry = |c: &Value| {
        let text = |name: &str| c[name].as_str().unwrap().to_owned();
        let protected = usize::try_from(c["protected_records"].as_u64().unwrap()).unwrap();
        (text("name"), (text("version"), protected))
    };
    captures.map(entry).collect()
}

#[test]
fn every_capture_is_verified_unless_its_suite_is_not_built() {
    let report = Report::of(Path::new(&format!("{DATA}/captures"))).unwrap();
    let index = index();
    assert_eq!(report.files.len(), 74);
    assert!(report.files.iter().map(|(name, _)| name).eq(index.keys()));
    let mut totals: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let mut unsupported = BTreeMap::new();
    for (name, outcome) in &report.files {
        let (version, in_index) = &index[name];
        match outcome {
            Outcome::Verified { records, protected, resealed, .. } => {
                assert_eq!(protected, in_index, "{name}");
                let total = totals.entry(version).or_default();
                for (total, n) in total.iter_mut().zip([1, *records, *protected, *resealed]) {
                    *total += n;
                }
            }
            Outcome::Unsupported { suite } => *unsupported.entry(suite.as_str()).or_insert(0) += 1,
            other => panic!("{name}: {other:?}"),
        }
    }
    // Captures, records, of these opened with keys, of these sealed again byte for byte.
    assert_eq!(totals, [("DTLS1.2", [36, 631, 205, 104]), ("DTLS1.3", [36, 607, 464, 436])].into());
    assert_eq!(unsupported, [("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", 2)].into());
    assert!(report.is_clean());
}

#[test]
fn every_dtls12_psk_capture_is_verified() {
    let captures = fs::read_dir(format!("{DATA}/captures")).unwrap();
    let names = captures.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "json"));
    let mut verified = 0;
    for path in names {
        let json = fs::read(&path).unwrap();
        let capture: Value = serde_json::from_slice(&json).unwrap();
        let is_psk = capture.get("psk").is_some_and(|psk| !psk.is_null());
        let is_cbc = path.to_string_lossy().contains("cbc");
        if is_psk && !is_cbc {
            assert!(matches!(check(&json), Outcome::Verified { .. }), "{}", path.display());
            verified += 1;
        }
    }
    assert_eq!(verified, 11);
}

#[test]
fn wiresharks_capture_is_verified_with_and_without_its_psk() {
    for name in ["wireshark-dtls12-psk-aes128ccm8", "wireshark-dtls12-aes128ccm8-dsb"] {
        let outcome = check(&read(name));
        assert!(
            matches!(outcome, Outcome::Verified { records: 15, protected: 7, .. }),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn a_psk_is_enough_without_a_key_log() {
    for name in [
        "ossl12-psk-aes128ccm8",
        "gnutls12-psk-aes128gcm",
        "wolf12-psk-ccm8",
        "tinydtls-client-openssl-server",
    ] {
        let mut capture = parse(&format!("captures/{name}"));
        capture["keylog"] = Value::Array(Vec::new());
        assert!(matches!(check_value(&capture), Outcome::Verified { .. }), "{name}");
    }
}

/// Applies `change` to a fresh copy of a good capture and returns the field named as wrong, with the record's number.
fn field_after(name: &str, change: impl FnOnce(&mut Value)) -> (String, usize) {
    let mut capture = parse(&format!("captures/{name}"));
    change(&mut capture);
    match check_value(&capture) {
        Outcome::Failed(mismatch) => {
            assert_ne!(mismatch.expected, mismatch.found);
            (mismatch.field, mismatch.record)
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// Changes the hex digit at `at` of a text.
fn flip(value: &mut Value, at: usize) {
    let mut text = value.as_str().unwrap().to_owned();
    let digit = u8::from_str_radix(&text[at..=at], 16).unwrap() ^ 1;
    text.replace_range(at..=at, &format!("{digit:x}"));
    *value = text.into();
}

#[test]
fn a_tampered_datagram_fails() {
    let name = "ossl12-psk-aes128ccm8";
    let capture = parse(&format!("captures/{name}"));
    let datagrams = capture["datagrams"].as_array().unwrap().len();
    // Every byte of every datagram counts.
    for d in 0..datagrams {
        let digits = capture["datagrams"][d]["hex"].as_str().unwrap().len();
        for at in (1..digits).step_by(2) {
            field_after(name, |capture| flip(&mut capture["datagrams"][d]["hex"], at));
        }
    }
    let last = datagrams - 1;
    let in_ciphertext = 2 * (13 + 8);
    let (field, record) = field_after(name, |c| flip(&mut c["datagrams"][last]["hex"], in_ciphertext));
    assert_eq!((field.as_str(), record), ("ciphertext", 15));
    // With the expectation changed alike, the tag still tells.
    let (field, _) = field_after(name, |c| {
        flip(&mut c["datagrams"][last]["hex"], in_ciphertext);
        flip(&mut c["datagrams"][last]["records"][0]["ciphertext"], 16);
    });
    assert_eq!(field, "plaintext");
}

/// Changes every field of every record of a good capture, one at a time: that field is named. Returns how many differ by name.
fn fields_compared(name: &str) -> usize {
    let capture = parse(&format!("captures/{name}"));
    let mut fields = BTreeSet::new();
    for (d, datagram) in capture["datagrams"].as_array().unwrap().iter().enumerate() {
        for (r, record) in datagram["records"].as_array().unwrap().iter().enumerate() {
            for (key, value) in record.as_object().unwrap() {
                let changed = match value {
                    Value::Number(n) => Value::from(n.as_u64().unwrap() + 1),
                    Value::String(s) => Value::from(format!("{s}0")),
                    other => panic!("{other}"),
                };
                let (field, _) = field_after(name, |c| c["datagrams"][d]["records"][r][key] = changed);
                assert_eq!(&field, key);
                fields.insert(field);
            }
        }
    }
    fields.len()
}

#[test]
fn every_expected_field_is_compared() {
    for name in ["ossl12-psk-aes128gcm", "ossl12-ecdhe-psk-chacha20", "mbed12-psk-ccm8-cid", "wolf12-resume"]
    {
        let fields = fields_compared(name);
        assert!(fields >= 9, "{name}: {fields}");
    }
}

#[test]
fn facts_about_the_connection_are_compared() {
    let name = "ossl12-psk-aes128ccm8";
    let (field, _) = field_after(name, |c| flip(&mut c["connections"][0]["server_random"], 0));
    assert_eq!(field, "connections[0].server_random");
    let (field, _) = field_after(name, |c| c["connections"][0]["cipher_suite"] = "0xa8".into());
    assert_eq!(field, "connections[0].cipher_suite");
    let (field, _) = field_after(name, |c| c["psk"]["identity"] = "someone else".into());
    assert_eq!(field, "psk.identity");
    let (field, _) = field_after(name, |c| c["decrypt"]["protected_records"] = 4.into());
    assert_eq!(field, "decrypt.protected_records");
}

#[test]
fn a_tampered_secret_fails() {
    let master_secret = "CLIENT_RANDOM ".len() + 64 + 1;
    // A PSK suite: what the key log says is compared with what the PSK gives.
    let name = "ossl12-psk-aes128ccm8";
    let (field, record) = field_after(name, |c| flip(&mut c["keylog"][0], master_secret));
    assert_eq!((field.as_str(), record), ("master_secret", 9));
    let (field, _) = field_after(name, |c| flip(&mut c["psk"]["key"], 0));
    assert_eq!(field, "master_secret");
    // Without a key log a wrong PSK gives other keys.
    let (field, _) = field_after(name, |c| {
        flip(&mut c["psk"]["key"], 0);
        c["keylog"] = Value::Array(Vec::new());
    });
    assert_eq!(field, "nonce");
    // Another suite has nothing but the key log.
    let name = "ossl12-ecdhe-psk-chacha20";
    let (field, _) = field_after(name, |c| flip(&mut c["keylog"][0], master_secret));
    assert_eq!(field, "nonce");
    let (field, _) = field_after(name, |c| c["keylog"] = Value::Array(Vec::new()));
    assert_eq!(field, "keylog");
    let (field, _) = field_after(name, |c| {
        let line = c["keylog"][0].clone();
        c["keylog"].as_array_mut().unwrap().push(line);
        flip(&mut c["keylog"][1], "CLIENT_RANDOM ".len());
    });
    assert_eq!(field, "keylog", "a secret of nobody");
}

#[test]
fn a_capture_that_ends_early_or_lacks_a_message_fails() {
    let name = "ossl12-psk-aes128ccm8";
    let (field, _) = field_after(name, |c| c["datagrams"].as_array_mut().unwrap().truncate(5));
    assert_eq!(field, "finished");
    // The transcript of the client's Finished is then another one, and so is the session hash.
    let (field, _) = field_after(name, |c| {
        let datagram = &mut c["datagrams"][3];
        let hex = datagram["hex"].as_str().unwrap().to_owned();
        datagram["hex"] = hex[..hex.len() - 50].into();
        datagram["records"].as_array_mut().unwrap().pop();
    });
    assert_eq!(field, "master_secret");
    let (field, _) = field_after(name, |c| drop(c["datagrams"][3]["records"].as_array_mut().unwrap().pop()));
    assert_eq!(field, "fmt", "a record on the wire that the file does not list");
    let (field, _) = field_after(name, |c| {
        let extra = c["datagrams"][0]["records"][0].clone();
        c["datagrams"][0]["records"].as_array_mut().unwrap().push(extra);
    });
    assert_eq!(field, "records");
}

#[test]
fn what_is_no_capture_is_unreadable() {
    let good = parse("captures/ossl12-psk-aes128ccm8");
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut capture = good.clone();
        change(&mut capture);
        serde_json::to_vec(&capture).unwrap()
    };
    let cases: [(&str, Vec<u8>); 12] = [
        ("not JSON", b"{ \"datagrams\": [".to_vec()),
        ("not JSON", vec![0xff, 0xfe]),
        ("not JSON", Vec::new()),
        ("an object", b"[]".to_vec()),
        ("datagrams", b"{}".to_vec()),
        ("records", br#"{"keylog": [], "datagrams": []}"#.to_vec()),
        ("hex", broken(&|c| c["datagrams"][0]["hex"] = "0".into())),
        ("dir", broken(&|c| c["datagrams"][0]["dir"] = "up".into())),
        ("client_port", broken(&|c| c["datagrams"][0]["client_port"] = Value::Null)),
        ("key log line 1", broken(&|c| c["keylog"][0] = "CLIENT_RANDOM 00 00".into())),
        ("keylog", broken(&|c| c["keylog"] = Value::Null)),
        ("PSK", broken(&|c| c["psk"]["key"] = "secret".into())),
    ];
    for (needle, json) in cases {
        match check(&json) {
            Outcome::Unreadable(why) => assert!(why.to_string().contains(needle), "{needle}: {why}"),
            other => panic!("{needle}: {other:?}"),
        }
    }
}
