use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::wire::handshake::FragmentHeader;

const LIMITS: InboxLimits = InboxLimits { bytes: 64, message: 48, window: 3, holes: 4 };

fn fragment(seq: u16, length: u32, offset: u32, body: &[u8]) -> Fragment<'_> {
    Fragment {
        header: FragmentHeader {
            typ: HandshakeType::FINISHED,
            length,
            message_seq: seq,
            fragment_offset: offset,
            fragment_length: body.len() as u32,
        },
        body,
    }
}

fn message(inbox: &Inbox) -> Option<Vec<u8>> {
    inbox.front().map(|(m, _)| m.body.to_vec())
}

#[test]
fn an_empty_message_is_whole_at_once() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    assert_eq!(message(&inbox), None);
    assert_eq!(inbox.insert(&fragment(0, 0, 0, &[]), 0, false), Ok(Inserted::Stored));
    assert_eq!(message(&inbox), Some(vec![]));
}

#[test]
fn messages_come_out_in_order() {
    let mut inbox = Inbox::new(Some(5), LIMITS);
    inbox.insert(&fragment(6, 1, 0, &[6]), 0, false).unwrap();
    assert_eq!(message(&inbox), None);
    inbox.insert(&fragment(5, 1, 0, &[5]), 0, false).unwrap();
    assert_eq!(message(&inbox), Some(vec![5]));
    inbox.pop();
    assert_eq!(message(&inbox), Some(vec![6]));
    inbox.pop();
    assert_eq!((message(&inbox), inbox.next_seq()), (None, Some(7)));
}

#[test]
fn old_and_far_messages_are_refused() {
    let mut inbox = Inbox::new(Some(5), LIMITS);
    assert_eq!(inbox.insert(&fragment(4, 1, 0, &[1]), 0, false), Err(Discard::OldMessage));
    assert_eq!(inbox.insert(&fragment(7, 1, 0, &[1]), 0, false), Ok(Inserted::Stored));
    assert_eq!(inbox.insert(&fragment(8, 1, 0, &[1]), 0, false), Err(Discard::OutsideWindow));
    assert_eq!(inbox.insert(&fragment(u16::MAX, 1, 0, &[1]), 0, false), Err(Discard::OutsideWindow));
}

#[test]
fn contradictions_are_refused_and_change_nothing() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    inbox.insert(&fragment(0, 4, 0, &[1]), 2, true).unwrap();
    let mut other_type = fragment(0, 4, 1, &[2]);
    other_type.header.typ = HandshakeType::SERVER_HELLO;
    assert_eq!(inbox.insert(&other_type, 2, true), Err(Discard::FragmentMismatch));
    assert_eq!(inbox.insert(&fragment(0, 5, 1, &[2]), 2, true), Err(Discard::FragmentMismatch));
    assert_eq!(
        inbox.insert(&fragment(0, 4, 1, &[2]), 3, true),
        Err(Discard::FragmentMismatch),
        "another epoch"
    );
    inbox.insert(&fragment(0, 4, 1, &[2, 3, 4]), 2, true).unwrap();
    assert_eq!(message(&inbox), Some(vec![1, 2, 3, 4]));
}

/// One forged fragment must not shut out the genuine message.
#[test]
fn in_the_clear_the_newer_of_two_that_contradict_counts() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    inbox.insert(&fragment(0, 9, 0, &[6, 6]), 0, false).unwrap();
    inbox.insert(&fragment(0, 4, 0, &[1, 2]), 0, false).unwrap();
    assert_eq!(inbox.held(), 2);
    inbox.insert(&fragment(0, 4, 2, &[3, 4]), 0, false).unwrap();
    assert_eq!(message(&inbox), Some(vec![1, 2, 3, 4]));
}

/// RFC 9147 §7: what was acknowledged must not be given up.
#[test]
fn what_was_acknowledged_is_kept_and_the_next_message_finds_room() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    inbox.insert(&fragment(1, 40, 0, &[1; 40]), 2, true).unwrap();
    assert_eq!(inbox.insert(&fragment(2, 40, 0, &[2; 40]), 2, true), Err(Discard::NoRoom));
    inbox.insert(&fragment(0, 40, 0, &[0; 40]), 2, true).unwrap();
    for expected in [0, 1] {
        assert_eq!(message(&inbox), Some(vec![expected; 40]));
        inbox.pop();
    }
}

