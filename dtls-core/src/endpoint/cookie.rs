//! The stateless cookie (RFC 6347 §4.2.1, RFC 9147 §5.1): a MAC over the client's address and what must not change between its
//! hellos, under a secret that changes. Holds nothing about any client. One format for both versions:
//!
//! ```text
//! version (1) | key id (1) | flags (1) | DTLS 1.3: hash of the first ClientHello | HMAC-SHA-256 truncated to 16
//! ```

use core::time::Duration;

use crate::{
    crypto::{Digest, Hash, HmacBox, MAX_DIGEST_LEN, ct_eq, hmac_box},
    error::Error,
    handshake::suites::Suite13,
    rand::Rng,
    time::Instant,
    wire::{
        enums::{CipherSuite, NamedGroup},
        hello::ClientHello,
    },
};

/// Bytes of a DTLS 1.2 cookie.
pub(crate) const COOKIE_LEN: usize = HEAD_LEN + MAC_LEN;
/// Bytes of the longest cookie.
pub(crate) const MAX_COOKIE_LEN: usize = HEAD_LEN + MAX_DIGEST_LEN + MAC_LEN;
/// Version, key id and flags.
const HEAD_LEN: usize = 3;
/// The cookie is one of DTLS 1.3.
const FLAG_13: u8 = 1;
/// The HelloRetryRequest asked for a group.
const FLAG_GROUP: u8 = 2;
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

    /// The DTLS 1.2 cookie for this hello from this address.
    pub(crate) fn make12(&self, address: &[u8], hello: &ClientHello<'_>) -> Option<[u8; COOKIE_LEN]> {
        let keyed = self.current.as_ref()?;
        let head = [FORMAT, keyed.id, 0];
        let mut cookie = [0; COOKIE_LEN];
        concat(&mut cookie, [&head, &[], &keyed.mac12(&head, address, hello)]);
        Some(cookie)
    }

    /// Whether the hello's own cookie is one of ours for this address and these parameters, in constant time.
    pub(crate) fn verify12(&self, address: &[u8], hello: &ClientHello<'_>) -> bool {
        let Some((head, mac)) = hello.cookie.split_first_chunk::<HEAD_LEN>() else { return false };
        let [FORMAT, id, 0] = *head else { return false };
        self.find(id).is_some_and(|keyed| ct_eq(&keyed.mac12(head, address, hello), mac))
    }

    /// Writes the DTLS 1.3 cookie for a hello from this address to the front of `out` and returns it.
    pub(crate) fn make13<'o>(
        &self,
        address: &[u8],
        hello: &ClientHello<'_>,
        retry: &RetryCookie<'_>,
        out: &'o mut [u8; MAX_COOKIE_LEN],
    ) -> Option<&'o [u8]> {
        let keyed = self.current.as_ref()?;
        let flags = if retry.asked_group { FLAG_13 | FLAG_GROUP } else { FLAG_13 };
        let head = [FORMAT, keyed.id, flags];
        let length = concat(out, [&head, retry.hello_hash, &keyed.mac13(&head, address, hello, retry)]);
        out.get(..length)
    }

    /// What the cookie of a second hello says, if it is one of ours for this address and that hello; `suite` and `group` are
    /// what the second hello leads to.
    pub(crate) fn verify13<'c>(
        &self,
        address: &[u8],
        hello: &ClientHello<'c>,
        suite: &Suite13,
        group: Option<NamedGroup>,
    ) -> Option<RetryCookie<'c>> {
        let (head, rest) = hello.extensions.cookie?.split_first_chunk::<HEAD_LEN>()?;
        let (hello_hash, mac) = rest.split_at_checked(suite.hash.digest_len())?;
        let [FORMAT, id, flags] = *head else { return None };
        let asked_group = match flags {
            FLAG_13 => false,
            f if f == FLAG_13 | FLAG_GROUP => true,
            _ => return None,
        };
        let retry = RetryCookie { hello_hash, asked_group, suite: suite.id, group };
        let keyed = self.find(id)?;
        ct_eq(&keyed.mac13(head, address, hello, &retry), mac).then_some(retry)
    }

    fn find(&self, id: u8) -> Option<&Keyed> {
        [&self.current, &self.previous].into_iter().flatten().find(|keyed| keyed.id == id)
    }
}

/// What a DTLS 1.3 cookie binds besides the address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryCookie<'c> {
    /// Of the first ClientHello, under the hash of the suite; goes back and forth with the cookie.
    pub(crate) hello_hash: &'c [u8],
    /// Whether the HelloRetryRequest asked for the group.
    pub(crate) asked_group: bool,
    pub(crate) suite: CipherSuite,
    pub(crate) group: Option<NamedGroup>,
}

impl Keyed {
    /// Binds what must not change between the two hellos: version, random, session_id, suites and compression methods
    /// (RFC 6347 §4.2.1). Variable parts go with their lengths.
    fn mac12(&self, head: &[u8; HEAD_LEN], address: &[u8], hello: &ClientHello<'_>) -> [u8; MAC_LEN] {
        let suites = hello.suites.as_bytes();
        truncate(&self.key.sign(&[
            head,
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
        ]))
    }

    /// Binds the first hello, what the HelloRetryRequest said, and what must not change between the two hellos: random,
    /// session_id, suites, groups, and the key shares unless others were asked for (RFC 8446 §4.1.2). The rest of the second
    /// hello is covered by its binders.
    fn mac13(
        &self,
        head: &[u8; HEAD_LEN],
        address: &[u8],
        hello: &ClientHello<'_>,
        retry: &RetryCookie<'_>,
    ) -> [u8; MAC_LEN] {
        let group = retry.group.map_or(0, |g| g.0);
        let suites = hello.suites.as_bytes();
        let groups = hello.extensions.supported_groups.map_or(&[][..], |groups| groups.as_bytes());
        let shares = hello.extensions.key_shares.filter(|_| !retry.asked_group);
        let shares = shares.map_or(&[][..], |shares| shares.0);
        truncate(&self.key.sign(&[
            head,
            &length(address),
            address,
            retry.hello_hash,
            &retry.suite.0.to_be_bytes(),
            &group.to_be_bytes(),
            hello.random,
            &length(hello.session_id),
            hello.session_id,
            &length(suites),
            suites,
            &length(groups),
            groups,
            shares,
        ]))
    }
}

fn truncate(mac: &Digest) -> [u8; MAC_LEN] {
    mac.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Writes the parts one after the other and returns their length.
fn concat(out: &mut [u8], parts: [&[u8]; 3]) -> usize {
    let [a, b, c] = parts;
    for (to, from) in out.iter_mut().zip(a.iter().chain(b).chain(c)) {
        *to = *from;
    }
    a.len().saturating_add(b.len()).saturating_add(c.len())
}

/// All parts are far shorter than 65,536 bytes: they come out of 16-bit vectors or an address.
fn length(part: &[u8]) -> [u8; 2] {
    u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes()
}
