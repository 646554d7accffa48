//! Datagrams that were sent, by what they say.

use core::hash::{BuildHasher as _, BuildHasherDefault, Hash};
use std::{collections::BTreeMap, hash::DefaultHasher, rc::Rc};

use dtls_core::{Connection, ContentType, RecordNumber};
use ideal_crypto::World;
use simulated_network::Side;

use crate::{Ends, wire};

/// Record numbers of a window: below it all fit in, and have the short form (RFC 9147 §4.2.2).
const WINDOW: u64 = 64;
/// Most numbers in an ACK, most bytes of a record of ACKs but for them, and bytes of each (RFC 9147 §7).
const ACKED: (usize, usize, usize) = (32, 23, 16);

/// A datagram that may arrive at any time.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) to: Side,
    pub(super) bytes: Rc<[u8]>,
    records: Rc<[Record]>,
}

/// What a datagram says to whom it goes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Label {
    says: u64,
    /// Whether one that says the same is as good as two.
    pub(super) merges: bool,
}

#[derive(Clone, Debug)]
struct Record {
    number: RecordNumber,
    says: Says,
}

#[derive(Clone, Debug)]
enum Says {
    /// Records of the one it goes to have arrived.
    Ack(Vec<RecordNumber>),
    /// Handshake messages, by their hash: whoever takes them in acknowledges the record.
    Messages(u64),
    /// Content of some other type, by its hash.
    Other(u64),
}

impl Letter {
    /// A datagram that `from` has just written.
    pub(super) fn new(from: Side, bytes: &[u8], ends: &Ends) -> Self {
        let plain: Option<Vec<_>> = wire::records(bytes).map(|record| plaintext(&record)).collect();
        let reveal = || {
            let sender = ends.end(from).expect("only connections have keys").connection();
            // Nobody opens what is looked into here.
            World::unchecked().run(|| sender.reveal(&mut bytes.to_vec()))
        };
        let records = plain.unwrap_or_else(reveal);
        assert_eq!(records.len(), wire::records(bytes).count(), "a record that its sender cannot read");
        let records = records.into_iter().map(|(content, number, body)| Record::new(content, number, &body));
        Self { to: from.peer(), bytes: bytes.into(), records: records.collect() }
    }

    /// Whether all it says is what has arrived.
    pub(super) fn only_acknowledges(&self) -> bool {
        self.records.iter().all(|record| matches!(record.says, Says::Ack(_)))
    }

    /// What its arrival would do, now and later, or `None` if that is nothing any more.
    pub(super) fn label(&self, ends: &Ends, names: &Names, plenty: usize) -> Option<Label> {
        let to = ends.end(self.to).map(super::End::connection);
        let live = |record: &&Record| to.is_none_or(|to| record.counts_for(to, names.of(self.to)));
        let live: Vec<_> = self.records.iter().filter(live).collect();
        let says: Vec<_> = live.iter().map(|record| record.label(self.to, names)).collect();
        // Each byte that comes lets more be sent.
        let pays = to.is_some_and(|to| to.allowance() < plenty).then(|| self.bytes.len());
        let merges = live.iter().all(|record| record.merges(self.to, names));
        (!says.is_empty() || pays.is_some()).then(|| Label { says: hash((self.to, says, pays)), merges })
    }
}

impl Record {
    fn new(content: ContentType, number: RecordNumber, body: &[u8]) -> Self {
        let says = match content {
            ContentType::ACK => Says::Ack(acknowledged(body)),
            ContentType::HANDSHAKE => Says::Messages(hash(body)),
            _ => Says::Other(hash((content.0, body))),
        };
        assert!(number.epoch() == 0 || number.seq() < WINDOW, "so many records that their numbers matter");
        Self { number, says }
    }

    /// Whether it can still do anything at `to`, whose records are named by `names`.
    fn counts_for(&self, to: &Connection, names: &BTreeMap<RecordNumber, u64>) -> bool {
        let says_something = match &self.says {
            Says::Ack(numbers) => {
                let proves = self.number.epoch() > 0 && to.awaits_proof();
                proves || numbers.iter().any(|number| names.contains_key(number))
            }
            Says::Messages(_) | Says::Other(_) => true,
        };
        says_something && to.will_open(self.number)
    }

    /// Whether another one that says the same adds nothing. Under keys, copies of messages count by their numbers; in the
    /// clear only those count that are acknowledged or waited for.
    fn merges(&self, to: Side, names: &Names) -> bool {
        let is_named = names.of(to.peer()).contains_key(&self.number) || names.has_noted(to, self.number);
        match self.says {
            Says::Ack(_) => true,
            Says::Messages(_) | Says::Other(_) => self.number.epoch() == 0 && !is_named,
        }
    }

