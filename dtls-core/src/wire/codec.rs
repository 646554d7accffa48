//! Reading from and writing to byte slices: big-endian integers and length-prefixed vectors (RFC 5246 §4).

use alloc::{vec, vec::Vec};
use core::ops::RangeInclusive;

use crate::error::DecodeError;

/// A cursor over bytes to decode. Everything it returns borrows from the input.
#[derive(Clone, Debug)]
#[must_use = "a reader that is dropped has not checked for trailing bytes"]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Decodes the whole of `bytes` with `read`; bytes left over are an error.
    pub(crate) fn all<T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut reader = Self::new(bytes);
        let value = read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().copied().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().copied().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Result<u32, DecodeError> {
        let &[a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `n` bytes. Reads nothing if there are fewer.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A vector with a length of one byte in front.
    pub(crate) fn vec8(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u8()?;
        self.take(usize::from(n))
    }

    /// As [`Self::vec8`], and the number of bytes must lie in `bounds`.
    pub(crate) fn vec8_within(&mut self, bounds: RangeInclusive<usize>) -> Result<&'a [u8], DecodeError> {
        let content = self.vec8()?;
        if bounds.contains(&content.len()) { Ok(content) } else { Err(DecodeError::Length) }
    }

    /// A vector with a length of two bytes in front.
    pub(crate) fn vec16(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u16()?;
        self.take(usize::from(n))
    }

    /// What is left, without reading it.
    pub(crate) const fn peek(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails if bytes are left.
    pub(crate) const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

/// What was to be written does not fit into the caller's buffer, or a length not into its prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// Writes to a caller's buffer. After [`Full`] the buffer's content is unspecified.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    /// `None` counts without writing.
    out: Option<&'o mut [u8]>,
    len: usize,
}

impl<'o> Writer<'o> {
    /// Writes from the start of `out`.
    pub(crate) const fn new(out: &'o mut [u8]) -> Self {
        Self { out: Some(out), len: 0 }
    }

    /// Only counts what would be written.
    pub(crate) const fn counting() -> Self {
        Self { out: None, len: 0 }
    }

    /// Number of bytes written so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn u8(&mut self, v: u8) -> Result<(), Full> {
        self.bytes(&[v])
    }

    pub(crate) fn u16(&mut self, v: u16) -> Result<(), Full> {
        self.bytes(&v.to_be_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.len = self.put(self.len, bytes)?;
        Ok(())
    }

    /// Writes a vector with a length of one byte in front; `content` writes what is in it.
    pub(crate) fn nested8(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        self.nested::<1>(content)
    }

    /// Writes a vector with a length of two bytes in front; `content` writes what is in it.
    pub(crate) fn nested16(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        self.nested::<2>(content)
    }

    fn nested<const WIDTH: usize>(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let prefix = self.len;
        self.bytes(&[0; WIDTH])?;
        let start = self.len;
        content(self)?;
        let n = self.len.checked_sub(start).and_then(|n| u32::try_from(n).ok()).ok_or(Full)?;
        let bytes = n.to_be_bytes();
        let (excess, low) = bytes.split_last_chunk::<WIDTH>().ok_or(Full)?;
        if excess.iter().any(|&b| b != 0) {
            return Err(Full);
        }
        self.put(prefix, low)?;
        Ok(())
    }

    /// Puts `bytes` at `at` and returns where they end.
    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<usize, Full> {
        let end = at.checked_add(bytes.len()).ok_or(Full)?;
        if let Some(out) = &mut self.out {
            out.get_mut(at..end).ok_or(Full)?.copy_from_slice(bytes);
        }
        Ok(end)
    }
}

/// Encodes into a vector of exactly the size needed. `write` runs twice, first to count.
///
/// # Errors
/// [`Full`] if a length does not fit its prefix.
pub(crate) fn encode_to_vec(write: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> Result<Vec<u8>, Full> {
    let mut count = Writer::counting();
    write(&mut count)?;
    let mut out = vec![0; count.len()];
    let mut writer = Writer::new(&mut out);
    write(&mut writer)?;
    if writer.len() == count.len() { Ok(out) } else { Err(Full) }
}

#[cfg(test)]
mod tests;
