//! A self-test for any implementation of [`dtls_core::crypto`]'s traits, this crate's or yours.
//!
//! [`check_provider`] runs every fitting vector of [Wycheproof](https://github.com/C2SP/wycheproof), and of RFC 9001 and
//! others for masks, through the traits, and then checks what their documentation promises beyond known answers: wrong lengths are refused, a failed open
//! leaves no plaintext, a forked hash is independent, bad public keys give errors. It takes a second or two, and belongs
//! into a provider's tests:
//!
//! ```
//! let report = dtls_crypto::self_test::check_provider(&dtls_crypto::PROVIDER).unwrap();
//! println!("{report}");
//! assert_eq!(report.skipped(), 0);
//! ```
//!
//! Only what the provider lists is checked; an algorithm without vectors here is a failure, not a silent pass. Timing
//! and wiping of memory can't be seen from outside and are not checked.
//!
//! # Key agreement vectors
//! The traits have no entrance for private keys, so the vectors' keys go in through the random source: a share must be
//! made from the first 32 bytes it delivers (X25519: as they are; P-256: a big-endian scalar, drawn again if it is zero
//! or too large). A provider that derives its keys in another way is recognised by the public key of a known private
//! key; then vectors that need their private key are counted as skipped, and the others run with a key of its own.

mod aead;
mod hash;
mod kx;
mod mask;

use alloc::{string::String, vec::Vec};
use core::fmt;

use dtls_core::crypto::{AeadAlgorithm, HashAlgorithm, KxGroupId, Provider};

/// Checks every algorithm `provider` lists.
///
/// # Errors
/// The first [`Failure`]: what was checked, and how the provider deviated.
pub fn check_provider(provider: &Provider) -> Result<Report, Failure> {
    let mut lines = Vec::new();
    for aead in provider.aeads {
        lines.push(aead::check(*aead)?);
        lines.push(mask::check(*aead)?);
    }
    for hash in provider.hashes {
        lines.push(hash::check(*hash)?);
        lines.push(hash::check_hmac(*hash)?);
    }
    for group in provider.groups {
        lines.push(kx::check(*group)?);
    }
    for (i, line) in lines.iter().enumerate() {
        if lines.iter().skip(i + 1).any(|other| other.algorithm == line.algorithm) {
            return Err(Failure::new(
                line.algorithm,
                "contract",
                "listed twice: only the first is ever used",
            ));
        }
    }
    Ok(Report { lines })
}

/// What was checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// An AEAD.
    Aead(AeadAlgorithm),
    /// The masks made with the cipher under an AEAD.
    Mask(AeadAlgorithm),
    /// A hash function.
    Hash(HashAlgorithm),
    /// HMAC over a hash function.
    Hmac(HashAlgorithm),
    /// A key agreement group.
    Group(KxGroupId),
}

/// The outcome for one algorithm that passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Line {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// How many vectors ran.
    pub vectors: usize,
    /// How many vectors could not run, because the provider does not take private keys from its random source.
    pub skipped: usize,
}

/// A passed self-test.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Report {
    /// One line for each algorithm of the provider.
    pub lines: Vec<Line>,
}

impl Report {
    /// How many vectors ran for `algorithm`; 0 if the provider does not list it.
    pub fn vectors(&self, algorithm: Algorithm) -> usize {
        self.lines.iter().find(|line| line.algorithm == algorithm).map_or(0, |line| line.vectors)
    }

    /// How many vectors were skipped altogether.
    pub fn skipped(&self) -> usize {
        self.lines.iter().map(|line| line.skipped).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { algorithm, vectors, skipped } in &self.lines {
            writeln!(f, "{algorithm}: {vectors} vectors passed, {skipped} skipped")?;
        }
        Ok(())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aead(algorithm) => write!(f, "{algorithm:?}"),
            Self::Mask(algorithm) => write!(f, "masks of {algorithm:?}"),
            Self::Hash(algorithm) => write!(f, "{algorithm:?}"),
            Self::Hmac(algorithm) => write!(f, "HMAC-{algorithm:?}"),
            Self::Group(id) => write!(f, "{id:?}"),
        }
    }
}

/// The provider deviates.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// Where the expectation comes from, such as "wycheproof aes_gcm, test 17" or "contract".
    pub source: String,
    /// What went wrong.
    pub what: &'static str,
}

impl Failure {
    fn new(algorithm: Algorithm, source: impl Into<String>, what: &'static str) -> Self {
        Self { algorithm, source: source.into(), what }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.algorithm, self.source, self.what)
    }
}

impl core::error::Error for Failure {}

/// Checks for one algorithm, all from one source.
#[derive(Clone)]
struct Judge {
    algorithm: Algorithm,
    source: String,
}

impl Judge {
    fn contract(algorithm: Algorithm) -> Self {
        Self { algorithm, source: "contract".into() }
    }

    fn vector(algorithm: Algorithm, set: &str, id: usize) -> Self {
        Self { algorithm, source: alloc::format!("wycheproof {set}, test {id}") }
    }

    /// Fails with `what` unless `holds`.
    fn expect(&self, holds: bool, what: &'static str) -> Result<(), Failure> {
        if holds { Ok(()) } else { Err(self.failure(what)) }
    }

    /// The value, or a failure with `what`.
    fn demand<T, E>(&self, result: Result<T, E>, what: &'static str) -> Result<T, Failure> {
        result.map_err(|_| self.failure(what))
    }

    fn failure(&self, what: &'static str) -> Failure {
        Failure::new(self.algorithm, self.source.clone(), what)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}
