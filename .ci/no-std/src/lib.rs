//! Proof that the library needs no std: a static library with its own panic handler and allocator. Anything that links
//! std brings a second panic handler and the build fails with E0152.
#![no_std]

#[cfg(feature = "force-std")]
extern crate std;

use core::alloc::{GlobalAlloc, Layout};

use dtls_core::{
    Rng, RngError,
    crypto::{CryptoError, Prf},
};
use dtls_crypto::PROVIDER;

struct NoMemory;

// SAFETY: a null pointer is the documented way to say that there is no memory.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Reaches the library's code from an exported symbol, so that it is linked and not only compiled. Returns how many
/// algorithms worked.
#[unsafe(no_mangle)]
pub extern "C" fn dtls_no_std_proof(seed: u8) -> usize {
    every_algorithm(&mut Counting(seed)).unwrap_or(0)
}

struct Counting(u8);

impl Rng for Counting {
    fn try_fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

fn every_algorithm(rng: &mut Counting) -> Result<usize, CryptoError> {
    let mut worked = 0;
    for aead in PROVIDER.aeads {
        let mut key = [0; 32];
        rng.try_fill(&mut key).map_err(|_| CryptoError)?;
        let key = aead.key(&key[..aead.algorithm().key_len()])?;
        let (mut text, mut tag) = (key_text(rng), [0; 16]);
        let tag = &mut tag[..aead.algorithm().tag_len()];
        key.seal(&[0; 12], &[], &mut text, tag)?;
        key.open(&[0; 12], &[], &mut text, tag)?;
        worked += 1;
    }
    for hash in PROVIDER.hashes {
        Prf::new(*hash, &key_text(rng)).expand(b"label", [b"seed", &[], &[], &[]], &mut [0; 48]);
        worked += 1;
    }
    for group in PROVIDER.groups {
        let (ours, theirs) = (group.start(rng)?, group.start(rng)?);
        worked += ours.agree(theirs.public_key()).map(|secret| usize::from(!secret.is_empty()))?;
    }
    Ok(worked)
}

fn key_text(rng: &mut Counting) -> [u8; 16] {
    [rng.0; 16]
}
