//! Splitting a datagram into records, and the 13-byte record header (RFC 6347 §4.1).

use super::enums::{ContentType, ProtocolVersion};
use crate::{error::Discard, record::number::RecordNumber};

/// Length of the DTLS 1.2 record header.
pub(crate) const HEADER_LEN: usize = 13;
/// Most plaintext in one record (RFC 5246 §6.2.1).
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;
/// Most protected bytes in one record (RFC 5246 §6.2.3).
pub(crate) const MAX_CIPHERTEXT: usize = (1 << 14) + 2048;

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
pub(crate) struct RawRecord<'d> {
    pub(crate) header: RecordHeader,
    pub(crate) body: &'d mut [u8],
}

/// Takes the first record off a datagram and returns it with the rest.
///
/// # Errors
/// [`Discard::Malformed`] if no coherent record starts here: nothing after this point can be trusted to be one either, so
/// the rest of the datagram is gone. [`Discard::TooLong`] likewise for a length above the protocol's limit.
pub(crate) fn split_first(datagram: &mut [u8]) -> Result<(RawRecord<'_>, &mut [u8]), Discard> {
    let (head, rest) = datagram.split_first_chunk_mut::<HEADER_LEN>().ok_or(Discard::Malformed)?;
    let [typ, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1] = *head;
    let version = ProtocolVersion(u16::from_be_bytes([v0, v1]));
    // Any DTLS major version frames records alike; the minor version is judged where keys are known.
    if !(20..=63).contains(&typ) || v0 != 0xfe {
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
    Ok((RawRecord { header, body }, rest))
}

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
        assert_eq!(record.header.number, RecordNumber::new(1, 0x0203_0405_0607));
        assert_eq!(record.body, [9, 8]);
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

    #[test]
    fn all_first_bytes_and_versions() {
        for typ in 0..=255u8 {
            for major in [0, 3, 0xfd, 0xfe, 0xff] {
                let mut datagram = sample(0);
                datagram[0] = typ;
                datagram[1] = major;
                let ok = (20..=63).contains(&typ) && major == 0xfe;
                assert_eq!(split_first(&mut datagram).is_ok(), ok, "{typ} {major}");
            }
        }
    }
}
