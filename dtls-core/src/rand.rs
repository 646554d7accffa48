//! Randomness is passed in by the caller, and may fail.

/// The random source failed. The connection that asked for bytes ends with [`crate::Error::Rng`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RngError;

/// A source of cryptographically secure random bytes.
///
/// Passed by argument to the calls that can create secrets, so that a connection is a pure function of its inputs.
pub trait Rng {
    /// Fills `out` completely.
    ///
    /// # Errors
    /// [`RngError`] if the source cannot deliver; the caller of the core sees a fatal local error, never weak bytes.
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError>;
}
