//! How much may be sent to an address that has not proved it is real: three times what came from it (RFC 9147 §5.1).
//!
//! Only servers without the cookie exchange need it: a returned cookie is the proof.

/// Most bytes sent per byte received.
const FACTOR: usize = 3;

/// The balance of one unvalidated address.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Allowance {
    /// The address is real.
    Unlimited,
    /// Bytes that may still be sent.
    Limited(usize),
}

impl Allowance {
    /// For an address from which `received` bytes have come so far.
    pub(crate) const fn limited(received: usize) -> Self {
        Self::Limited(received.saturating_mul(FACTOR))
    }

    /// The most bytes the next datagram may have.
    pub(crate) const fn left(&self) -> usize {
        match self {
            Self::Unlimited => usize::MAX,
            Self::Limited(left) => *left,
        }
    }

    /// `plenty` is as good as any more.
    #[cfg(feature = "__model")]
    pub(crate) const fn saturate(&mut self, plenty: usize) {
        if let Self::Limited(left) = self
            && *left >= plenty
        {
            *left = usize::MAX;
        }
    }

    pub(crate) const fn on_received(&mut self, bytes: usize) {
        if let Self::Limited(left) = self {
            *left = left.saturating_add(bytes.saturating_mul(FACTOR));
        }
    }

    pub(crate) const fn on_sent(&mut self, bytes: usize) {
        if let Self::Limited(left) = self {
            *left = left.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod exhaustive;
