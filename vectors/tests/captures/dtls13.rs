//! That the checker notices when anything in a DTLS 1.3 capture is off.

use serde_json::{Value, json};
use vectors::Outcome;

use super::{check_value, field_after, fields_compared, flip, parse};

/// With one label for every way a capture comes to its keys and records.
const VARIED: [&str; 8] = [
    "wolf13-psk-only",
    "wolf13-psk-dhe",
    "wolf13-0rtt-nocookie",
    "wolf13-cid-chacha",
    "wolf13-keyupdate",
    "wolf13-posthandshake-auth",
    "wolf13-full-aes256gcm",
    "x13-wolfsrv-boringcli",
];

#[test]
fn every_bit_on_the_wire_counts() {
    for name in VARIED {
        let capture = parse(&format!("captures/{name}"));
        for (d, datagram) in capture["datagrams"].as_array().unwrap().iter().enumerate() {
            // The low and the high half of bytes in turn; large datagrams in larger steps.
            let digits = datagram["hex"].as_str().unwrap().len();
            for at in (0..digits).step_by((digits / 12) | 1) {
                field_after(name, |capture| flip(&mut capture["datagrams"][d]["hex"], at));
            }
        }
    }
}

#[test]
fn a_forged_record_fails_even_if_its_header_is_expected() {
    let name = "wolf13-psk-only";
    // The last datagram has one record: five bytes of header, of which two hold the masked number.
    let last = parse(&format!("captures/{name}"))["datagrams"].as_array().unwrap().len() - 1;
    let (field, record) = field_after(name, |c| {
        flip(&mut c["datagrams"][last]["hex"], 3);
        flip(&mut c["datagrams"][last]["records"][0]["hdr"], 3);
    });
    assert_eq!((field.as_str(), record), ("clear_hdr", 14));
    let (field, _) = field_after(name, |c| {
        flip(&mut c["datagrams"][last]["hex"], 3);
        flip(&mut c["datagrams"][last]["records"][0]["hdr"], 3);
        flip(&mut c["datagrams"][last]["records"][0]["clear_hdr"], 3);
    });
    assert_eq!(field, "type", "nothing was opened");
    // Behind the sample that the mask is made of.
    let (field, _) = field_after(name, |c| flip(&mut c["datagrams"][last]["hex"], 2 * (5 + 16)));
    assert_eq!(field, "type");
}

#[test]
fn every_expected_field_is_compared() {
    for name in ["wolf13-psk-only", "wolf13-cid-chacha", "wolf13-keyupdate"] {
        // Six of legacy records and five more of unified ones.
        assert_eq!(fields_compared(name), 11, "{name}");
    }
}

#[test]
fn every_secret_of_the_key_log_is_used() {
    for name in VARIED {
        let lines = parse(&format!("captures/{name}"))["keylog"].as_array().unwrap().clone();
        for (i, line) in lines.iter().enumerate() {
            let line = line.as_str().unwrap();
            field_after(name, |c| flip(&mut c["keylog"][i], line.len() - 1));
            let label = line.find(' ').unwrap();
            let (field, _) = field_after(name, |c| flip(&mut c["keylog"][i], label + 1));
            assert_eq!(field, "keylog", "a secret of nobody");
        }
    }
}

#[test]
fn a_psk_is_enough_without_a_key_log() {
    let mut capture = parse("captures/wolf13-psk-only");
    capture["keylog"] = json!([]);
    assert!(matches!(
        check_value(&capture),
        Outcome::Verified { records: 14, protected: 10, resealed: 10, .. }
    ));
    // The shared secret of (EC)DHE is in no file.
    let (field, _) = field_after("wolf13-psk-dhe", |c| c["keylog"] = json!([]));
    assert_eq!(field, "keylog");
}

