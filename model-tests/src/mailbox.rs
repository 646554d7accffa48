//! The datagrams under way when a schedule decides what arrives.

use dtls_core::Instant;
use simulated_network::Side;

use crate::{schedule::Step, wire::records};

/// A datagram on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Letter {
    /// Where it goes.
    pub to: Side,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether the bytes are just as one end sent them. False for forgeries and for anything changed on the way;
    /// datagrams joined or cut at record boundaries still count as genuine.
    pub genuine: bool,
}

/// Live datagrams, delayed ones, and everything ever sent.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    live: Vec<Letter>,
    delayed: Vec<(Instant, Letter)>,
    sent: Vec<Letter>,
}

impl Mailbox {
    /// Takes a datagram that `from` sends.
    pub fn send(&mut self, from: Side, bytes: &[u8]) {
        let letter = Letter { to: from.peer(), bytes: bytes.to_vec(), genuine: true };
        self.sent.push(letter.clone());
        self.live.push(letter);
    }

    /// Does what `step` does to datagrams; the datagram that arrives by it, if any. Steps that are not about datagrams
    /// do nothing here.
    pub fn apply(&mut self, step: &Step, now: Instant) -> Option<Letter> {
        match step {
            Step::Deliver(i) => return self.index(*i).map(|i| self.live.remove(i)),
            Step::Drop(i) => drop(self.index(*i).map(|i| self.live.remove(i))),
            Step::Replay(k) => return self.sent.get(usize::from(*k).checked_rem(self.sent.len())?).cloned(),
            Step::Forge(forgery) => {
                return Some(Letter { to: forgery.to, bytes: forgery.datagram(), genuine: false });
            }
            Step::Delay(i, micros) => {
                let letter = self.live.remove(self.index(*i)?);
                self.delayed.push((Instant::from_micros(now.as_micros() + u64::from(*micros)), letter));
            }
            Step::Duplicate(i) => self.live.push(self.live[self.index(*i)?].clone()),
            Step::Reorder(i, j) => {
                let (i, j) = (self.index(*i)?, self.index(*j)?);
                self.live.swap(i, j);
            }
            Step::Coalesce(i, j) => self.coalesce(self.index(*i)?, self.index(*j)?),
            Step::Split(i, records) => self.split(self.index(*i)?, usize::from(*records)),
            Step::Corrupt(i, byte, bit) => self.change(*i, |bytes| {
                if let Some(at) = usize::from(*byte).checked_rem(bytes.len()) {
                    bytes[at] ^= 1 << (bit % 8);
                }
            }),
            Step::Truncate(i, len) => {
                self.change(*i, |bytes| {
                    bytes.truncate(usize::from(*len).checked_rem(bytes.len()).unwrap_or(0))
                });
            }
            Step::Extend(i, more) => self.change(*i, |bytes| bytes.extend_from_slice(more)),
            Step::NextTimer
            | Step::Advance(_)
            | Step::Send(..)
            | Step::Close(_)
            | Step::Foreign(_)
            | Step::Rebind
            | Step::Psk(_) => {}
        }
        None
    }

    /// Lets delayed datagrams that are due by `now` join the live ones, in the order of their times.
    pub fn wake(&mut self, now: Instant) {
        self.delayed.sort_by_key(|(at, _)| *at);
        let due = self.delayed.partition_point(|(at, _)| *at <= now);
        self.live.extend(self.delayed.drain(..due).map(|(_, letter)| letter));
    }

