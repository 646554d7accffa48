//! Splitting a datagram into records, and the 13-byte record header (RFC 6347 §4.1).

use super::enums::{ContentType, ProtocolVersion};
use crate::{error::Discard, record::number::RecordNumber};

/// Length of the DTLS 1.2 record header.
pub(crate) const HEADER_LEN: usize = 13;
/// Most plaintext in one record (RFC 5246 §6.2.1).
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;
/// The version in the records of a client before it knows any better, as every peer accepts it (RFC 5246 §E.1).
pub(crate) const FIRST_VERSION: ProtocolVersion = ProtocolVersion::DTLS1_0;
/// The version in all other records that have one (RFC 6347 §4.1, RFC 9147 §4).
pub(crate) const RECORD_VERSION: ProtocolVersion = ProtocolVersion::DTLS1_2;
/// Most protected bytes in one record (RFC 5246 §6.2.3).
pub(crate) const MAX_CIPHERTEXT: usize = (1 << 14) + 2048;
/// Most protected bytes in one record of DTLS 1.3 (RFC 8446 §5.2).
pub(crate) const MAX_CIPHERTEXT13: usize = (1 << 14) + 256;

/// A record header as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) typ: ContentType,
    pub(crate) version: ProtocolVersion,
    pub(crate) number: RecordNumber,
}

impl RecordHeader {
    /// The header of a record whose body has `length` bytes.
    pub(crate) fn encode(&self, length: u16) -> [u8; HEADER_LEN] {
        let [v0, v1] = self.version.0.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.number.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        [self.typ.0, v0, v1, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1]
    }
}

/// One record of a datagram, still protected.
#[derive(Debug)]
pub(crate) enum RawRecord<'d> {
    /// The 13-byte header: plaintext records of every version, and all of DTLS 1.2.
    Legacy { header: RecordHeader, body: &'d mut [u8] },
    /// The unified header of DTLS 1.3 (RFC 9147 §4). Its sequence number is still masked.
    Unified { header: &'d mut [u8], body: &'d mut [u8] },
}

impl RawRecord<'_> {
    /// The record number as far as it can be read without keys.
    pub(crate) const fn claimed_number(&self) -> Option<RecordNumber> {
        match self {
            Self::Legacy { header, .. } => Some(header.number),
            Self::Unified { .. } => None,
        }
    }
}

/// The first byte of a unified header, `001CSLEE` (RFC 9147 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnifiedFlags(pub(crate) u8);

impl UnifiedFlags {
    const FIXED: u8 = 0b0010_0000;
    const FIXED_MASK: u8 = 0b1110_0000;
    const CONNECTION_ID: u8 = 0b0001_0000;
    const WIDE_NUMBER: u8 = 0b0000_1000;
    const LENGTH: u8 = 0b0000_0100;
    const EPOCH: u8 = 0b0000_0011;

    /// The flags of a record of `epoch`, with a 16-bit number or an 8-bit one, with or without a length.
    pub(crate) fn new(epoch: u16, wide: bool, length: bool) -> Self {
        let [_, low] = epoch.to_be_bytes();
        let wide = if wide { Self::WIDE_NUMBER } else { 0 };
        let length = if length { Self::LENGTH } else { 0 };
        Self(Self::FIXED | wide | length | (low & Self::EPOCH))
    }

    /// Whether a datagram that starts with `byte` starts with a unified header (RFC 9147 §4.1).
    pub(crate) const fn is_unified(byte: u8) -> bool {
        byte & Self::FIXED_MASK == Self::FIXED
    }

    /// The low two bits of the epoch.
    pub(crate) const fn epoch_bits(self) -> u8 {
        self.0 & Self::EPOCH
    }

    /// Bytes of the sequence number.
    pub(crate) const fn number_len(self) -> usize {
        if self.0 & Self::WIDE_NUMBER == 0 { 1 } else { 2 }
    }

    const fn has_length(self) -> bool {
        self.0 & Self::LENGTH != 0
    }

    /// Bytes of the whole header, without a connection ID.
    pub(crate) const fn header_len(self) -> usize {
        let length = if self.has_length() { 2 } else { 0 };
        self.number_len().saturating_add(1).saturating_add(length)
    }
}

