//! One language for what the network, the clock and the applications do in a run.
//!
//! A [`Schedule`] is a list of [`Step`]s, written one a line ([`ToString`], [`str::parse`]). It can be drawn
//! from a seed ([`Schedule::generate`]), from proptest (with shrinking, feature `proptest`) and from a fuzzer's bytes
//! (feature `arbitrary`), so that the failing input of any tool becomes a text file that any other replays.
//!
//! Steps name datagrams by *index modulo what is there*: `deliver 7` among three live datagrams delivers the second.
//! Deleting or changing steps therefore always leaves a schedule that means something, which is what shrinking needs.
//! A step that finds nothing to act on does nothing.

#[cfg(feature = "arbitrary")]
mod fuzz;
mod generate;
#[cfg(feature = "proptest")]
mod shrink;
#[cfg(test)]
mod tests;
mod text;

use simulated_network::Side;

pub use generate::Mix;
#[cfg(feature = "proptest")]
pub use shrink::{ScheduleStrategy, ScheduleTree};
pub use text::ParseError;

/// What happens in a run, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "a schedule is its steps")]
pub struct Schedule(pub Vec<Step>);

/// One thing that happens. A datagram is live from being sent until it is delivered or dropped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Step {
    /// The live datagram arrives.
    Deliver(u8),
    /// The live datagram is lost.
    Drop(u8),
    /// A copy of the live datagram joins the end of the queue.
    Duplicate(u8),
    /// Two live datagrams change places.
    Reorder(u8, u8),
    /// The live datagram leaves the queue and joins its end again after so many microseconds.
    Delay(u8, u32),
    /// A bit of a byte of the live datagram flips: (datagram, byte, bit).
    Corrupt(u8, u16, u8),
    /// The live datagram keeps this many bytes of its length, modulo the length: (datagram, bytes).
    Truncate(u8, u16),
    /// Bytes are appended to the live datagram.
    Extend(u8, Vec<u8>),
    /// The second live datagram is appended to the first, if both go the same way and the first ends with a record that
    /// says how long it is.
    Coalesce(u8, u8),
    /// The live datagram is cut in two after this many of its records: (datagram, records).
    Split(u8, u8),
    /// A copy of a datagram that was sent earlier in the run, live or not, arrives: counted from the first ever sent.
    Replay(u16),
    /// A plaintext record that nobody sent arrives.
    Forge(Forgery),
    /// Time passes until the next timer expires or delayed datagram comes back.
    NextTimer,
    /// So many microseconds pass.
    Advance(u32),
    /// An application sends so many bytes.
    Send(Side, u16),
    /// An application closes its connection.
    Close(Side),
    /// A datagram of another connection between such ends arrives where its kind goes. Only a run that has another
    /// connection knows any.
    Foreign(u16),
    /// From now on the client's datagrams come from another address. Only runs whose ends have addresses notice.
    Rebind,
    /// The server's application answers that it has, or has not, the key it was asked for.
    Psk(bool),
}

/// A plaintext record made up by an attacker on the path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Forgery {
    /// Where it arrives.
    pub to: Side,
    /// Content type.
    pub content_type: u8,
    /// Epoch in its header.
    pub epoch: u16,
    /// Sequence number in its header; the low 48 bits count.
    pub sequence: u64,
    /// Its body.
    pub body: Vec<u8>,
}

impl Forgery {
    /// The record on the wire (RFC 6347 §4.1).
    pub fn datagram(&self) -> Vec<u8> {
        let len = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        let mut bytes = vec![self.content_type, 0xfe, 0xfd];
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes()[2..]);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(&self.body[..usize::from(len)]);
        bytes
    }
}

impl Step {
    /// Whether a network that loses nothing and invents nothing does this.
    pub const fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::Deliver(_)
                | Self::NextTimer
                | Self::Advance(_)
                | Self::Send(..)
                | Self::Close(_)
                | Self::Psk(_)
        )
    }
}
