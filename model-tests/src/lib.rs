//! The harness that drives two ends of a DTLS conversation, and the tests that need more than one crate.
//!
//! - [`schedule`]: what happens in a run, step by step: text, seeded, shrinkable; shared by every tool
//! - [`Ends`]: a client, a listener and the server it leads to, with the monitors that watch every run
//! - `Watched` (feature `model`): one connection driven by hand, with its monitor
//! - [`crowd`]: an endpoint and its many clients
//! - [`Pair`]: both ends on the simulated link, in virtual time
//! - [`Script`]: both ends driven by a schedule
//! - `explore` (feature `model`): every run within a budget of faults
//! - `sent_set` (feature `model`): every run over a network that loses, doubles, reorders and replays without bound
//! - `learned` (feature `model`): an end learned, and held against the reference model
//! - `learning` (feature `model`): one end against the scripted peer, as a system to be learned
//! - `tandem` (feature `model`): two ends over a hostile network, and the reference model beside each
//! - `wrong_peer` (feature `model`): a peer that breaks the rules, and what the other end made of it
//! - [`Recipe`]: configurations from few choices
//! - [`wire`]: where records begin and end, as anyone on the path sees it
//! - [`mailbox`]: the datagrams under way when a schedule, not a clock, decides what arrives
//!
//! Tests print their figures with `-- --nocapture`. `PROPTEST_CASES=100000` makes property tests longer,
//! `UPDATE_SNAPSHOTS=1` writes reviewed snapshots anew, and a schedule that fails goes into `tests/schedules` as text.
//!
//! What must hold in every run, with its ids, is in the crate `monitors`.
//! `DEEP=1 cargo test -p model-tests --test differences` compares ends and reference model one input deeper, the examples `differences`
//! and `learn` print what they find and what it costs.
//!
//! The link in virtual time is the crate `simulated_network`, the provider that panics on misuse `ideal_crypto`.

pub mod crowd;
mod ends;
#[cfg(feature = "model")]
pub mod explore;
#[cfg(feature = "model")]
pub mod learned;
#[cfg(feature = "model")]
pub mod learning;
pub mod mailbox;
mod pair;
mod recipe;
pub mod schedule;
mod script;
#[cfg(feature = "model")]
pub mod sent_set;
mod setup;
#[cfg(feature = "model")]
pub mod tandem;
#[cfg(feature = "model")]
mod watched;
pub mod wire;
#[cfg(feature = "model")]
pub mod wrong_peer;

pub use ends::{End, Ends, Outgoing};
pub use pair::Pair;
pub use recipe::{KEY, Recipe};
pub use script::Script;
pub use setup::Setup;
#[cfg(feature = "model")]
pub use watched::Watched;

pub use simulated_network::{FailingRng, Prng, Side};

/// Prints a line into the log of a run, also where the test passes: figures that belong into the log of CI.
#[macro_export]
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        // Nobody may be listening.
        let _heard = writeln!(std::io::stderr(), $($text)*);
    }};
}