/// Takes the first record off a datagram and returns it with the rest.
///
/// # Errors
/// [`Discard::Malformed`] if no coherent record starts here: nothing after this point can be trusted to be one either, so
/// the rest of the datagram is gone. [`Discard::TooLong`] likewise for a length above the protocol's limit.
pub(crate) fn split_first(datagram: &mut [u8]) -> Result<(RawRecord<'_>, &mut [u8]), Discard> {
    match datagram.first() {
        Some(&first) if UnifiedFlags::is_unified(first) => split_unified(UnifiedFlags(first), datagram),
        _ => split_legacy(datagram),
    }
}

fn split_legacy(datagram: &mut [u8]) -> Result<(RawRecord<'_>, &mut [u8]), Discard> {
    let (head, rest) = datagram.split_first_chunk_mut::<HEADER_LEN>().ok_or(Discard::Malformed)?;
    let [typ, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1] = *head;
    let version = ProtocolVersion(u16::from_be_bytes([v0, v1]));
    // Any DTLS major version frames records alike; the minor version is judged where keys are known.
    if !(20..=31).contains(&typ) || v0 != 0xfe {
        return Err(Discard::Malformed);
    }
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if length > MAX_CIPHERTEXT {
        return Err(Discard::TooLong);
    }
    let (body, rest) = rest.split_at_mut_checked(length).ok_or(Discard::Malformed)?;
    let epoch = u16::from_be_bytes([e0, e1]);
    let seq = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
    let header = RecordHeader { typ: ContentType(typ), version, number: RecordNumber::new(epoch, seq) };
    Ok((RawRecord::Legacy { header, body }, rest))
}

/// Without a length the record takes the rest of the datagram. No connection ID was negotiated, so none may be there
/// (RFC 9147 §9.1).
fn split_unified(flags: UnifiedFlags, datagram: &mut [u8]) -> Result<(RawRecord<'_>, &mut [u8]), Discard> {
    if flags.0 & UnifiedFlags::CONNECTION_ID != 0 {
        return Err(Discard::Malformed);
    }
    let (header, rest) = datagram.split_at_mut_checked(flags.header_len()).ok_or(Discard::Malformed)?;
    let length = match header {
        [.., l0, l1] if flags.has_length() => usize::from(u16::from_be_bytes([*l0, *l1])),
        _ => rest.len(),
    };
    if length > MAX_CIPHERTEXT13 {
        return Err(Discard::TooLong);
    }
    let (body, rest) = rest.split_at_mut_checked(length).ok_or(Discard::Malformed)?;
    Ok((RawRecord::Unified { header, body }, rest))
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(length: u16) -> [u8; HEADER_LEN] {
        RecordHeader {
            typ: ContentType::HANDSHAKE,
            version: ProtocolVersion::DTLS1_2,
            number: RecordNumber::new(1, 0x0203_0405_0607),
        }
        .encode(length)
    }

    #[test]
    fn header_bytes_and_back() {
        let mut datagram = sample(2).to_vec();
        assert_eq!(datagram, [22, 254, 253, 0, 1, 2, 3, 4, 5, 6, 7, 0, 2]);
        datagram.extend([9, 8, 7]);
        let (record, rest) = split_first(&mut datagram).unwrap();
        let RawRecord::Legacy { header, body } = record else { panic!("unified") };
        assert_eq!(header.number, RecordNumber::new(1, 0x0203_0405_0607));
        assert_eq!(body, [9, 8]);
        assert_eq!(rest, [7]);
    }

    #[test]
    fn incoherent_lengths_are_noise() {
        for cut in 0..HEADER_LEN + 2 {
            let mut datagram = sample(2).to_vec();
            datagram.extend([1, 2]);
            datagram.truncate(cut);
            assert_eq!(split_first(&mut datagram).unwrap_err(), Discard::Malformed);
        }
        let mut long = sample((MAX_CIPHERTEXT + 1) as u16).to_vec();
        long.resize(20_000, 0);
        assert_eq!(split_first(&mut long).unwrap_err(), Discard::TooLong);
    }
}
