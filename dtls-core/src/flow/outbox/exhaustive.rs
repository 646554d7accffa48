//! Every MTU with the message sizes around each of its boundaries, and every set of records acknowledged, against messages kept
//! as arrays of bytes.

use std::{println, vec, vec::Vec};

use super::*;
use crate::{
    crypto::AeadAlgorithm,
    record::{epoch::WriteEpoch, witness::Witness},
    wire::{
        enums::ProtocolVersion,
        record::{RawRecord, split_first},
    },
};

/// The epochs of protected messages.
const KEYED: u16 = 2;
const LATER: u16 = 3;
/// What a record takes besides its plaintext, as the last of its datagram: header, content type and tag.
const PLAIN_RECORD: usize = 13;
const KEYED_RECORD: usize = 2 + 1 + 16;
/// What a fragment takes besides its part of the message.
const FRAGMENT: usize = 12;
/// What a record takes more that is not the last of its datagram.
const LENGTH: usize = 2;
const LARGEST_MTU: usize = 1500;

fn records() -> RecordLayer {
    let mut records = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
    for epoch in [KEYED, LATER] {
        let keys = Witness::default().protect13([0; 12], AeadAlgorithm::Aes128Gcm);
        records.advance_write(WriteEpoch::new(epoch, keys, 0));
    }
    records
}

/// The byte at `at` of the message `seq`.
const fn byte(seq: usize, at: usize) -> u8 {
    (at * 7 + seq * 101) as u8
}

fn flight(lengths: &[(u16, usize)], delivery: Delivery, packing: Packing) -> Outbox {
    let mut outbox = Outbox::new(0, packing);
    outbox.begin_flight(delivery);
    for (seq, (epoch, length)) in lengths.iter().enumerate() {
        let body = (0..*length).map(|at| byte(seq, at)).collect();
        outbox.push_message(*epoch, HandshakeType(seq as u8 + 1), body);
    }
    outbox
}

/// A fragment as read off the wire: message and range.
type Seen = (usize, usize, usize);

/// Reads the fragments of a handshake record, and asserts that they are what the messages say.
fn read_fragments(mut plaintext: &[u8], lengths: &[(u16, usize)], mut each: impl FnMut(Seen)) {
    while !plaintext.is_empty() {
        let (header, rest) = plaintext.split_at(12);
        let u24 = |at: usize| header[at..at + 3].iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let seq = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let (offset, n) = (u24(6), u24(9));
        assert_eq!((usize::from(header[0]), u24(1)), (seq + 1, lengths[seq].1));
        let (body, rest) = rest.split_at(n);
        assert!(body.iter().enumerate().all(|(i, b)| *b == byte(seq, offset + i)), "bytes of another place");
        assert!(n > 0 || lengths[seq].1 == 0, "an empty fragment");
        each((seq, offset, offset + n));
        plaintext = rest;
    }
}

/// The records of a datagram: content type, epoch, and plaintext.
fn read_records(mut datagram: &mut [u8], mut each: impl FnMut(ContentType, u16, &[u8])) {
    while !datagram.is_empty() {
        let (record, rest) = split_first(datagram).unwrap();
        match record {
            RawRecord::Legacy { header, body } => each(header.typ, header.number.epoch(), body),
            RawRecord::Unified { header, body } => {
                let inner = &body[..body.len() - 16];
                let end = inner.iter().rposition(|b| *b != 0).unwrap();
                each(ContentType(inner[end]), u16::from(header[0] % 4), &inner[..end]);
            }
        }
        datagram = rest;
    }
}

/// How many datagrams it takes if each is filled as far as it goes and nothing is cut otherwise.
fn least_datagrams(lengths: &[(u16, usize)], mtu: usize, pack_plain: bool) -> usize {
    let (mut count, mut room, mut record) = (0, 0, None);
    for (i, &(epoch, length)) in lengths.iter().enumerate() {
        let mut left = length;
        let other_follows = epoch > 0 && lengths.get(i + 1).is_some_and(|next| next.0 != epoch);
        loop {
            let shares = record == Some(epoch) && (epoch > 0 || pack_plain);
            let new_record = if epoch == 0 { PLAIN_RECORD } else { KEYED_RECORD };
            let mut cost = FRAGMENT + if shares { 0 } else { new_record };
            if other_follows && left + cost <= room {
                cost += LENGTH;
            }
            if room < cost + left.min(1) {
                (count, room, record) = (count + 1, mtu, None);
                continue;
            }
            let part = left.min(room - cost);
            (left, room, record) = (left - part, room - cost - part, Some(epoch));
            if left == 0 {
                break;
            }
        }
    }
    count
}

