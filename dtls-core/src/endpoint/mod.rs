//! Before there is a connection: stateless answers to new peers. Knows addresses and hellos; must not know keys of a session.

pub(crate) mod cookie;
pub(crate) mod listener;
mod pool;
