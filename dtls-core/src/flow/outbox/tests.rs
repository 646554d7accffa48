use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    record::{epoch::WriteEpoch, protect::Protection},
    wire::{
        enums::ProtocolVersion,
        handshake::Fragments,
        record::{HEADER_LEN as RECORD_HEADER_LEN, RawRecord, split_first},
    },
};

/// A record layer that writes epochs 0 and 1 without protection, so that what was packed can be read.
fn records() -> RecordLayer {
    let mut records = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
    records.advance_write(WriteEpoch::new(1, Protection::Plain, 0));
    records
}

/// Writes the whole flight in datagrams of `mtu` bytes.
fn transmit(outbox: &mut Outbox, records: &mut RecordLayer, mtu: usize) -> Vec<Vec<u8>> {
    let mut datagrams = vec![];
    while outbox.has_pending() {
        let mut out = vec![0; mtu];
        let len = outbox.fill(records, &mut out, false, |_, _| ()).unwrap();
        assert!(len > 0, "no progress at {mtu}");
        out.truncate(len);
        datagrams.push(out);
    }
    datagrams
}

/// Epoch, content type and fragments (message_seq, offset, body) of a record.
type Parsed = (u16, ContentType, Vec<(u16, usize, Vec<u8>)>);

fn parse(datagram: &[u8]) -> Vec<Parsed> {
    let mut copy = datagram.to_vec();
    let mut rest = &mut copy[..];
    let mut out = vec![];
    while !rest.is_empty() {
        let (record, tail) = split_first(rest).unwrap();
        let RawRecord::Legacy { header, body } = record else { panic!("a unified header") };
        let fragments = if header.typ == ContentType::HANDSHAKE {
            Fragments::new(body)
                .map(|f| f.unwrap())
                .map(|f| (f.header.message_seq, f.header.fragment_offset as usize, f.body.to_vec()))
                .collect()
        } else {
            assert_eq!(body, [1]);
            vec![]
        };
        out.push((header.number.epoch(), header.typ, fragments));
        rest = tail;
    }
    out
}

fn flight(lengths: &[(u16, usize)], pack_plain: bool) -> Outbox {
    let mut outbox = Outbox::new(0, Packing { plain: pack_plain, burst: 0 });
    outbox.begin_flight(Delivery::UntilReply);
    for &(epoch, len) in lengths {
        outbox.push_message(epoch, HandshakeType::FINISHED, (0..len).map(|i| i as u8).collect());
    }
    outbox
}

proptest! {
    /// At every MTU: the fragments cover each message exactly once and in order, no datagram is longer than the MTU, and every
    /// datagram but the last is full to within what a further fragment would need.
    #[test]
    fn fragments_cover_each_message_once(plain in prop::collection::vec(0usize..600, 0..4),
                                         keyed in prop::collection::vec(0usize..600, 0..4),
                                         mtu in 60usize..1500, pack in any::<bool>()) {
        let lengths: Vec<(u16, usize)> =
            plain.into_iter().map(|n| (0, n)).chain(keyed.into_iter().map(|n| (1, n))).collect();
        let mut outbox = flight(&lengths, pack);
        let mut records = records();
        for round in 0..2 {
            outbox.rewind();
            let datagrams = transmit(&mut outbox, &mut records, mtu);
            let mut got: Vec<Vec<u8>> = vec![vec![]; lengths.len()];
            let mut seen = vec![false; lengths.len()];
            for (i, datagram) in datagrams.iter().enumerate() {
                prop_assert!(datagram.len() <= mtu);
                if i + 1 < datagrams.len() {
                    prop_assert!(mtu - datagram.len() < RECORD_HEADER_LEN + HEADER_LEN + 1, "not greedy");
                }
                let parsed = parse(datagram);
                for (epoch, _, fragments) in &parsed {
                    prop_assert!(*epoch > 0 || pack || fragments.len() == 1);
                    for (seq, offset, body) in fragments {
                        let message = &mut got[usize::from(*seq)];
                        prop_assert_eq!(message.len(), *offset);
                        message.extend(body);
                        seen[usize::from(*seq)] = true;
                    }
                }
                let neighbours = parsed.windows(2).filter(|w| w[0].0 == 1 && w[1].0 == 1).count();
                prop_assert_eq!(neighbours, 0, "two handshake records of one protected epoch in one datagram");
            }
            for (message, (_, len)) in got.iter().zip(&lengths) {
                let expected: Vec<u8> = (0..*len).map(|i| i as u8).collect();
                prop_assert_eq!(message, &expected, "round {}", round);
            }
            prop_assert!(seen.iter().all(|s| *s));
        }
    }
}

