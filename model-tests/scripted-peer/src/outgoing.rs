//! This peer's messages that were sent but not taken in: what the other end can put together of them.

use std::sync::Arc;

use dtls_core::internals::Message;

use crate::action;

/// Messages under way.
#[derive(Clone, Default)]
pub(crate) struct Outgoing {
    /// What was composed, so that pieces of one message have the same bytes.
    drafts: Vec<(action::Message, Arc<Message>)>,
    /// The newest last.
    assemblies: Vec<Assembly>,
}

/// A message out of pieces, as RFC 6347 §4.2.3 puts it together: bytes that are there stay.
#[derive(Clone)]
struct Assembly {
    message: Arc<Message>,
    epoch: u16,
    /// Ranges that are missing.
    gaps: Vec<(usize, usize)>,
    /// Whether the other end had the keys to read it when it was sent. If not, it is what was sent last, alone.
    readable: bool,
}

impl Outgoing {
    /// The message that was composed for this symbol and number.
    pub(crate) fn draft(&self, said: &action::Message, seq: u16) -> Option<Arc<Message>> {
        let known = self.drafts.iter().find(|(known, message)| known == said && message.seq == seq);
        known.map(|(_, message)| Arc::clone(message))
    }

    /// Remembers what was composed.
    pub(crate) fn keep_draft(&mut self, said: &action::Message, message: &Arc<Message>) {
        self.drafts.retain(|(known, old)| known != said || old.seq != message.seq);
        self.drafts.push((said.clone(), Arc::clone(message)));
    }

    /// Bytes `from..to` of a message were sent in `epoch`. Of messages that contradict each other the newer one counts in
    /// plaintext, where either may be forged, and the older one under keys, if it was `readable`.
    pub(crate) fn sent(
        &mut self,
        message: &Arc<Message>,
        epoch: u16,
        (from, to): (usize, usize),
        readable: bool,
    ) {
        let same = |a: &Assembly| a.message.seq == message.seq && a.epoch == epoch;
        let mut gaps = Vec::new();
        if let Some(index) = self.assemblies.iter().position(same) {
            let mut known = self.assemblies.remove(index);
            let fits = known.message.typ == message.typ && known.message.body.len() == message.body.len();
            if known.readable && (fits || epoch > 0) {
                if fits {
                    known.fill(message, from, to);
                }
                self.assemblies.push(known);
                return;
            }
        }
        gaps.extend([(0, from), (to, message.body.len())].into_iter().filter(|(from, to)| from < to));
        self.assemblies.push(Assembly { message: Arc::clone(message), epoch, gaps, readable });
    }

    /// What was sent of this message in this epoch comes again, and can be read now.
    pub(crate) fn read(&mut self, seq: u16, epoch: u16) {
        let sent = self.assemblies.iter_mut().find(|a| (a.message.seq, a.epoch) == (seq, epoch));
        if let Some(sent) = sent {
            sent.readable = true;
        }
    }

    /// The message with this number that the other end has, whole or about to be, and its epoch. What came in plaintext does
    /// not count where there is one under keys, and what could not be read does not count at all.
    pub(crate) fn message(&self, seq: u16) -> Option<(Arc<Message>, u16)> {
        let all = self.assemblies.iter().filter(|a| a.message.seq == seq && a.readable);
        // Of several with the same key the last.
        let known = all.max_by_key(|assembly| (assembly.gaps.is_empty(), assembly.epoch));
        known.map(|assembly| (Arc::clone(&assembly.message), assembly.epoch))
    }

    /// Whether a message with this number was sent whole, and could be read.
    pub(crate) fn has_whole(&self, seq: u16) -> bool {
        self.assemblies.iter().any(|a| a.message.seq == seq && a.gaps.is_empty() && a.readable)
    }

    /// Forgets all messages before this number.
    pub(crate) fn forget_before(&mut self, next: u16) {
        self.drafts.retain(|(_, message)| message.seq >= next);
        self.assemblies.retain(|assembly| assembly.message.seq >= next);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Assembly {
    /// Takes what is missing from another message of the same length.
    fn fill(&mut self, other: &Message, from: usize, to: usize) {
        let mut left = Vec::new();
        for (start, end) in core::mem::take(&mut self.gaps) {
            let (first, last) = (start.max(from), end.min(to));
            if first >= last {
                left.push((start, end));
                continue;
            }
            if self.message.body[first..last] != other.body[first..last] {
                Arc::make_mut(&mut self.message).body[first..last].copy_from_slice(&other.body[first..last]);
            }
            left.extend([(start, first), (last, end)].into_iter().filter(|(start, end)| start < end));
        }
        self.gaps = left;
    }
}
