//! Schedules from a fuzzer's bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use simulated_network::Side;

use super::{Forgery, Schedule, Step};

/// More steps than this only make each execution slower.
const MOST: usize = 256;

impl<'a> Arbitrary<'a> for Schedule {
    /// As many steps as the bytes give; a derived list would end at each step with a probability of one half.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < MOST {
            steps.push(u.arbitrary()?);
        }
        Ok(Self(steps))
    }
}

impl<'a> Arbitrary<'a> for Step {
    /// One byte says what it is: random bytes and small changes mean something, and most bytes deliver what is due.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.arbitrary::<u8>()? {
            0..=99 => Self::Deliver(0),
            100..=119 => Self::Deliver(u.arbitrary()?),
            120..=124 => Self::Drop(u.arbitrary()?),
            125..=129 => Self::Duplicate(u.arbitrary()?),
            130..=134 => Self::Reorder(u.arbitrary()?, u.arbitrary()?),
            135..=138 => Self::Delay(u.arbitrary()?, u.arbitrary()?),
            139..=158 => Self::Corrupt(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            159..=162 => Self::Truncate(u.arbitrary()?, u.arbitrary()?),
            163..=166 => Self::Extend(u.arbitrary()?, bytes(u, 24)?),
            167..=171 => Self::Coalesce(u.arbitrary()?, u.arbitrary()?),
            172..=176 => Self::Split(u.arbitrary()?, u.arbitrary()?),
            177..=188 => Self::Replay(u.arbitrary::<u8>()?.into()),
            189..=204 => Self::Forge(u.arbitrary()?),
            205..=212 => Self::NextTimer,
            213..=216 => Self::Advance(u.arbitrary()?),
            217..=230 => Self::Send(side(u)?, u.arbitrary::<u16>()? % 1024),
            231..=232 => Self::Close(side(u)?),
            233..=244 => Self::Foreign(u.arbitrary::<u8>()?.into()),
            245..=248 => Self::Rebind,
            249..=253 => Self::Psk(true),
            254..=255 => Self::Psk(false),
        })
    }
}

impl<'a> Arbitrary<'a> for Forgery {
    /// Mostly types and epochs that there are, and low numbers.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            to: side(u)?,
            content_type: match u.arbitrary::<u8>()? {
                known @ 0..=223 => 20 + known % 7,
                any => any,
            },
            epoch: match u.arbitrary::<u8>()? {
                low @ 0..=239 => u16::from(low % 4),
                _ => u.arbitrary()?,
            },
            sequence: match u.arbitrary::<u8>()? {
                low @ 0..=249 => low.into(),
                _ => u.arbitrary()?,
            },
            body: bytes(u, 60)?,
        })
    }
}

/// A side, whose crate knows no fuzzers.
fn side(u: &mut Unstructured<'_>) -> Result<Side> {
    u.choose(&Side::BOTH).copied()
}

/// Up to so many bytes, fewer where the input ends.
fn bytes(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<u8>> {
    let len = usize::from(u.arbitrary::<u8>()?) % (most + 1);
    Ok(u.bytes(len.min(u.len()))?.to_vec())
}