#[test]
fn a_ccs_keeps_its_place_and_its_epoch() {
    let mut outbox = Outbox::new(2, Packing { plain: false, burst: 0 });
    outbox.begin_flight(Delivery::UntilReply);
    outbox.push_message(0, HandshakeType::CLIENT_KEY_EXCHANGE, vec![1, 2]);
    outbox.push_ccs();
    outbox.push_message(1, HandshakeType::FINISHED, vec![3]);
    let mut records = records();
    for _ in 0..2 {
        outbox.rewind();
        let datagrams = transmit(&mut outbox, &mut records, 1200);
        assert_eq!(datagrams.len(), 1);
        let kinds: Vec<_> = parse(&datagrams[0]).into_iter().map(|(epoch, typ, _)| (epoch, typ)).collect();
        assert_eq!(
            kinds,
            [(0, ContentType::HANDSHAKE), (0, ContentType::CHANGE_CIPHER_SPEC), (1, ContentType::HANDSHAKE)]
        );
    }
}

#[test]
fn record_numbers_go_on_over_retransmissions() {
    let mut outbox = flight(&[(0, 10), (1, 10)], false);
    let mut records = records();
    let mut numbers = vec![];
    for mtu in [100, 60, 1200] {
        outbox.rewind();
        while outbox.has_pending() {
            let mut out = vec![0; mtu];
            outbox
                .fill(&mut records, &mut out, false, |_, sealed: Sealed| numbers.push(sealed.number))
                .unwrap();
        }
    }
    let mut unique = numbers.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), numbers.len());
}

#[test]
fn a_smaller_mtu_takes_effect_in_the_middle_of_a_flight() {
    let mut outbox = flight(&[(0, 400)], false);
    let mut records = records();
    let mut out = vec![0; 300];
    assert_eq!(outbox.fill(&mut records, &mut out, false, |_, _| ()).unwrap(), 300);
    let rest = transmit(&mut outbox, &mut records, 100);
    assert!(rest.iter().all(|d| d.len() <= 100));
    let first = parse(&rest[0]);
    assert_eq!(first[0].2[0].1, 275, "goes on where it stopped");
}

#[test]
fn what_need_not_be_cut() {
    let mut records = records();
    let mut outbox = flight(&[(0, 100), (0, 50)], false);
    let whole = RECORD_HEADER_LEN + HEADER_LEN + 100;
    assert!(outbox.fits_uncut(&records, whole) && !outbox.fits_uncut(&records, whole - 1));
    // What is left of a message that was cut counts.
    let mut out = vec![0; whole - 30];
    outbox.fill(&mut records, &mut out, false, |_, _| ()).unwrap();
    let rest = RECORD_HEADER_LEN + HEADER_LEN + 30;
    assert!(outbox.fits_uncut(&records, rest) && !outbox.fits_uncut(&records, rest - 1));
    transmit(&mut outbox, &mut records, 200);
    assert!(outbox.fits_uncut(&records, 0));
}

/// Only what a burst has left over goes on: a flight that is as long as a burst waits like any other.
#[test]
fn what_a_burst_has_left_over_goes_on() {
    for (burst, goes_on) in [(0, false), (1, true), (2, false), (3, false)] {
        let mut outbox = Outbox::new(0, Packing { plain: false, burst });
        outbox.begin_flight(Delivery::UntilAcked);
        outbox.push_message(0, HandshakeType::CLIENT_HELLO, vec![1; 80]);
        assert!(!outbox.goes_on(), "nothing was sent yet");
        let mut out = [0; RECORD_HEADER_LEN + HEADER_LEN + 40];
        for _ in 0..2 {
            outbox.fill(&mut records(), &mut out, false, |_, _| ()).unwrap();
        }
        assert_eq!((outbox.has_pending(), outbox.goes_on()), (goes_on, goes_on), "{burst}");
        assert!(!outbox.goes_on());
    }
}

#[test]
fn a_new_flight_forgets_the_old_one_and_goes_on_counting() {
    let mut outbox = Outbox::new(5, Packing { plain: false, burst: 0 });
    for (flight, delivery) in
        [Delivery::UntilReply, Delivery::UntilAcked, Delivery::OnDemand].into_iter().enumerate()
    {
        outbox.begin_flight(delivery);
        assert_eq!((outbox.is_empty(), outbox.held(), outbox.delivery()), (true, 0, delivery));
        assert!(!outbox.has_pending() && outbox.is_at_start());
        for (i, length) in [7, 0, 30].into_iter().enumerate() {
            let expected = (5 + 3 * flight + i) as u16;
            assert_eq!(outbox.next_seq(), expected);
            assert_eq!(outbox.push_message(0, HandshakeType::FINISHED, vec![1; length]), expected);
        }
        outbox.push_ccs();
        assert_eq!((outbox.is_empty(), outbox.held()), (false, 37));
        let datagrams = transmit(&mut outbox, &mut records(), 60);
        let fragments = datagrams.iter().flat_map(|datagram| parse(datagram)).flat_map(|record| record.2);
        assert!(fragments.map(|(seq, ..)| usize::from(seq)).all(|seq| (seq - 5) / 3 == flight));
        assert!(!outbox.is_at_start() && !outbox.is_empty());
    }
    outbox.clear();
    assert!(outbox.is_empty() && !outbox.has_pending() && outbox.is_acked());
}
