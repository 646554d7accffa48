//! The stateless cookie (RFC 6347 §4.2.1): a MAC over the client's address and the parameters of its hello, under a secret
//! that changes. Holds nothing about any client.
//!
//! ```text
//! version (1) | key id (1) | flags (1, zero) | HMAC-SHA-256 truncated to 16
//! ```

use core::time::Duration;

use crate::{
    crypto::{Hash, HmacBox, ct_eq, hmac_box},
    error::Error,
    rand::Rng,
    time::Instant,
    wire::hello::ClientHello,
};

/// Bytes of a cookie.
pub(crate) const COOKIE_LEN: usize = 19;
/// Bytes of a cookie secret.
pub const COOKIE_SECRET_LEN: usize = 32;
/// The format above.
const FORMAT: u8 = 1;
const MAC_LEN: usize = 16;

/// The current secret and the one before it. A secret makes cookies for one period and accepts them for two.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct CookieSecrets {
    hash: &'static dyn Hash,
    rotation: Duration,
    current: Option<Keyed>,
    previous: Option<Keyed>,
}

#[cfg_attr(feature = "__model", derive(Clone))]
struct Keyed {
    id: u8,
    since: Instant,
    key: HmacBox,
}

impl CookieSecrets {
    pub(crate) fn new(hash: &'static dyn Hash, rotation: Duration) -> Self {
        Self { hash, rotation, current: None, previous: None }
    }

    /// Uses `secret` under `id` from `now` on, so that several servers can accept each other's cookies.
    pub(crate) fn set(&mut self, id: u8, secret: &[u8; COOKIE_SECRET_LEN], now: Instant) {
        let fresh = Keyed { id, since: now, key: hmac_box(self.hash.hmac(secret)) };
        self.previous = self.current.replace(fresh);
    }

    /// Makes the first secret, or a new one when the current one is a period old; forgets those that are two periods old.
    ///
    /// # Errors
    /// [`Error::Rng`] if the random source failed.
    pub(crate) fn rotate(&mut self, now: Instant, rng: &mut dyn Rng) -> Result<(), Error> {
        if self.current.as_ref().is_none_or(|k| now.since(k.since) >= self.rotation) {
            let mut secret = zeroize::Zeroizing::new([0; COOKIE_SECRET_LEN]);
            rng.try_fill(&mut *secret)?;
            let id = self.current.as_ref().map_or(0, |k| k.id.wrapping_add(1));
            self.set(id, &secret, now);
        }
        let accepted = self.rotation.saturating_mul(2);
        self.previous = self.previous.take().filter(|k| now.since(k.since) < accepted);
        Ok(())
    }

    /// The cookie for this hello from this address.
    pub(crate) fn make(&self, address: &[u8], hello: &ClientHello<'_>) -> Option<[u8; COOKIE_LEN]> {
        let keyed = self.current.as_ref()?;
        Some(keyed.cookie(address, hello))
    }

    /// Whether the hello's own cookie is one of ours for this address and these parameters, in constant time.
    pub(crate) fn verify(&self, address: &[u8], hello: &ClientHello<'_>) -> bool {
        let Some(&[FORMAT, id, 0, ..]) = hello.cookie.first_chunk::<COOKIE_LEN>() else { return false };
        [&self.current, &self.previous]
            .into_iter()
            .flatten()
            .find(|keyed| keyed.id == id)
            .is_some_and(|keyed| ct_eq(&keyed.cookie(address, hello), hello.cookie))
    }
}

impl Keyed {
    /// Binds what must not change between the two hellos: version, random, session_id, suites and compression methods
    /// (RFC 6347 §4.2.1). Variable parts go with their lengths.
    fn cookie(&self, address: &[u8], hello: &ClientHello<'_>) -> [u8; COOKIE_LEN] {
        let head = [FORMAT, self.id, 0];
        let suites = hello.suites.as_bytes();
        let mac = self.key.sign(&[
            &head,
            &length(address),
            address,
            &hello.version.0.to_be_bytes(),
            hello.random,
            &length(hello.session_id),
            hello.session_id,
            &length(suites),
            suites,
            &length(hello.compression),
            hello.compression,
        ]);
        let mut cookie = [0; COOKIE_LEN];
        for (to, from) in cookie.iter_mut().zip(head.iter().chain(mac.as_bytes().iter().take(MAC_LEN))) {
            *to = *from;
        }
        cookie
    }
}

/// All parts are far shorter than 65,536 bytes: they come out of 16-bit vectors or an address.
fn length(part: &[u8]) -> [u8; 2] {
    u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes()
}
