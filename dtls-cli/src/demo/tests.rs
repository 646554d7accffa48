//! The demonstration as a whole.

use super::*;

fn lossy(seed: u64) -> DemoArgs {
    DemoArgs { loss: 0.3, duplicate: 0.1, reorder: 0.2, mtu: 1232, version: DemoVersion::V1_2, seed }
}

fn output(args: &DemoArgs) -> (Result<(), Failure>, String) {
    let mut out = Vec::new();
    let end = run(args, &mut out);
    (end, String::from_utf8(out).unwrap())
}

#[test]
fn a_bad_link_delays_and_never_prevents_the_reading() {
    let mut lost = 0;
    for seed in 1..=200 {
        let (end, text) = output(&lossy(seed));
        assert_eq!(end, Ok(()), "seed {seed}\n{text}");
        assert!(text.contains("gateway has the reading") && text.contains("delivered and acknowledged"));
        lost += text.matches("  lost").count();
    }
    assert!(lost > 200, "only {lost} datagrams were lost");
}

#[test]
fn small_datagrams_on_a_bad_link() {
    for seed in 1..=50 {
        let (end, text) = output(&DemoArgs { mtu: 228, ..lossy(seed) });
        assert_eq!(end, Ok(()), "seed {seed}\n{text}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    assert_eq!(output(&lossy(7)), output(&lossy(7)));
    assert_ne!(output(&lossy(7)).1, output(&lossy(8)).1);
}

#[test]
fn the_newest_version_on_a_bad_link_and_a_good_one() {
    for seed in 1..=200 {
        let (end, text) = output(&DemoArgs { version: DemoVersion::V1_3, ..lossy(seed) });
        assert_eq!(end, Ok(()), "seed {seed}\n{text}");
    }
    let good = DemoArgs { loss: 0.0, duplicate: 0.0, reorder: 0.0, version: DemoVersion::V1_3, ..lossy(1) };
    let (end, text) = output(&good);
    assert_eq!(end, Ok(()));
    assert!(!text.contains("again"), "{text}");
    let mut rest = text.as_str();
    for part in [
        "ClientHello",
        "HelloRetryRequest",
        "ClientHello",
        "ServerHello, {EncryptedExtensions, Finished} epoch 2",
        "{Finished} epoch 2",
        "reading 'temperature 21.5 C'",
        "[ACK] epoch 3",
        "close_notify",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("no {part} in order in\n{text}")).1;
    }
}

#[test]
fn a_good_link_needs_each_message_once() {
    let (end, text) = output(&DemoArgs {
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        mtu: 1232,
        version: DemoVersion::V1_2,
        seed: 1,
    });
    assert_eq!(end, Ok(()));
    assert!(!text.contains("again") && text.contains("0 lost"), "{text}");
    let mut rest = text.as_str();
    for message in [
        "ClientHello",
        "HelloVerifyRequest",
        "ClientHello",
        "ServerHello",
        "ClientKeyExchange, ChangeCipherSpec, Finished",
        "ChangeCipherSpec, Finished",
        "reading 'temperature 21.5 C'",
        "confirmation",
        "close_notify",
        "openssl s_client",
    ] {
        rest = rest.split_once(message).unwrap_or_else(|| panic!("no {message} in order in\n{text}")).1;
    }
}

#[test]
fn a_dead_link_ends_with_one_sentence() {
    let (end, _) = output(&DemoArgs { loss: 1.0, ..lossy(1) });
    let failure = end.unwrap_err();
    assert_eq!(failure.code(), 1);
    assert!(failure.to_string().starts_with("the sensor gave up after 600 virtual seconds"), "{failure}");
}