/// Writes all of a flight without acknowledgements and asserts that its datagrams are as they should be. Returns how many.
fn assert_planned(
    outbox: &mut Outbox,
    records: &mut RecordLayer,
    lengths: &[(u16, usize)],
    (mtu, more): (usize, bool),
) -> usize {
    let (mut next, mut datagrams) = ((0, 0), 0);
    let mut buffer = [0; LARGEST_MTU];
    while outbox.has_pending() {
        let n = outbox.fill(records, &mut buffer[..mtu], more, |_, _| ()).unwrap();
        assert!(n > 0 && n <= mtu, "{n} bytes: {lengths:?} at {mtu}");
        let pack_plain = outbox.packing.plain;
        read_records(&mut buffer[..n], |typ, epoch, plaintext| {
            assert_eq!(typ, ContentType::HANDSHAKE);
            let mut fragments = 0;
            read_fragments(plaintext, lengths, |(seq, from, to)| {
                // Each byte of each message once, in order.
                assert_eq!((seq, from), next, "{lengths:?} at {mtu}");
                assert_eq!(epoch, lengths[seq].0);
                next = if to == lengths[seq].1 { (seq + 1, 0) } else { (seq, to) };
                fragments += 1;
            });
            assert!(fragments == 1 || epoch > 0 || pack_plain);
        });
        datagrams += 1;
    }
    assert_eq!(next, (lengths.len(), 0), "something was not sent: {lengths:?} at {mtu}");
    datagrams
}

#[test]
fn every_mtu_with_every_length_around_its_boundaries() {
    let mut cases = 0u64;
    for mtu in 60..=LARGEST_MTU {
        for (epoch, cost) in [(0, PLAIN_RECORD + FRAGMENT), (KEYED, KEYED_RECORD + FRAGMENT)] {
            let full = mtu - cost;
            let edges =
                [full - 1, full, full + 1, 2 * full - 3, 2 * full - 1, 2 * full, 2 * full + 1, 3 * full];
            for (length, more) in [0, 1].into_iter().chain(edges).flat_map(|n| [(n, false), (n, true)]) {
                let lengths = [(epoch, length)];
                let packing = Packing { plain: false, burst: 0 };
                let (mut outbox, mut records) = (flight(&lengths, Delivery::UntilReply, packing), records());
                let datagrams = assert_planned(&mut outbox, &mut records, &lengths, (mtu, more));
                let last_has_length = if more && epoch > 0 { LENGTH } else { 0 };
                let least = (length + last_has_length).div_ceil(full).max(1);
                assert_eq!(datagrams, least, "{length} bytes at {mtu}");
                // And once more, with another size.
                outbox.rewind();
                let other = 60 + mtu * 7 % 1441;
                assert_planned(&mut outbox, &mut records, &lengths, (other, more));
                cases += 2;
            }
        }
    }
    println!("fragments of one message: {cases} cases");
}

#[test]
fn many_mtus_with_every_pair_of_lengths_around_their_boundaries() {
    let mut cases = 0u64;
    // What decides is how lengths compare with the MTU.
    for mtu in (60..200).chain((200..=LARGEST_MTU).step_by(9)) {
        let keyed = mtu - KEYED_RECORD - FRAGMENT;
        let plain = mtu - PLAIN_RECORD - FRAGMENT;
        let lengths = [0, 1, keyed - FRAGMENT - 1, keyed, plain - FRAGMENT - 1, plain];
        for (first, second) in lengths.into_iter().flat_map(|a| lengths.map(|b| (a, b))) {
            let epochs = [(0, 0), (0, KEYED), (KEYED, KEYED), (KEYED, LATER)];
            for (epochs, plain) in epochs.map(|epochs| (epochs, false)).into_iter().chain([((0, 0), true)]) {
                let lengths = [(epochs.0, first), (epochs.1, second)];
                let packing = Packing { plain, burst: 0 };
                let mut outbox = flight(&lengths, Delivery::UntilReply, packing);
                let datagrams = assert_planned(&mut outbox, &mut records(), &lengths, (mtu, false));
                assert_eq!(datagrams, least_datagrams(&lengths, mtu, plain), "{lengths:?} at {mtu}");
                cases += 1;
            }
        }
    }
    println!("fragments of two messages: {cases} cases");
}

/// The model of a flight: every byte of every message, and what each record has carried. An empty message has one byte that is
/// never sent.
struct Model {
    lengths: Vec<(u16, usize)>,
    acked: Vec<Vec<bool>>,
    /// Records not acknowledged yet, oldest first, with the transmission they were part of.
    sent: Vec<(RecordNumber, Vec<Seen>, usize)>,
    transmission: usize,
}

