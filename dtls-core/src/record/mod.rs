//! Record protection: the only code that touches traffic keys. Knows epochs and record numbers; must not know messages,
//! flights, timers or which version the connection speaks (the epoch's [`protect::Protection`] decides).

pub(crate) mod epoch;
pub(crate) mod layer;
pub(crate) mod number;
pub(crate) mod protect;
pub(crate) mod protect13;
pub(crate) mod replay;
#[cfg(test)]
pub(crate) mod witness;
