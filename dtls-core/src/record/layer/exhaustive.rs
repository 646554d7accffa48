//! Every epoch with every two bits a header can say of it, and every number in the form it is sent in.

use std::{println, vec::Vec};

use super::*;
use crate::{
    crypto::{AeadAlgorithm, NONCE_LEN},
    record::{number::MAX_SEQ, protect::Nonce12, witness::Witness},
    wire::record::split_first,
};

/// Keys of an epoch that may use all numbers; no two epochs have the same.
fn keys(witness: &Witness, epoch: u16) -> Protection {
    let mut iv = [0; NONCE_LEN];
    iv[..2].copy_from_slice(&epoch.to_be_bytes());
    witness.protect13(iv, AeadAlgorithm::ChaCha20Poly1305)
}

fn reader(witness: &Witness, epoch: u16) -> ReadEpoch {
    ReadEpoch::new(epoch, keys(witness, epoch), 64)
}

/// A layer that has advanced to `epoch`.
fn layer(witness: &Witness, epoch: u16) -> RecordLayer {
    let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
    if epoch > 1 {
        layer.advance_read(reader(witness, epoch - 1));
    }
    layer.advance_read(reader(witness, epoch));
    layer
}

/// Asserts that exactly records of the epochs `kept` are read, whatever epoch they are of, and counts them.
fn assert_reads(layer: &mut RecordLayer, witness: &Witness, kept: &[u16], seq: u64) -> u64 {
    let newest = layer.read_epoch();
    for bits in 0..4 {
        let by_bits = kept.iter().copied().filter(|epoch| epoch % 4 == bits).collect::<Vec<_>>();
        assert!(by_bits.len() < 2, "two epochs for the same bits");
        let record = RawRecord::Unified { header: &mut [0x20 | bits as u8, 0], body: &mut [0; 17] };
        assert_eq!(layer.reader_of(&record).map(ReadEpoch::number), by_bits.first().copied());
    }
    let mut cases = 4;
    for epoch in (newest.saturating_sub(6)..=newest.saturating_add(6)).chain([0]) {
        let number = RecordNumber::new(epoch, seq);
        let typ = ContentType::APPLICATION_DATA;
        let header = RecordHeader { typ, version: ProtocolVersion::DTLS1_2, number };
        let form = Form { last: true, wide: false };
        let mut record = [0x5a; 40];
        let length = keys(witness, epoch).seal(&header, form, &mut record, 1).unwrap();
        let opened = layer.open(split_first(&mut record[..length]).unwrap().0);
        let opened = opened.map(|opened| opened.number);
        if kept.contains(&epoch) {
            assert_eq!(opened.unwrap(), number);
        } else {
            assert!(matches!(opened, Err(Discard::UnknownEpoch | Discard::BadTag)), "{opened:?}");
        }
        // A header that says its epoch in full can't be of these epochs, but is looked up by all of it.
        let record = RawRecord::Legacy { header, body: &mut [] };
        let expected = kept.contains(&epoch).then_some(epoch);
        assert_eq!(layer.reader_of(&record).map(ReadEpoch::number), expected);
        cases += 2;
    }
    cases
}

#[test]
fn every_epoch_with_every_two_bits() {
    let mut cases = 0;
    let witness = Witness::default();
    for epoch in 1..=u16::MAX {
        let both = [epoch, epoch - 1];
        let kept = if epoch > 1 { &both[..] } else { &both[..1] };
        let mut layer = layer(&witness, epoch);
        cases += assert_reads(&mut layer, &witness, kept, 0);
        layer.retire_old();
        cases += assert_reads(&mut layer, &witness, &[epoch], 1);
        layer = self::layer(&witness, epoch);
        layer.replace_read(reader(&witness, epoch));
        cases += assert_reads(&mut layer, &witness, &[epoch], 0);
    }
    println!("epochs by their bits: {cases} cases");
}

#[test]
fn dtls12_epochs_are_not_found_by_bits() {
    let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
    for epoch in 0..=8 {
        let protection = Witness::default().protect12(Nonce12::Explicit([0; 4]), 16);
        layer.replace_read(ReadEpoch::new(epoch, protection, 64));
        for bits in 0..4 {
            let record = RawRecord::Unified { header: &mut [0x20 | bits, 0], body: &mut [0; 17] };
            assert!(layer.reader_of(&record).is_none());
            assert_eq!(layer.open(record).unwrap_err(), Discard::UnknownEpoch);
        }
    }
}

/// Writes one record of epoch 3 whose number is `seq`.
fn written(witness: &Witness, seq: u64, wide_numbers: bool) -> Vec<u8> {
    let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, wide_numbers);
    layer.advance_write(WriteEpoch::new(3, keys(witness, 3), seq));
    let mut out = [0x5a; 40];
    let record = NewRecord { epoch: 3, typ: ContentType::ACK, last: true };
    let sealed = layer.seal_with(record, &mut out, |_| 1).unwrap();
    assert_eq!(sealed.number, RecordNumber::new(3, seq));
    out[..sealed.len].to_vec()
}