    /// When the next delayed datagram is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.delayed.iter().map(|(at, _)| *at).min()
    }

    /// The live datagrams.
    pub fn live(&self) -> &[Letter] {
        &self.live
    }

    /// Everything ever sent, in order.
    pub fn sent(&self) -> &[Letter] {
        &self.sent
    }

    /// Puts other bytes into a live datagram, as if its sender had sent those.
    ///
    /// # Panics
    /// If there is no such datagram.
    pub fn replace(&mut self, index: usize, bytes: &[u8]) {
        let letter = Letter { to: self.live[index].to, bytes: bytes.to_vec(), genuine: false };
        self.sent.push(letter.clone());
        self.live[index] = letter;
    }

    fn index(&self, i: u8) -> Option<usize> {
        usize::from(i).checked_rem(self.live.len())
    }

    fn change(&mut self, i: u8, how: impl FnOnce(&mut Vec<u8>)) {
        if let Some(i) = self.index(i) {
            let letter = &mut self.live[i];
            let before = letter.bytes.clone();
            how(&mut letter.bytes);
            letter.genuine &= letter.bytes == before;
        }
    }

    fn coalesce(&mut self, i: usize, j: usize) {
        // What follows a record without a length would become part of it.
        let is_open = records(&self.live[i].bytes).last().is_none_or(|record| !record.is_last());
        if i != j && self.live[i].to == self.live[j].to && is_open {
            let tail = self.live[j].clone();
            self.live[i].bytes.extend_from_slice(&tail.bytes);
            self.live[i].genuine &= tail.genuine;
            self.live.remove(j);
        }
    }

    fn split(&mut self, i: usize, count: usize) {
        let bytes = &self.live[i].bytes;
        let at: usize = records(bytes).take(count).map(|record| record.bytes.len()).sum();
        if at > 0 && at < bytes.len() {
            let mut tail = self.live[i].clone();
            tail.bytes = self.live[i].bytes.split_off(at);
            self.live.insert(i + 1, tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(mark: u8) -> Vec<u8> {
        vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, mark, 0, 1, mark]
    }

    /// A mailbox with records 0, 1, 2 to the server and 3 to the client.
    fn full() -> Mailbox {
        let mut mailbox = Mailbox::default();
        (0..3).for_each(|mark| mailbox.send(Side::Client, &record(mark)));
        mailbox.send(Side::Server, &record(3));
        mailbox
    }

    /// Applies steps written as text; the last bytes of what arrives, then of what is live.
    fn run(mailbox: &mut Mailbox, steps: &str) -> (Vec<u8>, Vec<u8>) {
        let schedule: crate::schedule::Schedule = steps.parse().unwrap();
        let arrived =
            schedule.0.iter().filter_map(|step| mailbox.apply(step, Instant::START)).collect::<Vec<_>>();
        let marks = |letters: &[Letter]| letters.iter().map(|letter| *letter.bytes.last().unwrap()).collect();
        (marks(&arrived), marks(mailbox.live()))
    }

    #[test]
    fn datagrams_are_named_modulo_what_is_there() {
        assert_eq!(run(&mut full(), "deliver 5\ndrop 3\ndeliver 0"), (vec![1, 2], vec![3]));
        assert_eq!(run(&mut full(), "duplicate 0\nreorder 0 3"), (vec![], vec![3, 1, 2, 0, 0]));
        assert_eq!(
            run(&mut full(), "drop 0\ndrop 0\ndrop 0\ndrop 0\nreplay 6\nreplay 1"),
            (vec![2, 1], vec![])
        );
        let nothing =
            "deliver 0\ndrop 0\nreplay 0\nsplit 0 1\ncoalesce 0 1\ndelay 0 1\nduplicate 0\ncorrupt 0 0 0";
        assert_eq!(run(&mut Mailbox::default(), nothing), (vec![], vec![]));
    }

    #[test]
    fn joined_datagrams_are_cut_where_they_were_joined() {
        let mut mailbox = full();
        assert_eq!(run(&mut mailbox, "coalesce 0 2\ncoalesce 0 2"), (vec![], vec![2, 1, 3]), "one way only");
        assert_eq!(run(&mut mailbox, "split 0 1"), (vec![], vec![0, 2, 1, 3]));
        assert_eq!(run(&mut mailbox, "split 0 1\nsplit 0 0"), (vec![], vec![0, 2, 1, 3]), "nothing to cut");
        assert!(mailbox.live().iter().all(|letter| letter.genuine));
    }

    #[test]
    fn nothing_is_appended_to_a_record_without_a_length() {
        let mut mailbox = Mailbox::default();
        mailbox.send(Side::Client, &[0x23, 0, 5]);
        mailbox.send(Side::Client, &record(6));
        assert_eq!(run(&mut mailbox, "coalesce 0 1"), (vec![], vec![5, 6]));
        assert_eq!(run(&mut mailbox, "coalesce 1 0"), (vec![], vec![5]));
        assert_eq!(run(&mut mailbox, "split 0 1"), (vec![], vec![6, 5]));
    }

    #[test]
    fn changes_are_marked() {
        let mut mailbox = full();
        run(&mut mailbox, "corrupt 0 13 0\ntruncate 1 13\nextend 2 aa");
        assert_eq!(mailbox.live()[0].bytes[13], 1);
        assert_eq!(
            mailbox.live().iter().map(|letter| letter.bytes.len()).collect::<Vec<_>>(),
            [14, 13, 15, 14]
        );
        assert_eq!(
            mailbox.live().iter().map(|letter| letter.genuine).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        assert_eq!(run(&mut mailbox, "forge client 23 0 0 ff").0, [0xff]);
    }

    #[test]
    fn delayed_datagrams_come_back_in_time() {
        let mut mailbox = full();
        assert_eq!(run(&mut mailbox, "delay 0 20\ndelay 0 10").1, [2, 3]);
        assert_eq!(mailbox.next_wake(), Some(Instant::from_micros(10)));
        mailbox.wake(Instant::from_micros(10));
        assert_eq!(run(&mut mailbox, "").1, [2, 3, 1]);
        mailbox.wake(Instant::from_micros(30));
        assert_eq!(run(&mut mailbox, "").1, [2, 3, 1, 0]);
        assert_eq!(mailbox.next_wake(), None);
    }
}
