//! A peer that owns valid keys and can send any message at any time.
//!
//! [`ScriptedPeer`] plays the client or the server of DTLS 1.2 and DTLS 1.3 with a pre-shared key, against one end under test.
//! It is told what to send, record by record ([`Record`]): any handshake message in any epoch with any message_seq, whole or in
//! pieces, right or wrong in a named way; ChangeCipherSpec, alerts, data, ACKs; with a broken tag, an old number, or the very
//! bytes of before. Nothing keeps it from saying what makes no sense. It keeps one transcript of what was said and taken in, in
//! order, makes keys as soon as they follow from it, and opens and describes what the other end sends ([`Heard`]).
//!
//! Bytes in, bytes out: no sockets, no clock, no randomness but a seed. No input makes it panic. It reads and writes messages
//! with a codec of its own ([`codec`]) and hashes transcripts by hand; record protection and key schedule are the library's.
//!
//! ```text
//! emit(record) ─▶ bytes ─▶ end under test ─▶ datagrams ─▶ receive(datagram) ─▶ what it said
//!                          taken(next) or assume_taken(): which messages of this peer count now
//! ```
//! [`ScriptedPeer::honest`] says what a peer that follows the rules would send now, to get anywhere from anywhere.

pub mod action;
pub mod codec;
mod compose;
mod conversation;
pub mod cookies;
mod hear;
mod honest;
mod outgoing;
mod peer;

pub use action::{Content, Message, Record};
pub use dtls_core::internals::End;
pub use hear::{Heard, Remark, What};
pub use peer::{Exchange, ScriptedPeer, Settings, Taken};
