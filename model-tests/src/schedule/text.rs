//! Schedules as text: one step a line, words separated by blanks, `#` starts a comment.

use core::{fmt, str::FromStr};

use simulated_network::Side;

use super::{Forgery, Schedule, Step};

/// A line that is not a step.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// The line as it was.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: not a step: {}", self.line, self.text)
    }
}

impl core::error::Error for ParseError {}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Schedule {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = content.split_whitespace().collect();
            if !words.is_empty() {
                let error = || ParseError { line: index + 1, text: line.to_owned() };
                steps.push(parse_step(&words).ok_or_else(error)?);
            }
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(i) => write!(f, "deliver {i}"),
            Self::Drop(i) => write!(f, "drop {i}"),
            Self::Duplicate(i) => write!(f, "duplicate {i}"),
            Self::Reorder(i, j) => write!(f, "reorder {i} {j}"),
            Self::Delay(i, micros) => write!(f, "delay {i} {micros}"),
            Self::Corrupt(i, byte, bit) => write!(f, "corrupt {i} {byte} {bit}"),
            Self::Truncate(i, len) => write!(f, "truncate {i} {len}"),
            Self::Extend(i, bytes) => write!(f, "extend {i} {}", Hex(bytes)),
            Self::Coalesce(i, j) => write!(f, "coalesce {i} {j}"),
            Self::Split(i, records) => write!(f, "split {i} {records}"),
            Self::Replay(k) => write!(f, "replay {k}"),
            Self::Forge(Forgery { to, content_type, epoch, sequence, body }) => {
                write!(f, "forge {to} {content_type} {epoch} {sequence} {}", Hex(body))
            }
            Self::NextTimer => write!(f, "next-timer"),
            Self::Advance(micros) => write!(f, "advance {micros}"),
            Self::Send(side, len) => write!(f, "send {side} {len}"),
            Self::Close(side) => write!(f, "close {side}"),
            Self::Foreign(k) => write!(f, "foreign {k}"),
            Self::Rebind => f.write_str("rebind"),
            Self::Psk(true) => f.write_str("psk found"),
            Self::Psk(false) => f.write_str("psk missing"),
        }
    }
}

fn parse_step(words: &[&str]) -> Option<Step> {
    Some(match *words {
        ["deliver", i] => Step::Deliver(i.parse().ok()?),
        ["drop", i] => Step::Drop(i.parse().ok()?),
        ["duplicate", i] => Step::Duplicate(i.parse().ok()?),
        ["reorder", i, j] => Step::Reorder(i.parse().ok()?, j.parse().ok()?),
        ["delay", i, micros] => Step::Delay(i.parse().ok()?, micros.parse().ok()?),
        ["corrupt", i, byte, bit] => Step::Corrupt(i.parse().ok()?, byte.parse().ok()?, bit.parse().ok()?),
        ["truncate", i, len] => Step::Truncate(i.parse().ok()?, len.parse().ok()?),
        ["extend", i, hex] => Step::Extend(i.parse().ok()?, unhex(hex)?),
        ["coalesce", i, j] => Step::Coalesce(i.parse().ok()?, j.parse().ok()?),
        ["split", i, records] => Step::Split(i.parse().ok()?, records.parse().ok()?),
        ["replay", k] => Step::Replay(k.parse().ok()?),
        ["forge", to, content_type, epoch, sequence, hex] => Step::Forge(Forgery {
            to: side(to)?,
            content_type: content_type.parse().ok()?,
            epoch: epoch.parse().ok()?,
            sequence: sequence.parse().ok()?,
            body: unhex(hex)?,
        }),
        ["next-timer"] => Step::NextTimer,
        ["advance", micros] => Step::Advance(micros.parse().ok()?),
        ["send", from, len] => Step::Send(side(from)?, len.parse().ok()?),
        ["close", from] => Step::Close(side(from)?),
        ["foreign", k] => Step::Foreign(k.parse().ok()?),
        ["rebind"] => Step::Rebind,
        ["psk", "found"] => Step::Psk(true),
        ["psk", "missing"] => Step::Psk(false),
        _ => return None,
    })
}

fn side(word: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| side.to_string() == word)
}

/// Bytes as hexadecimal digits; `-` for none, so that a line always has all its words.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()).collect()
}