#[test]
fn a_wrong_psk_shows_in_the_binder_and_a_wrong_secret_in_the_schedule() {
    for name in ["wolf13-psk-only", "wolf13-psk-dhe"] {
        let (field, record) = field_after(name, |c| flip(&mut c["external_psk"]["key"], 0));
        assert_eq!((field.as_str(), record), ("binder", 2), "{name}");
        let (field, _) = field_after(name, |c| c["external_psk"]["identity"] = "someone else".into());
        assert_eq!(field, "external_psk", "{name}: no binder was checked");
    }
    let name = "wolf13-psk-only";
    let lines = parse(&format!("captures/{name}"))["keylog"].as_array().unwrap().clone();
    for (i, line) in lines.iter().enumerate() {
        let line = line.as_str().unwrap();
        let (field, _) = field_after(name, |c| flip(&mut c["keylog"][i], line.len() - 1));
        assert_eq!(line.split(' ').next(), Some(field.as_str()));
    }
}

#[test]
fn a_changed_hello_shows_in_the_binder_or_in_finished() {
    // In the random value of the ServerHello: the client's keys are still in the log.
    let name = "wolf13-full-chacha20";
    let capture = parse(&format!("captures/{name}"));
    let is_server_hello = |d: &Value| d["dir"] == "s2c" && d["records"][0]["seq"] == 1;
    let at = capture["datagrams"].as_array().unwrap().iter().position(is_server_hello).unwrap();
    let random = 2 * (12 + 2);
    let (field, _) = field_after(name, |c| {
        flip(&mut c["datagrams"][at]["hex"], 2 * 13 + random);
        flip(&mut c["datagrams"][at]["records"][0]["plaintext"], random);
    });
    assert_eq!(field, "verify_data");
    // The same in the first ClientHello, which is in the transcript as a hash only; and in the binder's part.
    for (name, expected) in [("wolf13-full-chacha20", "verify_data"), ("wolf13-psk-dhe", "binder")] {
        let (field, _) = field_after(name, |c| {
            // Inside of the last extension but for PSKs: in a key share.
            let middle = c["datagrams"][0]["records"][0]["plaintext"].as_str().unwrap().len() / 2;
            flip(&mut c["datagrams"][0]["hex"], 2 * 13 + middle);
            flip(&mut c["datagrams"][0]["records"][0]["plaintext"], middle);
        });
        assert_eq!(field, expected, "{name}");
    }
}

#[test]
fn exported_keys_are_compared_in_both_versions() {
    let exporters =
        ["boring13-full", "boring13-resume", "boring12-full", "boring-range-13-12", "x13-wolfsrv-boringcli"];
    for name in exporters {
        let capture = parse(&format!("captures/{name}"));
        let Some(values) = capture["exporter"]["values_per_connection"].as_array() else {
            assert_eq!(name, "boring13-full");
            continue;
        };
        for i in 0..values.len() {
            let path = format!("exporter.values_per_connection[{i}]");
            let value = |c: &mut Value| flip(&mut c["exporter"]["values_per_connection"][i], 0);
            assert_eq!(field_after(name, value).0, path);
            assert_eq!(
                field_after(name, |c| c["exporter"]["label"] = "EXPORTER-tesu".into()).0.len(),
                path.len()
            );
            let context = |c: &mut Value| c["exporter"]["context_utf8"] = "".into();
            assert!(field_after(name, context).0.starts_with("exporter.values_per_connection"));
        }
    }
}

#[test]
fn an_acknowledgement_of_a_record_that_was_not_sent_fails() {
    // Without the datagram it names; nothing else depends on that one, which is application data or a ticket.
    let name = "wolf13-psk-only";
    let capture = parse(&format!("captures/{name}"));
    let ticket =
        |d: &Value| d["dir"] == "s2c" && d["records"][0]["epoch"] == 3 && d["records"][0]["type"] == 22;
    let at = capture["datagrams"].as_array().unwrap().iter().position(ticket).unwrap();
    let (field, _) = field_after(name, |c| drop(c["datagrams"].as_array_mut().unwrap().remove(at)));
    assert_eq!(field, "ack");
}
