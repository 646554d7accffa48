//! Key schedules and the handshake transcript. Knows secrets and labels; must not know records, flights or timers.

pub(crate) mod exporter;
pub(crate) mod transcript;
pub(crate) mod v12;
pub(crate) mod v13;
