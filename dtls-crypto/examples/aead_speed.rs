//! Nanoseconds per sealed message, and how ChaCha20-Poly1305 compares with the `chacha20poly1305` crate.
//!
//! Run it with `cargo run --release -p dtls-crypto --example aead_speed`.

use core::{hint::black_box, time::Duration};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use dtls_core::crypto::AeadAlgorithm;
use dtls_crypto::PROVIDER;

const SIZES: [usize; 3] = [48, 256, 1200];
const AAD: [u8; 13] = [0x17; 13];

fn main() {
    println!("{:<24}{:>10}{:>10}{:>10}   ns per seal, best of several runs", "", "48 B", "256 B", "1200 B");
    let mut ours = [0.0; SIZES.len()];
    for algorithm in AeadAlgorithm::ALL {
        let Some(aead) = PROVIDER.aead(algorithm) else { continue };
        let key = aead.key(&[7; 32][..algorithm.key_len()]).expect("the key's length is right");
        let mut tag = [0; 16];
        let tag = &mut tag[..algorithm.tag_len()];
        ours = SIZES.map(|size| {
            let mut buffer = vec![0; size];
            nanoseconds(|nonce| key.seal(nonce, &AAD, &mut buffer, tag).expect("a short buffer"))
        });
        row(&format!("{algorithm:?}"), ours);
    }

    // The last of `ALL` is ChaCha20-Poly1305.
    let oracle = ChaCha20Poly1305::new(&[7; 32].into());
    let theirs = SIZES.map(|size| {
        let mut buffer = vec![0; size];
        nanoseconds(|nonce| {
            let buffer = buffer.as_mut_slice().into();
            black_box(oracle.encrypt_inout_detached((&*nonce).into(), &AAD, buffer).expect("a short buffer"));
        })
    });
    row("chacha20poly1305 crate", theirs);
    println!(
        "{:<24}{:>9.2}x{:>9.2}x{:>9.2}x",
        "times faster",
        theirs[0] / ours[0],
        theirs[1] / ours[1],
        theirs[2] / ours[2]
    );
}

fn row(name: &str, [a, b, c]: [f64; 3]) {
    println!("{name:<24}{a:>10.0}{b:>10.0}{c:>10.0}");
}

/// The best mean over runs of about 20 ms each.
#[allow(clippy::disallowed_methods, reason = "a speed measurement reads the clock")]
fn nanoseconds(mut seal: impl FnMut(&mut [u8; 12])) -> f64 {
    const RUNS: u32 = 9;
    let mut nonce = [0; 12];
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = std::time::Instant::now();
        let mut count = 0_u32;
        while start.elapsed() < Duration::from_millis(20) {
            for _ in 0..100 {
                count += 1;
                nonce[..4].copy_from_slice(&count.to_le_bytes());
                seal(black_box(&mut nonce));
            }
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(count));
    }
    best
}
