//! Datagrams as anyone on the path sees them: where records begin and end, without keys.

/// Length of the header of plaintext records, and of all of DTLS 1.2 (RFC 6347 §4.1).
const LEGACY_HEADER: usize = 13;

/// A record of a datagram, still protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawRecord<'d> {
    /// The whole record.
    pub bytes: &'d [u8],
    header: usize,
}

impl<'d> RawRecord<'d> {
    /// Whether it has the unified header of DTLS 1.3 (RFC 9147 §4).
    pub const fn is_unified(&self) -> bool {
        self.bytes[0] >> 5 == 1
    }

    /// Whether nothing can follow it in its datagram, because it does not say how long it is.
    pub const fn is_last(&self) -> bool {
        self.is_unified() && self.bytes[0] & 4 == 0
    }

    /// The content type, where it can be read.
    pub fn content_type(&self) -> Option<u8> {
        (!self.is_unified()).then_some(self.bytes[0])
    }

    /// The epoch, or of a unified header its low two bits.
    pub fn epoch(&self) -> u16 {
        match self.is_unified() {
            true => u16::from(self.bytes[0] & 3),
            false => u16::from_be_bytes([self.bytes[3], self.bytes[4]]),
        }
    }

    /// The 48-bit sequence number, unless it is masked.
    pub fn sequence(&self) -> Option<u64> {
        let fold = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        (!self.is_unified()).then(|| fold(&self.bytes[5..11]))
    }

    /// What follows the header.
    pub fn body(&self) -> &'d [u8] {
        &self.bytes[self.header..]
    }
}

/// The records of a datagram, up to the first that is cut off or has no possible header.
pub fn records(datagram: &[u8]) -> impl Iterator<Item = RawRecord<'_>> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let first = *rest.first()?;
        let (header, length) = if first >> 5 == 1 {
            let number = if first & 8 == 0 { 1 } else { 2 };
            match first & 4 {
                0 => (1 + number, rest.len().checked_sub(1 + number)?),
                _ => (3 + number, length_at(rest, 1 + number)?),
            }
        } else {
            (LEGACY_HEADER, length_at(rest, 11)?)
        };
        let (bytes, tail) = rest.split_at_checked(header + length)?;
        rest = tail;
        Some(RawRecord { bytes, header })
    })
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_header_forms_in_one_datagram() {
        let plain = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 1, 2];
        let with_length = [0b0010_1110, 9, 9, 0, 3, 4, 5, 6];
        let last = [0b0010_0011, 9, 7, 8, 9];
        let datagram = [&plain[..], &with_length, &last].concat();
        let found: Vec<_> = records(&datagram).collect();
        assert_eq!(
            found.iter().map(|r| r.bytes.to_vec()).collect::<Vec<_>>(),
            [&plain[..], &with_length, &last]
        );
        assert_eq!(found.iter().map(RawRecord::epoch).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(found.iter().map(RawRecord::sequence).collect::<Vec<_>>(), [Some(7), None, None]);
        assert_eq!(found.iter().map(RawRecord::is_last).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(found[1].body(), [4, 5, 6]);
        assert_eq!(found[2].body(), [7, 8, 9]);
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
        for datagram in [&[][..], &[22, 0xfe], &[0x2f], &[0x2e, 1, 1, 0, 2, 7], &[0x28, 1]] {
            assert_eq!(records(datagram).count(), 0, "{datagram:?}");
        }
    }
}
