//! Proof that the library needs no std: a static library with its own panic handler and allocator. Anything that links
//! std brings a second panic handler and the build fails with E0152.
#![no_std]

#[cfg(feature = "force-std")]
extern crate std;

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr::null_mut,
};

use dtls_core::{ClientConfig, Connection, Instant, Listener, Rng, RngError, ServerConfig, Verdict};
use dtls_crypto::PROVIDER;

const HEAP: usize = 1 << 20;

/// Hands out memory once and takes none back. It really works: an allocator that always fails would let the optimiser remove
/// the whole library.
struct Bump {
    heap: UnsafeCell<[u8; HEAP]>,
    used: Cell<usize>,
}

// SAFETY: the proof has one thread.
unsafe impl Sync for Bump {}

// SAFETY: every block is aligned, inside the heap, and handed out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let heap = self.heap.get().cast::<u8>();
        let free = heap as usize + self.used.get();
        let start = self.used.get() + free.next_multiple_of(layout.align()) - free;
        if start + layout.size() > HEAP {
            return null_mut();
        }
        self.used.set(start + layout.size());
        // SAFETY: just checked to be inside.
        unsafe { heap.add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { heap: UnsafeCell::new([0; HEAP]), used: Cell::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Reaches the library's code from an exported symbol, so that it is linked and not only compiled: both ends of a
/// handshake with every algorithm of the provider behind them. Returns the bytes of application data that arrived.
#[unsafe(no_mangle)]
pub extern "C" fn dtls_no_std_proof(seed: u8) -> usize {
    handshake(&mut Counting(seed)).unwrap_or(0)
}

/// Not random at all. Good enough to see what is linked.
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

fn handshake(rng: &mut Counting) -> Option<usize> {
    let mut now = Instant::START;
    let (mut buffer, mut reply) = ([0; 1500], [0; 1500]);
    let keys: (&[u8], &[u8]) = (b"sensor", &[7; 16]);
    let config = ServerConfig::builder(PROVIDER).coap_suites().psk_table([keys]).build().ok()?;
    let mut listener = Listener::new(config.clone()).ok()?;
    let client = ClientConfig::builder(PROVIDER).coap_suites().psk(keys.0, keys.1).build().ok()?;
    let mut client = Connection::client(client, now, rng).ok()?;
    let accepted = loop {
        let hello = client.poll_transmit(now, &mut buffer)?;
        match listener.handle(now, rng, b"its address", hello, &mut reply) {
            Verdict::Accept(accepted) => break accepted,
            Verdict::Reply(cookie) => _ = client.handle_datagram(now, rng, cookie).next_data().ok()?,
            _ => return None,
        }
    };
    let mut server = Connection::server(config, &accepted, now, rng);
    while !(client.is_established() && server.is_established()) {
        deliver(&mut server, &mut client, &mut buffer, now, rng)?;
        deliver(&mut client, &mut server, &mut buffer, now, rng)?;
        now = client.poll_timeout().unwrap_or(now);
        client.handle_timeout(now).ok()?;
    }
    let length = client.send(b"21.5 C", &mut buffer).ok()?;
    let data = server.handle_datagram(now, rng, buffer.get_mut(..length)?).next_data().ok()??;
    Some(data.bytes.len())
}

fn deliver(
    from: &mut Connection,
    to: &mut Connection,
    buffer: &mut [u8],
    now: Instant,
    rng: &mut Counting,
) -> Option<()> {
    while let Some(datagram) = from.poll_transmit(now, buffer) {
        to.handle_datagram(now, rng, datagram).next_data().ok()?;
    }
    Some(())
}
