//! The 12-byte handshake header of DTLS and the fragments it describes (RFC 6347 §4.2.2, §4.2.3).
//!
//! Knows one fragment at a time: whether it agrees with others of the same message is for reassembly to judge.

use super::{codec::Reader, enums::HandshakeType};
use crate::error::DecodeError;

/// Bytes of a handshake header.
pub(crate) const HEADER_LEN: usize = 12;

/// The header of one fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FragmentHeader {
    pub(crate) typ: HandshakeType,
    /// Bytes of the whole message body, at most 2^24 - 1.
    pub(crate) length: u32,
    pub(crate) message_seq: u16,
    /// Where in the message body this fragment begins.
    pub(crate) fragment_offset: u32,
    /// Bytes of the body in this fragment.
    pub(crate) fragment_length: u32,
}

impl FragmentHeader {
    /// Reads a header that is consistent in itself: the fragment lies within its message, and is empty only if the message is.
    pub(crate) fn parse(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Self {
            typ: HandshakeType(r.u8()?),
            length: r.u24()?,
            message_seq: r.u16()?,
            fragment_offset: r.u24()?,
            fragment_length: r.u24()?,
        };
        let end = header.fragment_offset.checked_add(header.fragment_length);
        let within = end.is_some_and(|end| end <= header.length);
        if !within || (header.fragment_length == 0 && header.length != 0) {
            return Err(DecodeError::Length);
        }
        Ok(header)
    }

    /// The header's bytes. Lengths and offset have 24 bits on the wire; there are no longer messages.
    pub(crate) const fn encode(&self) -> [u8; HEADER_LEN] {
        let [_, l0, l1, l2] = self.length.to_be_bytes();
        let [s0, s1] = self.message_seq.to_be_bytes();
        let [_, o0, o1, o2] = self.fragment_offset.to_be_bytes();
        let [_, f0, f1, f2] = self.fragment_length.to_be_bytes();
        [self.typ.0, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2]
    }
}

/// One fragment of a handshake message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) header: FragmentHeader,
    /// The `fragment_length` bytes from `fragment_offset` on.
    pub(crate) body: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn parse(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = FragmentHeader::parse(r)?;
        let n = usize::try_from(header.fragment_length).map_err(|_| DecodeError::Truncated)?;
        Ok(Self { header, body: r.take(n)? })
    }
}

/// The fragments in the body of one handshake record, of which there may be several (RFC 6347 §4.2.3).
///
/// Ends after the first error. An empty body, which RFC 5246 §6.2.1 forbids, yields one error.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub(crate) struct Fragments<'a> {
    /// `None` once there is nothing more to say.
    reader: Option<Reader<'a>>,
}

impl<'a> Fragments<'a> {
    pub(crate) const fn new(record_body: &'a [u8]) -> Self {
        Self { reader: Some(Reader::new(record_body)) }
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Result<Fragment<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let fragment = Fragment::parse(&mut reader);
        if fragment.is_ok() && !reader.is_empty() {
            self.reader = Some(reader);
        }
        Some(fragment)
    }
}

impl core::iter::FusedIterator for Fragments<'_> {}

/// A whole handshake message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) typ: HandshakeType,
    pub(crate) seq: u16,
    /// At most 2^24 - 1 bytes.
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// The header of the message in one fragment, as the DTLS 1.2 transcript wants it however the message travelled
    /// (RFC 6347 §4.2.6).
    pub(crate) fn header(&self) -> [u8; HEADER_LEN] {
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        FragmentHeader {
            typ: self.typ,
            length,
            message_seq: self.seq,
            fragment_offset: 0,
            fragment_length: length,
        }
        .encode()
    }
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