/// Whatever was lost before it, and however many of those behind it came first, as far as the usual window reaches.
#[test]
fn every_number_is_found_in_the_form_it_is_sent_in() {
    let mut cases = 0u64;
    let witness = Witness::default();
    let Protection::V13(keys) = keys(&witness, 3) else { panic!("no keys") };
    let middle = [(1 << 15) - 1, 1 << 15, (1 << 15) + 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1];
    let high = [(1 << 40) - 1, 1 << 40, MAX_SEQ - 1, MAX_SEQ];
    for seq in (0..512).chain(middle).chain(high) {
        for wide in [false, true] {
            let record = written(&witness, seq, wide);
            let number_len = if wide || seq >= 128 { 2 } else { 1 };
            assert_eq!(record.len(), 1 + number_len + 2 + 16, "not the shortest form: {seq}");
            // A receiver expects what follows the newest number it has, which may be any before, but for half a period.
            let least = seq.saturating_sub(1 << 15);
            for expected in
                (least..=seq).filter(|n| n - least < 300 || seq - n < 300).chain(seq + 1..=seq + 64)
            {
                let mut copy = record.clone();
                let RawRecord::Unified { header, body } = split_first(&mut copy).unwrap().0 else { panic!() };
                assert_eq!(keys.open(3, expected, header, body).unwrap().seq, seq, "expected {expected}");
                cases += 1;
            }
        }
    }
    println!("numbers in the form they are sent in: {cases} cases");
}

/// RFC 9147 §4.5.3 for whole layers: sending ends with an error, for application data some records before anything else.
#[test]
fn a_worn_out_key_protects_nothing_more() {
    let witness = Witness::default();
    let algorithms = [(AeadAlgorithm::Aes128Ccm8, 1 << 23), (AeadAlgorithm::ChaCha20Poly1305, MAX_SEQ + 1)];
    let mut out = [0; 64];
    for ((algorithm, limit), reserve) in algorithms.into_iter().flat_map(|a| (0..20).map(move |r| (a, r))) {
        let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
        let protection = witness.protect13([2; NONCE_LEN], algorithm);
        layer.advance_write(WriteEpoch::new(2, protection, limit - reserve));
        if reserve <= CLOSING_RECORDS {
            assert_eq!(layer.seal_application_data(&mut out, 5).unwrap_err(), SendError::SequenceExhausted);
        } else {
            assert_eq!(layer.seal_application_data(&mut out, 5).unwrap().number.seq(), limit - reserve);
            continue;
        }
        let record = NewRecord { epoch: 2, typ: ContentType::ALERT, last: true };
        for seq in limit - reserve..limit {
            assert_eq!(layer.seal_with(record, &mut out, |_| 5).unwrap().number, RecordNumber::new(2, seq));
        }
        for _ in 0..3 {
            assert_eq!(layer.seal_with(record, &mut out, |_| 5).unwrap_err(), Error::SequenceExhausted);
        }
    }
}

#[test]
fn forgeries_of_an_old_epoch_count_as_well() {
    let witness = Witness::default();
    let ccm8 = |iv| witness.protect13([iv; NONCE_LEN], AeadAlgorithm::Aes128Ccm8);
    for in_old_epoch in [false, true] {
        let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
        layer.advance_read(ReadEpoch::new(2, ccm8(2), 64));
        layer.advance_read(ReadEpoch::new(3, ccm8(3), 64));
        let first = if in_old_epoch { 0x22 } else { 0x23 };
        for forgeries in 0..=129 {
            assert_eq!(layer.is_worn_out(), forgeries > 128, "{forgeries} forgeries");
            let record = RawRecord::Unified { header: &mut [first, 0], body: &mut [0; 17] };
            assert_eq!(layer.open(record).unwrap_err(), Discard::BadTag);
        }
    }
}

#[test]
fn what_fits_into_every_room() {
    let witness = Witness::default();
    let key = |tag_len| witness.protect12(Nonce12::Implicit([0; NONCE_LEN]), tag_len);
    let plain = Protection::Plain;
    let keys13 = keys(&witness, 3);
    let mut cases = 0;
    for (epoch, protection) in [(0, plain), (1, key(16)), (1, key(8)), (3, keys13)] {
        let mut layer = RecordLayer::new(ProtocolVersion::DTLS1_2, 0, false);
        layer.advance_write(WriteEpoch::new(epoch, protection, 0));
        for last in [false, true] {
            let record = NewRecord { epoch, typ: ContentType::APPLICATION_DATA, last };
            let form = layer.form(&layer.write, last);
            for room in (0..100).chain(MAX_PLAINTEXT..MAX_PLAINTEXT + 60) {
                let fits =
                    (0..=MAX_PLAINTEXT).rev().find(|n| layer.write.protection.record_len(form, *n) <= room);
                assert_eq!(layer.plaintext_room(record, room), fits, "{epoch}, {room}");
                cases += 1;
            }
        }
    }
    println!("room for plaintext: {cases} cases");
}
