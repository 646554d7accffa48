//! Reliability: whole messages in order out of fragments, and flights into datagrams, again if need be. Knows messages and
//! epoch numbers; must not know keys, versions or what a message means.

pub(crate) mod acks;
pub(crate) mod allowance;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod ranges;
pub(crate) mod timers;
