use ::poly1305::{Poly1305 as Oracle, universal_hash::KeyInit};
use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

/// The plain MAC: the last block ends with a 1 byte instead of zeros and the 2^128 bit (RFC 8439 §2.5.1).
fn mac(key: &[u8; KEY_LEN], message: &[u8]) -> [u8; TAG_LEN] {
    let (full, tail) = message.split_at(message.len() - message.len() % BLOCK_LEN);
    let mut mac = Poly1305::new(key);
    mac.update_padded(full);
    if !tail.is_empty() {
        mac.accumulator.absorb(little_endian(&[tail, &[1]].concat()), 0, &mac.r);
    }
    mac.tag()
}

fn check(key: &str, message: &[u8], tag: &str) {
    assert_eq!(mac(&hex(key).try_into().unwrap(), message).as_slice(), hex(tag), "key {key}");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn rfc_8439_section_2_5_2() {
    check(
        "85d6be7857556d337f4452fe42d506a8 0103808afb0db2fd4abff6af4149f51b",
        b"Cryptographic Forum Research Group",
        "a8061dc1305136c6c22b8baf0c0127a9",
    );
}

#[test]
fn rfc_8439_appendix_a_3_texts() {
    let text = b"Any submission to the IETF intended by the Contributor for publication as all or part of an IETF \
        Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an \"IETF \
        Contribution\". Such statements include oral statements in IETF sessions, as well as written and electronic \
        communications made at any time or place, which are addressed to";
    let s = "36e5f6b5c5e06070f0efca96227a863e";
    let zero = "00000000000000000000000000000000";
    check(&[zero, zero].concat(), &[0; 64], zero);
    check(&[zero, s].concat(), text, s);
    check(&[s, zero].concat(), text, "f3477e7cd95417af89a6b8794c310cf0");
    check(
        "1c9240a5eb55d38af333888604f6b5f0 473917c1402b80099dca5cbc207075c0",
        b"'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\nAll mimsy were the borogoves,\n\
        And the mome raths outgrabe.",
        "4541669a7eaaee61e708dc7cbcc5eb62",
    );
}

/// Vectors 5 to 11: carries and partial reductions at their edges. R, S, data, tag.
#[test]
fn rfc_8439_appendix_a_3_edges() {
    let zero = "00000000000000000000000000000000";
    let ones = "ffffffffffffffffffffffffffffffff";
    let two = "02000000000000000000000000000000";
    let one = "01000000000000000000000000000000";
    let three = "03000000000000000000000000000000";
    let r10 = "01000000000000000400000000000000";
    let data10 = "e33594d7505e43b90000000000000000 3394d7505e4379cd0100000000000000
        00000000000000000000000000000000";
    let carry = [ones, "f0ffffffffffffffffffffffffffffff", "11000000000000000000000000000000"].concat();
    let p = [ones, "fbfefefefefefefefefefefefefefefe", "01010101010101010101010101010101"].concat();
    for (r, s, data, tag) in [
        (two, zero, ones, three),
        (two, ones, two, three),
        (one, zero, carry.as_str(), "05000000000000000000000000000000"),
        (one, zero, p.as_str(), zero),
        (two, zero, "fdffffffffffffffffffffffffffffff", "faffffffffffffffffffffffffffffff"),
        (r10, zero, [data10, one].concat().as_str(), "14000000000000005500000000000000"),
        (r10, zero, data10, "13000000000000000000000000000000"),
    ] {
        check(&[r, s].concat(), &hex(data), tag);
    }
}

/// Mostly extreme bytes, so that carries run through all words.
fn extreme_byte() -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(|byte| match byte % 8 {
        0 | 1 => 0,
        2 | 3 => 0xff,
        4 => 0xfb,
        5 => 0xfc,
        _ => byte,
    })
}

proptest! {
    #[test]
    fn equals_the_poly1305_crate(
        key in prop::array::uniform32(extreme_byte()),
        message in prop::collection::vec(extreme_byte(), 0..200),
    ) {
        let oracle = Oracle::new(&key.into()).compute_unpadded(&message);
        prop_assert_eq!(&mac(&key, &message)[..], &oracle[..]);
    }
}
