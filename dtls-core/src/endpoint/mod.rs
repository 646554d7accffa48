//! Many peers at one address: stateless answers to new ones, and which connection a datagram belongs to. Knows addresses,
//! hellos and connections as a whole; must not know keys of a session.

pub(crate) mod address;
mod agenda;
pub(crate) mod arena;
pub(crate) mod cookie;
pub(crate) mod demux;
mod directory;
mod entry;
pub(crate) mod limits;
pub(crate) mod listener;
mod pool;
mod routes;
mod trial;
mod upkeep;
