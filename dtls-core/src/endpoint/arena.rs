//! A place for each connection, with names that are never given to another one.

use alloc::{boxed::Box, vec::Vec};

/// The name of one connection of an [`crate::Endpoint`]. No other connection of the endpoint ever gets the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionHandle {
    index: u32,
    generation: u32,
}

impl ConnectionHandle {
    /// No handle is less.
    pub(super) const FIRST: Self = Self { index: 0, generation: 0 };
}

/// Values by handle.
#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    /// Indices of slots without a value that may be used again.
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    /// How many values were here before.
    generation: u32,
    value: Option<Box<T>>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts `value` somewhere; `None` if all of the 2^32 places are used up.
    pub(super) fn insert(&mut self, value: T) -> Option<ConnectionHandle> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, value: None });
                index
            }
        };
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        slot.value = Some(Box::new(value));
        self.len = self.len.saturating_add(1);
        Some(ConnectionHandle { index, generation: slot.generation })
    }

    pub(super) fn get(&self, handle: ConnectionHandle) -> Option<&T> {
        let slot = self.slots.get(usize::try_from(handle.index).ok()?)?;
        slot.value.as_deref().filter(|_| slot.generation == handle.generation)
    }

    pub(super) fn get_mut(&mut self, handle: ConnectionHandle) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::try_from(handle.index).ok()?)?;
        slot.value.as_deref_mut().filter(|_| slot.generation == handle.generation)
    }

    pub(super) fn remove(&mut self, handle: ConnectionHandle) -> Option<T> {
        let slot = self.slots.get_mut(usize::try_from(handle.index).ok()?)?;
        if slot.generation != handle.generation {
            return None;
        }
        let value = slot.value.take()?;
        self.len = self.len.saturating_sub(1);
        // The last generation is never given out: a slot that comes to it stays empty for good.
        slot.generation = slot.generation.saturating_add(1);
        if slot.generation < u32::MAX {
            self.free.push(handle.index);
        }
        Some(*value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionHandle, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| {
            let handle = ConnectionHandle { index, generation: slot.generation };
            slot.value.as_deref().map(|value| (handle, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_one_value_for_ever() {
        let mut arena = Arena::new();
        let first = arena.insert('a').unwrap();
        assert_eq!((arena.remove(first), arena.remove(first)), (Some('a'), None));
        let second = arena.insert('b').unwrap();
        assert_eq!(second.index, first.index);
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.get_mut(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!((arena.get(second), arena.len()), (Some(&'b'), 1));
        assert_eq!(arena.iter().collect::<Vec<_>>(), [(second, &'b')]);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_left_empty() {
        let mut arena = Arena::new();
        let handle = arena.insert(0).unwrap();
        arena.slots[0].generation = u32::MAX - 1;
        assert_eq!(arena.remove(ConnectionHandle { generation: u32::MAX - 1, ..handle }), Some(0));
        assert_eq!(arena.insert(1).unwrap(), ConnectionHandle { index: 1, generation: 0 });
    }
}
