//! HKDF, its labels and the transcript against published vectors: The Illustrated DTLS 1.3 Connection for the prefix of DTLS,
//! RFC 8448 and NIST ACVP for that of TLS, which shares everything else.

use std::fs;

use dtls_core::{
    HandshakeType, Rng, RngError,
    crypto::{AeadAlgorithm, Digest, Hash, HashAlgorithm, KxGroupId},
    internals::{
        Early, End, Message, TrafficSecret, Transcript13, expand_label, expand_label_with_prefix, extract,
    },
};
use dtls_crypto::PROVIDER;
use serde_json::Value;
use vectors::{Outcome, check};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
const TLS: &[u8] = b"tls13 ";

fn parse(name: &str) -> Value {
    serde_json::from_slice(&fs::read(format!("{DATA}/{name}.json")).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn sha256() -> &'static dyn Hash {
    PROVIDER.hash(HashAlgorithm::Sha256).unwrap()
}

fn digest(hash: &dyn Hash, parts: &[&[u8]]) -> Digest {
    let mut context = hash.start();
    parts.iter().for_each(|part| context.update(part));
    context.current()
}

/// Derive-Secret of TLS.
fn derive(hash: &dyn Hash, secret: &[u8], label: &str, transcript: &[u8]) -> Vec<u8> {
    let mut out = vec![0; hash.algorithm().digest_len()];
    expand_label_with_prefix(hash, secret, [TLS, label.as_bytes()], transcript, &mut out);
    out
}

struct Fixed(Vec<u8>);

impl Rng for Fixed {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn illustrated_records() {
    let mut file = parse("illustrated-dtls13");
    for line in file["keylog"].as_array_mut().unwrap() {
        // The page leaves the generation out of these labels.
        *line = line.as_str().unwrap().replace("_TRAFFIC_SECRET ", "_TRAFFIC_SECRET_0 ").into();
        *line =
            line.as_str().unwrap().replace("HANDSHAKE_TRAFFIC_SECRET_0", "HANDSHAKE_TRAFFIC_SECRET").into();
    }
    let outcome = check(&serde_json::to_vec(&file).unwrap());
    let Outcome::Verified { records, protected, resealed, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((records, protected, resealed), (11, 9, 9));
}

#[test]
fn illustrated_key_schedule() {
    let file = parse("illustrated-dtls13");
    let (schedule, inputs) = (&file["key_schedule"], &file["inputs"]);
    let expected = |name: &str| bytes(&schedule[name]);
    let hash = sha256();
    let mut messages = file["handshake_messages"].as_array().unwrap().iter().map(|message| {
        let dtls = bytes(&message["dtls_hex"]);
        Message {
            typ: HandshakeType(dtls[0]),
            seq: u16::from_be_bytes([dtls[4], dtls[5]]),
            body: dtls[12..].to_vec(),
        }
    });
    let mut transcript = Transcript13::new(hash);
    messages.by_ref().take(2).for_each(|message| transcript.add(&message));
    let hellos = transcript.current();
    assert_eq!(hellos.as_bytes(), expected("transcript_ch_sh"));

    let group = PROVIDER.group(KxGroupId::X25519).unwrap();
    let share = group.start(&mut Fixed(bytes(&inputs["client_x25519_private"]))).unwrap();
    assert_eq!(share.public_key(), bytes(&inputs["client_x25519_public"]));
    let shared = share.agree(&bytes(&inputs["server_x25519_public"])).unwrap();
    assert_eq!(shared[..], expected("shared_secret"));

    // Each step by itself, and then the stages a connection goes through.
    let derive = |secret: &[u8], label: &[u8]| {
        let mut out = [0; 32];
        expand_label(hash, secret, label, digest(hash, &[]).as_bytes(), &mut out);
        out
    };
    let early = extract(hash, &[0; 32], &[0; 32]);
    assert_eq!(early.as_bytes(), expected("early_secret"));
    let derived = derive(early.as_bytes(), b"derived");
    assert_eq!(derived[..], expected("derived_for_handshake"));
    let secret = extract(hash, &derived, &shared[..]);
    assert_eq!(secret.as_bytes(), expected("handshake_secret"));
    let derived = derive(secret.as_bytes(), b"derived");
    assert_eq!(derived[..], expected("derived_for_master"));
    let master = extract(hash, &derived, &[0; 32]);
    assert_eq!(master.as_bytes(), expected("master_secret"));
    let stage = Early::new(hash, &[0; 32]).into_handshake(Some(&shared[..]), &hellos);
    for (end, name, finished) in [
        (End::Client, "client_handshake", "client_finished_key"),
        (End::Server, "server_handshake", "server_finished_key"),
    ] {
        check_traffic(&stage.secret(end), &schedule[name]);
        let mut key = [0; 32];
        expand_label(hash, stage.secret(end).as_bytes(), b"finished", &[], &mut key);
        assert_eq!(key[..], expected(finished));
    }

    let mut messages = messages.collect::<Vec<_>>().into_iter();
    for message in messages.by_ref().take(4) {
        if message.typ == HandshakeType::FINISHED {
            let verify_data = stage.secret(End::Server).verify_data(&transcript.current());
            assert_eq!(verify_data.as_bytes(), message.body);
        }
        transcript.add(&message);
    }
    assert_eq!(transcript.current().as_bytes(), expected("transcript_to_server_finished"));
    let [client, server, exporter] = stage.traffic(&transcript.current());
    check_traffic(&client, &schedule["client_application"]);
    check_traffic(&server, &schedule["server_application"]);
    assert_eq!(exporter.as_bytes(), expected("exporter_master_secret_computed"));
    let finished = messages.next().unwrap();
    let verify_data = stage.secret(End::Client).verify_data(&transcript.current());
    assert_eq!(verify_data.as_bytes(), finished.body);
    transcript.add(&finished);
    assert_eq!(transcript.current().as_bytes(), expected("transcript_to_client_finished"));
    assert!(messages.next().is_none());
}

/// A traffic secret and what record protection makes of it.
fn check_traffic(secret: &TrafficSecret, expected: &Value) {
    assert_eq!(secret.as_bytes(), bytes(&expected["secret"]));
    for (label, name) in [("key", "key"), ("iv", "iv"), ("sn", "sn")] {
        let mut out = vec![0; bytes(&expected[name]).len()];
        expand_label(sha256(), secret.as_bytes(), label.as_bytes(), &[], &mut out);
        assert_eq!(out, bytes(&expected[name]), "{name}");
    }
    assert!(secret.writer(&PROVIDER, AeadAlgorithm::Aes128Gcm).is_ok());
}

/// A step of RFC 8448's traces: its fields by name.
struct Step<'a>(&'a Value);

impl Step<'_> {
    fn what(&self) -> &str {
        self.0["what"].as_str().unwrap()
    }

    fn field(&self, name: &str) -> Option<Vec<u8>> {
        let mut fields = self.0["fields"].as_array().unwrap().iter();
        let field = fields.find(|f| f["name"] == name)?;
        Some(field.get("hex").filter(|hex| !hex.is_null()).map(bytes).unwrap_or_default())
    }

    fn must(&self, name: &str) -> Vec<u8> {
        self.field(name).unwrap_or_else(|| panic!("{}: no {name}", self.what()))
    }

    /// The label between quotes, without its prefix.
    fn label(&self) -> &str {
        self.what().split('"').nth(1).unwrap().strip_prefix("tls13 ").unwrap()
    }
}

fn tls_message(bytes: &[u8]) -> Message {
    Message { typ: HandshakeType(bytes[0]), seq: 0, body: bytes[4..].to_vec() }
}

/// The label's part of `info` is what the RFC says it is, and the core makes the same of it.
fn check_expand(step: &Step<'_>, label: &str, [context, info, expanded]: [&[u8]; 3]) {
    let prefix_len = 3;
    assert_eq!(&info[prefix_len..prefix_len + TLS.len() + label.len()], [TLS, label.as_bytes()].concat());
    let mut out = vec![0; expanded.len()];
    let prk = step.must("PRK");
    expand_label_with_prefix(sha256(), &prk, [TLS, label.as_bytes()], context, &mut out);
    assert_eq!(out, expanded, "{}", step.what());
}

#[test]
fn rfc8448_steps() {
    let file = parse("rfc8448");
    let (mut extracted, mut expanded, mut finished, mut keys) = (0, 0, 0, 0);
    for section in file["sections"].as_array().unwrap() {
        for step in section["steps"].as_array().unwrap().iter().map(Step) {
            if let (Some(salt), Some(secret)) = (step.field("salt"), step.field("secret")) {
                let salt = if salt.is_empty() { vec![0; 32] } else { salt };
                assert_eq!(extract(sha256(), &salt, &step.must("IKM")).as_bytes(), secret);
                extracted += 1;
            }
            if step.field("finished").is_some() {
                check_expand(&step, "finished", [&[], &step.must("info"), &step.must("expanded")]);
                finished += 1;
            } else if let (Some(info), Some(out)) = (step.field("info"), step.field("expanded")) {
                check_expand(&step, step.label(), [&step.must("hash"), &info, &out]);
                expanded += 1;
            }
            for label in ["key", "iv"] {
                if let Some(info) = step.field(&format!("{label} info")) {
                    check_expand(&step, label, [&[], &info, &step.must(&format!("{label} expanded"))]);
                    keys += 1;
                }
            }
        }
    }
    assert_eq!((extracted, expanded, finished, keys), (15, 48, 11, 42));
}

/// The transcript of each trace: whenever a secret is derived from it or a Finished made, its hash is the one in the RFC.
#[test]
fn rfc8448_transcripts() {
    let file = parse("rfc8448");
    let (mut hashes, mut verified, mut bound, mut retried) = (0, 0, 0, 0);
    for section in file["sections"].as_array().unwrap() {
        let mut transcript = Transcript13::new(sha256());
        let mut hello = None;
        for step in section["steps"].as_array().unwrap().iter().map(Step) {
            let what = step.what();
            if what.starts_with("derive secret") && step.label() != "derived" && step.field("hash").is_some()
            {
                assert_eq!(transcript.current().as_bytes(), step.must("hash"), "{what}");
                hashes += 1;
            }
            if let (true, Some(data)) = (what.starts_with("calculate finished"), step.field("finished")) {
                let hash = transcript.current();
                let tag = sha256().hmac(&step.must("expanded")).sign(&[hash.as_bytes()]);
                assert_eq!(tag.as_bytes(), data);
                verified += 1;
            }
            if let Some(prefix) = step.field("ClientHello prefix") {
                // The binders that follow belong to the length in the header: 2 + 1 + 32 bytes.
                let mut whole = tls_message(&prefix);
                whole.body.resize(whole.body.len() + 35, 0);
                let hash = transcript.with_part(&whole, &prefix[4..]);
                assert_eq!(hash.as_bytes(), step.must("binder hash"));
                let tag = sha256().hmac(&step.must("expanded")).sign(&[hash.as_bytes()]);
                assert_eq!(tag.as_bytes(), step.must("finished"));
                bound += 1;
            }
            // Hellos with binders are whole only when they are sent.
            if what == "send handshake record" && step.must("payload")[0] == 1 {
                let message = tls_message(&step.must("payload"));
                transcript.add(&message);
                hello = Some(message);
            }
            for name in MESSAGES {
                if let Some(found) = step.field(name).filter(|_| what.starts_with("construct")) {
                    let message = tls_message(&found);
                    // RFC 8446 §4.1.3: the random value of a HelloRetryRequest.
                    let retry = digest(sha256(), &[b"HelloRetryRequest"]);
                    if *name == "ServerHello" && message.body[2..34] == *retry.as_bytes() {
                        transcript = Transcript13::after_retry(sha256(), hello.as_ref().unwrap());
                        retried += 1;
                    }
                    transcript.add(&message);
                }
            }
        }
    }
    assert_eq!((hashes, verified, bound, retried), (32, 10, 1, 1));
}

const MESSAGES: &[&str] = &[
    "ServerHello",
    "EncryptedExtensions",
    "CertificateRequest",
    "Certificate",
    "CertificateVerify",
    "Finished",
    "EndOfEarlyData",
];

#[test]
fn acvp_key_schedule() {
    let file = parse("acvp-tls13-kdf");
    let mut run = 0;
    for group in file["groups"].as_array().unwrap() {
        let hash = PROVIDER.hash(match group["hmacAlg"].as_str().unwrap() {
            "SHA2-256" => HashAlgorithm::Sha256,
            "SHA2-384" => HashAlgorithm::Sha384,
            other => panic!("{other}"),
        });
        let hash = hash.unwrap();
        for test in group["tests"].as_array().unwrap() {
            check_acvp(hash, test);
            run += 1;
        }
    }
    assert_eq!(run, 10);
}

/// The random values stand for the messages of a transcript.
fn check_acvp(hash: &dyn Hash, test: &Value) {
    let zeros = vec![0; hash.algorithm().digest_len()];
    let input = |name: &str| test.get(name).map_or_else(|| zeros.clone(), bytes);
    let names = ["helloClientRandom", "helloServerRandom", "finishedServerRandom", "finishedClientRandom"];
    let messages = names.map(|name| bytes(&test[name]));
    let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
    let transcript = |count| digest(hash, &messages[..count]);
    let empty = transcript(0);
    let check = |secret: &Digest, count, secrets: &[(&str, &str)]| {
        for (label, name) in secrets {
            let derived = derive(hash, secret.as_bytes(), label, transcript(count).as_bytes());
            assert_eq!(derived, bytes(&test["expected"][name]), "{name}");
        }
    };
    let next = |secret: &Digest, input: &[u8]| {
        extract(hash, &derive(hash, secret.as_bytes(), "derived", empty.as_bytes()), input)
    };
    let early = extract(hash, &zeros, &input("psk"));
    check(
        &early,
        1,
        &[("c e traffic", "clientEarlyTrafficSecret"), ("e exp master", "earlyExporterMasterSecret")],
    );
    let handshake = next(&early, &input("dhe"));
    check(
        &handshake,
        2,
        &[("c hs traffic", "clientHandshakeTrafficSecret"), ("s hs traffic", "serverHandshakeTrafficSecret")],
    );
    let master = next(&handshake, &zeros);
    check(
        &master,
        3,
        &[
            ("c ap traffic", "clientApplicationTrafficSecret"),
            ("s ap traffic", "serverApplicationTrafficSecret"),
            ("exp master", "exporterMasterSecret"),
        ],
    );
    check(&master, 4, &[("res master", "resumptionMasterSecret")]);
}
