use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::wire::properties::bytes;

#[test]
fn integers_are_big_endian() {
    let input: Vec<u8> = (1..=6).collect();
    let mut r = Reader::new(&input);
    assert_eq!(r.u8(), Ok(0x01));
    assert_eq!(r.u16(), Ok(0x0203));
    assert_eq!(r.u24(), Ok(0x04_0506));
    assert!(r.is_empty());
    assert_eq!(r.finish(), Ok(()));
}

#[test]
fn vectors_take_what_their_prefix_says() {
    let input = [1, b'a', 0, 2, b'b', b'c'];
    let mut r = Reader::new(&input);
    assert_eq!(r.vec8(), Ok(&b"a"[..]));
    assert_eq!(r.vec16(), Ok(&b"bc"[..]));
    assert_eq!(r.vec8(), Err(DecodeError::Truncated));
}

#[test]
fn a_vector_past_the_end_is_truncated() {
    assert_eq!(Reader::new(&[2, 0]).vec8(), Err(DecodeError::Truncated));
    assert_eq!(Reader::new(&[0, 2, 0]).vec16(), Err(DecodeError::Truncated));
}

#[test]
fn bounds_of_a_vector_are_inclusive() {
    for (input, expected) in [
        (&[0][..], Err(DecodeError::Length)),
        (&[1, 7], Ok(&[7][..])),
        (&[2, 7, 8], Ok(&[7, 8])),
        (&[3, 7, 8, 9], Err(DecodeError::Length)),
        (&[3, 7, 8], Err(DecodeError::Truncated)),
    ] {
        assert_eq!(Reader::new(input).vec8_within(1..=2), expected);
    }
}

#[test]
fn a_failed_take_reads_nothing() {
    let mut r = Reader::new(&[1, 2, 3]);
    assert_eq!(r.take(4), Err(DecodeError::Truncated));
    assert_eq!(r.array::<4>(), Err(DecodeError::Truncated));
    assert_eq!(r.take(3), Ok(&[1, 2, 3][..]));
}

#[test]
fn all_refuses_what_is_left_over() {
    assert_eq!(Reader::all(&[1], Reader::u8), Ok(1));
    assert_eq!(Reader::all(&[1, 2], Reader::u8), Err(DecodeError::Trailing));
    assert_eq!(Reader::all(&[], Reader::u8), Err(DecodeError::Truncated));
}

#[test]
fn written_integers_are_big_endian() {
    let mut out = [0xee; 4];
    let mut w = Writer::new(&mut out);
    w.u8(1).unwrap();
    w.u16(0x0203).unwrap();
    assert_eq!(w.len(), 3);
    assert_eq!(out, [1, 2, 3, 0xee]);
}

#[test]
fn a_full_buffer_is_reported_and_the_last_byte_is_used() {
    let mut out = [0; 2];
    let mut w = Writer::new(&mut out);
    assert_eq!(w.bytes(&[1, 2, 3]), Err(Full));
    assert_eq!(w.bytes(&[1, 2]), Ok(()));
    assert_eq!(w.u8(3), Err(Full));
    assert_eq!(Writer::new(&mut [0]).nested16(|_| Ok(())), Err(Full));
}

#[test]
fn nested_lengths_are_patched_in() {
    let written = encode_to_vec(|w| {
        w.u8(0xaa)?;
        w.nested16(|w| w.nested8(|w| w.bytes(b"xyz")))?;
        w.u8(0xbb)
    });
    assert_eq!(written.unwrap(), [0xaa, 0, 4, 3, b'x', b'y', b'z', 0xbb]);
}

#[test]
fn content_too_long_for_its_prefix_is_refused() {
    let long = vec![0; 1 << 16];
    let fits = |n: usize| encode_to_vec(|w| w.nested8(|w| w.bytes(&long[..n]))).is_ok();
    assert!(fits(255) && !fits(256));
    let fits = |n: usize| encode_to_vec(|w| w.nested16(|w| w.bytes(&long[..n]))).is_ok();
    assert!(fits(65_535) && !fits(65_536));
}

#[test]
fn encoding_allocates_exactly_what_it_needs() {
    let written = encode_to_vec(|w| w.nested16(|w| w.bytes(&[7; 100]))).unwrap();
    assert_eq!((written.len(), written.capacity()), (102, 102));
}

#[test]
fn an_encoder_that_changes_its_mind_is_refused() {
    let calls = core::cell::Cell::new(2);
    let shrinking = encode_to_vec(|w| {
        calls.set(calls.get() - 1);
        w.bytes(&[0; 2][..calls.get()])
    });
    assert_eq!(shrinking, Err(Full));
}

proptest! {
    #[test]
    fn nested_vectors_read_back(a in bytes(0..=255), b in bytes(0..=300)) {
        let written = encode_to_vec(|w| {
            w.nested8(|w| w.bytes(&a))?;
            w.nested16(|w| w.bytes(&b))
        });
        let read = Reader::all(written.as_ref().unwrap(), |r| Ok((r.vec8()?, r.vec16()?)));
        prop_assert_eq!(read, Ok((&a[..], &b[..])));
    }

    #[test]
    fn counting_and_writing_agree(parts in prop::collection::vec(bytes(0..=40), 0..6), room in 0..300usize) {
        let write = |w: &mut Writer<'_>| parts.iter().try_for_each(|p| w.nested16(|w| w.bytes(p)));
        let needed = parts.iter().map(|p| p.len() + 2).sum::<usize>();
        let mut out = vec![0; room];
        prop_assert_eq!(write(&mut Writer::new(&mut out)).is_ok(), needed <= room);
        prop_assert_eq!(encode_to_vec(write).unwrap().len(), needed);
    }
}
