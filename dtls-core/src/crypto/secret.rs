//! Fixed-size secrets: zeroised, never printed, compared in constant time.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` secret bytes.
#[derive(Clone)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// All zero, to be filled by `fill`.
    pub fn generate(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self([0; N]);
        fill(&mut secret.0);
        secret
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> core::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Secret({N} bytes)")
    }
}

/// Whether `a` equals `b`, in time that depends on their lengths only.
pub(crate) fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