#[test]
fn a_huge_length_reserves_nothing() {
    let mut inbox =
        Inbox::new(Some(0), InboxLimits { bytes: 1 << 14, message: 1 << 14, window: 7, holes: 32 });
    inbox.insert(&fragment(0, 1 << 14, 100, &[7]), 0, false).unwrap();
    let held: usize = inbox.slots.iter().flatten().map(|p| p.data.capacity()).sum();
    assert!(held <= 8, "one byte received, {held} reserved");
    assert_eq!(inbox.insert(&fragment(0, 0xff_ffff, 0, &[7]), 0, false), Err(Discard::FragmentTooLarge));
}

#[test]
fn later_messages_give_way_to_the_next_one() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    inbox.insert(&fragment(1, 40, 0, &[1; 40]), 0, false).unwrap();
    assert_eq!(inbox.insert(&fragment(2, 40, 0, &[2; 40]), 0, false), Err(Discard::NoRoom));
    inbox.insert(&fragment(0, 40, 0, &[0; 40]), 0, false).unwrap();
    assert_eq!(message(&inbox), Some(vec![0; 40]));
    inbox.pop();
    assert_eq!(message(&inbox), None, "the peer will send it again");
}

#[test]
fn too_many_holes_are_refused() {
    let mut inbox = Inbox::new(Some(0), LIMITS);
    for i in [1, 3, 5] {
        inbox.insert(&fragment(0, 20, i, &[9]), 0, false).unwrap();
    }
    assert_eq!(inbox.insert(&fragment(0, 20, 7, &[9]), 0, false), Err(Discard::NoRoom));
    inbox.insert(&fragment(0, 20, 0, &[9; 20]), 0, false).unwrap();
    assert_eq!(message(&inbox), Some(vec![9; 20]));
}

proptest! {
    /// Against a byte array: whatever comes in any order, the bytes that are there are the right ones, the bounds hold, and a
    /// refusal changes nothing.
    #[test]
    fn equals_a_byte_array(fragments in prop::collection::vec((0u16..5, 0usize..30, 1usize..20), 1..60)) {
        let contents: Vec<Vec<u8>> = (0..5u8).map(|seq| (0..40).map(|i| seq * 40 + i).collect()).collect();
        let mut inbox = Inbox::new(Some(0), LIMITS);
        for (seq, from, n) in fragments {
            let to = (from + n).min(40);
            let body = &contents[usize::from(seq)][from..to];
            let before = std::format!("{inbox:?}");
            let stored = inbox.insert(&fragment(seq, 40, from as u32, body), 0, false);
            if stored.is_err() {
                prop_assert_eq!(before, std::format!("{:?}", inbox));
            }
            let held: usize = inbox.slots.iter().flatten().map(|p| p.data.len()).sum();
            prop_assert!(held <= LIMITS.bytes);
            while let Some(whole) = message(&inbox) {
                prop_assert_eq!(&whole, &contents[usize::from(inbox.next_seq().unwrap())]);
                inbox.pop();
            }
        }
    }
}

#[test]
fn nothing_follows_the_last_number() {
    let mut inbox = Inbox::new(Some(u16::MAX - 1), LIMITS);
    inbox.insert(&fragment(u16::MAX, 1, 0, &[2]), 0, false).unwrap();
    inbox.insert(&fragment(u16::MAX - 1, 1, 0, &[1]), 0, false).unwrap();
    inbox.pop();
    assert_eq!((message(&inbox), inbox.next_seq()), (Some(vec![2]), Some(u16::MAX)));
    inbox.pop();
    assert_eq!((message(&inbox), inbox.next_seq()), (None, None));
    assert!(inbox.is_last(u16::MAX) && !inbox.is_last(u16::MAX - 1));
    for seq in [0, 1, u16::MAX - 1, u16::MAX] {
        assert!(inbox.is_old(seq));
        assert_eq!(inbox.insert(&fragment(seq, 1, 0, &[3]), 0, false), Err(Discard::OldMessage));
    }
}

/// Any Finished is told from the one that was taken in; of longer messages nothing is kept.
#[test]
fn of_the_last_message_no_more_than_a_finished_is_kept() {
    for (length, told) in [(LAST_KEPT - 1, true), (LAST_KEPT, true), (LAST_KEPT + 1, false)] {
        let mut inbox = Inbox::new(Some(0), InboxLimits { bytes: 100, message: 100, ..LIMITS });
        let (same, other) = (vec![1; length], vec![2; length]);
        inbox.insert(&fragment(0, length as u32, 0, &same), 2, true).unwrap();
        inbox.pop();
        assert!(!inbox.contradicts_last(&fragment(0, length as u32, 0, &same), 2));
        assert_eq!(inbox.contradicts_last(&fragment(0, length as u32, 0, &other), 2), told, "{length} bytes");
    }
}