impl Model {
    fn new(lengths: &[(u16, usize)]) -> Self {
        let acked = lengths.iter().map(|(_, length)| vec![false; (*length).max(1)]).collect();
        Self { lengths: lengths.to_vec(), acked, sent: vec![], transmission: 0 }
    }

    /// Writes what is left to write of the round, in datagrams of `mtu` bytes, and asserts that it is what was not acknowledged,
    /// each byte once.
    fn transmit(&mut self, outbox: &mut Outbox, records: &mut RecordLayer, mtu: usize) {
        let mut again: Vec<Vec<u8>> = self.acked.iter().map(|bytes| vec![0; bytes.len()]).collect();
        let mut buffer = [0; 256];
        while outbox.has_pending() {
            let mut numbers = [None; 8];
            let mut slots = numbers.iter_mut();
            let report = |_, sealed: Sealed| *slots.next().unwrap() = Some(sealed.number);
            let n = outbox.fill(records, &mut buffer[..mtu], false, report).unwrap();
            assert!(n > 0, "no progress");
            let mut numbers = numbers.into_iter().flatten();
            read_records(&mut buffer[..n], |_, _, plaintext| {
                let mut fragments = vec![];
                read_fragments(plaintext, &self.lengths, |(seq, from, to)| {
                    let to = to.max(from + usize::from(self.lengths[seq].1 == 0));
                    again[seq][from..to].iter_mut().for_each(|times| *times += 1);
                    fragments.push((seq, from, to));
                });
                self.sent.push((numbers.next().unwrap(), fragments, self.transmission));
            });
        }
        for (times, acked) in again.iter().flatten().zip(self.acked.iter().flatten()) {
            assert_eq!(*times, u8::from(!acked), "sent {again:?}, acknowledged {:?}", self.acked);
        }
    }

    fn ack(&mut self, outbox: &mut Outbox, number: RecordNumber) {
        let mut expected = Acked::Nothing;
        if let Some(at) = self.sent.iter().position(|record| record.0 == number) {
            let (_, fragments, transmission) = self.sent.remove(at);
            let bytes = fragments.into_iter().flat_map(|(seq, from, to)| (from..to).map(move |at| (seq, at)));
            for (seq, at) in bytes {
                if !core::mem::replace(&mut self.acked[seq][at], true) {
                    let latest = transmission == self.transmission;
                    expected = if latest { Acked::Latest } else { Acked::Earlier };
                }
            }
        }
        assert_eq!(outbox.on_ack(number), expected, "{number:?}");
        assert_eq!(outbox.is_acked(), self.acked.iter().flatten().all(|acked| *acked));
    }

    fn rewind(&mut self, outbox: &mut Outbox) {
        outbox.rewind();
        self.transmission += 1;
    }

    /// Numbers of the records not acknowledged yet.
    fn numbers(&self) -> Vec<RecordNumber> {
        self.sent.iter().map(|record| record.0).collect()
    }
}

/// The members of `all` whose bit is set.
fn subset(all: &[RecordNumber], set: usize) -> impl DoubleEndedIterator<Item = RecordNumber> {
    all.iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1).map(|(_, number)| *number)
}

/// Acknowledges every set of records of the first transmission, then every set of those of the second and perhaps late ones,
/// and looks at what a third one sends. Returns the cases and the most records of a transmission.
fn assert_every_set_of_acks(lengths: &[(u16, usize)], [first, second, third]: [usize; 3]) -> (u64, usize) {
    let (mut cases, mut most) = (0, 0);
    let (mut set, mut sets) = (0, 1);
    while set < sets {
        let (mut later_set, mut later_sets) = (0, 1);
        while later_set < later_sets {
            let packing = Packing { plain: false, burst: 0 };
            let (mut outbox, mut records) = (flight(lengths, Delivery::UntilAcked, packing), records());
            let mut model = Model::new(lengths);
            model.transmit(&mut outbox, &mut records, first);
            let all = model.numbers();
            (sets, most) = (1 << all.len(), most.max(all.len()));
            for number in subset(&all, set) {
                model.ack(&mut outbox, number);
                // A second time it says nothing, and neither does one that was never sent.
                model.ack(&mut outbox, number);
                model.ack(&mut outbox, RecordNumber::new(number.epoch() + 1, number.seq()));
            }
            model.rewind(&mut outbox);
            let before = model.sent.len();
            model.transmit(&mut outbox, &mut records, second);
            let all = model.numbers();
            let (late, new) = all.split_at(before);
            // One bit more: whether what the first transmission has left is acknowledged late.
            (later_sets, most) = (2 << new.len(), most.max(new.len()));
            for number in subset(new, later_set >> 1).rev() {
                model.ack(&mut outbox, number);
            }
            if later_set & 1 == 1 {
                late.iter().for_each(|number| model.ack(&mut outbox, *number));
            }
            model.rewind(&mut outbox);
            model.transmit(&mut outbox, &mut records, third);
            cases += 1;
            later_set += 1;
        }
        set += 1;
    }
    (cases, most)
}