    fn label(&self, to: Side, names: &Names) -> u64 {
        let epoch = self.number.epoch();
        match &self.says {
            Says::Ack(numbers) => {
                let named: Vec<_> = numbers.iter().filter_map(|number| names.of(to).get(number)).collect();
                hash((0, epoch, named))
            }
            Says::Messages(what) => {
                let name = names.of(to.peer()).get(&self.number);
                hash((1, epoch, what, name, names.has_noted(to, self.number)))
            }
            Says::Other(what) => hash((2, epoch, what)),
        }
    }
}

/// What record numbers mean to the ends.
#[derive(Debug)]
pub(super) struct Names {
    /// By sender: what the acknowledgement of a record would say. No two have the same name.
    awaited: [BTreeMap<RecordNumber, u64>; 2],
    /// By receiver: the records to acknowledge.
    noted: [Vec<RecordNumber>; 2],
}

impl Names {
    pub(super) fn new(ends: &Ends) -> Self {
        let connection = |side| ends.end(side).map(super::End::connection);
        Self {
            awaited: Side::BOTH.map(|side| connection(side).map(awaited).unwrap_or_default()),
            noted: Side::BOTH
                .map(|side| connection(side).map(|c| c.to_acknowledge().to_vec()).unwrap_or_default()),
        }
    }

    /// No ACK has to leave anything out: which numbers are the newest does not matter.
    pub(super) fn assert_room(&self, ends: &Ends) {
        let (most, head, each) = ACKED;
        for side in Side::BOTH {
            let (count, room) = (self.noted[side as usize].len(), ends.end(side).map_or(0, super::End::room));
            assert!(
                count == 0 || count < most && head + each * count <= room,
                "{count} numbers in an ACK of {room} bytes"
            );
        }
    }

    /// The names of the records that `sender` has sent and that can still be acknowledged with any effect.
    fn of(&self, sender: Side) -> &BTreeMap<RecordNumber, u64> {
        &self.awaited[sender as usize]
    }

    /// Whether `receiver` will acknowledge this record.
    fn has_noted(&self, receiver: Side, number: RecordNumber) -> bool {
        self.noted[receiver as usize].contains(&number)
    }

    /// What the two connections know of records, by name. Of records whose acknowledgement says nothing only counts whether
    /// there are any: without them there may be nothing to acknowledge.
    pub(super) fn label(&self) -> u64 {
        let label = |side: Side| {
            let (own, peers) = (self.of(side), self.of(side.peer()));
            let mut own: Vec<_> = own.values().collect();
            own.sort_unstable();
            let mut noted: Vec<_> =
                self.noted[side as usize].iter().map(|number| peers.get(number)).collect();
            noted.sort_unstable();
            noted.dedup();
            hash((own, noted))
        };
        hash(Side::BOTH.map(label))
    }
}

/// The numbers of `connection`'s records that are waited for, with what they mean; those that mean the same are counted.
fn awaited(connection: &Connection) -> BTreeMap<RecordNumber, u64> {
    let mut meanings = BTreeMap::<_, Vec<_>>::new();
    for (number, what) in connection.awaited() {
        meanings.entry(number).or_default().push(what);
    }
    let mut counts = BTreeMap::new();
    let name = |(number, what): (RecordNumber, Vec<_>)| {
        let count = counts.entry(what.clone()).and_modify(|count| *count += 1).or_insert(0);
        (number, hash((what, *count)))
    };
    meanings.into_iter().map(name).collect()
}

/// A record of epoch 0, which anybody can read.
fn plaintext(record: &wire::RawRecord<'_>) -> Option<(ContentType, RecordNumber, Vec<u8>)> {
    let content = record.content_type().filter(|_| record.epoch() == 0)?;
    let number = RecordNumber::new(0, record.sequence()?);
    Some((ContentType(content), number, record.body().to_vec()))
}

/// The record numbers in the body of an ACK (RFC 9147 §7).
fn acknowledged(body: &[u8]) -> Vec<RecordNumber> {
    let number = |entry: &[u8]| {
        let [epoch, seq] =
            [0, 8].map(|at| u64::from_be_bytes(entry[at..at + 8].try_into().expect("8 bytes")));
        RecordNumber::new(u16::try_from(epoch).expect("an epoch of the handshake"), seq)
    };
    body[2..].chunks_exact(16).map(number).collect()
}

pub(super) fn hash(what: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(what)
}