#[test]
fn every_set_of_records_acknowledged() {
    let mut total = 0;
    // As many as eight records, a message without a body, several messages in a record and messages in several.
    let two_epochs = [(0, 40), (KEYED, 30), (KEYED, 0), (KEYED, 24)];
    let one_epoch = [(KEYED, 0), (KEYED, 27), (KEYED, 3), (KEYED, 40)];
    for (lengths, mtus) in [
        (two_epochs, [45, 58, 39]),
        (two_epochs, [58, 45, 200]),
        (one_epoch, [45, 52, 39]),
        (one_epoch, [52, 45, 200]),
    ] {
        let (cases, most) = assert_every_set_of_acks(&lengths, mtus);
        assert!((6..=8).contains(&most), "{most} records");
        total += cases;
    }
    println!("sets of records acknowledged: {total} cases");
}

#[test]
fn every_set_acknowledged_before_keys_are_proven_or_acks_forgotten() {
    let mut cases = 0u64;
    let lengths = [(0, 40), (0, 0), (KEYED, 30), (KEYED, 12)];
    for (mtu, proves) in [45, 60, 200].into_iter().flat_map(|mtu| [(mtu, true), (mtu, false)]) {
        let (mut set, mut sets) = (0, 1);
        while set < sets {
            let packing = Packing { plain: false, burst: 0 };
            let (mut outbox, mut records) = (flight(&lengths, Delivery::UntilAcked, packing), records());
            let mut model = Model::new(&lengths);
            model.transmit(&mut outbox, &mut records, mtu);
            let all = model.numbers();
            sets = 1 << all.len();
            subset(&all, set).for_each(|number| model.ack(&mut outbox, number));
            if proves {
                let news = model.acked[..2].iter().flatten().any(|acked| !acked);
                model.acked[..2].iter_mut().flatten().for_each(|acked| *acked = true);
                assert_eq!(outbox.on_keys_proven(), if news { Acked::Latest } else { Acked::Nothing });
                assert_eq!(outbox.on_keys_proven(), Acked::Nothing);
            } else {
                outbox.forget_acks();
                model.acked.iter_mut().flatten().for_each(|acked| *acked = false);
            }
            assert_eq!(outbox.is_acked(), model.acked.iter().flatten().all(|acked| *acked));
            model.rewind(&mut outbox);
            model.transmit(&mut outbox, &mut records, 100);
            // What is acknowledged late still counts.
            all.iter().for_each(|number| model.ack(&mut outbox, *number));
            cases += 1;
            set += 1;
        }
    }
    println!("acknowledged before something else: {cases} cases");
}

#[test]
fn only_so_many_records_are_remembered_and_only_so_many_sent_at_once() {
    let lengths = [(KEYED, 700)];
    let mut model = Model::new(&lengths);
    let (mut outbox, mut layer) =
        (flight(&lengths, Delivery::UntilAcked, Packing { plain: false, burst: 0 }), records());
    model.transmit(&mut outbox, &mut layer, KEYED_RECORD + FRAGMENT + 10);
    let all = model.numbers();
    assert_eq!(all.len(), 70);
    for number in &all[..70 - MAX_SENT] {
        assert_eq!(outbox.on_ack(*number), Acked::Nothing, "forgotten, and sent again");
    }
    model.sent.drain(..70 - MAX_SENT);
    all.iter().for_each(|number| model.ack(&mut outbox, *number));
    model.rewind(&mut outbox);
    model.transmit(&mut outbox, &mut layer, KEYED_RECORD + FRAGMENT + 10);

    for burst in 1..=5 {
        let mut outbox = flight(&lengths, Delivery::UntilAcked, Packing { plain: false, burst });
        let mut layer = records();
        let mut left = 7;
        while left > 0 {
            let mut sent = vec![];
            while outbox.has_pending() && !outbox.is_paused() {
                outbox
                    .fill(&mut layer, &mut [0; KEYED_RECORD + FRAGMENT + 100], false, |_, s| {
                        sent.push(s.number)
                    })
                    .unwrap();
            }
            assert_eq!(sent.len(), left.min(burst.into()), "{burst} at once");
            left -= sent.len();
            sent.into_iter().for_each(|number| assert_eq!(outbox.on_ack(number), Acked::Latest));
            outbox.rewind();
        }
        assert!(outbox.is_acked());
    }
}
