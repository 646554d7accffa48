//! Addresses of peers: anything that can be written down as bytes.

use core::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Longest encoding of an address, in bytes; enough for an IPv6 address, a port and a scope.
pub const MAX_ADDRESS_LEN: usize = 32;

/// The address of a peer, for an [`crate::Endpoint`].
pub trait Address: Eq + Clone {
    /// The address as bytes, which cookies are bound to and connections are found by. Addresses that share bytes are still
    /// told apart; cookies hold for all of them, and too many of them are slow.
    fn to_bytes(&self) -> AddressBytes;
}

/// The encoding of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AddressBytes {
    bytes: [u8; MAX_ADDRESS_LEN],
    len: u8,
}

impl AddressBytes {
    /// The first [`MAX_ADDRESS_LEN`] of these bytes.
    pub fn new(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut address = Self::default();
        for (to, from) in address.bytes.iter_mut().zip(bytes) {
            *to = from;
            address.len = address.len.saturating_add(1);
        }
        address
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Bytes stand for themselves.
impl Address for AddressBytes {
    fn to_bytes(&self) -> AddressBytes {
        *self
    }
}

/// Address and port.
impl Address for SocketAddrV4 {
    fn to_bytes(&self) -> AddressBytes {
        AddressBytes::new(self.ip().octets().into_iter().chain(self.port().to_be_bytes()))
    }
}

/// Address, port and scope. The flow label is no part of an address, so that it should be 0.
impl Address for SocketAddrV6 {
    fn to_bytes(&self) -> AddressBytes {
        let port = self.port().to_be_bytes();
        let scope = self.scope_id().to_be_bytes();
        AddressBytes::new(self.ip().octets().into_iter().chain(port).chain(scope))
    }
}

impl Address for SocketAddr {
    fn to_bytes(&self) -> AddressBytes {
        match self {
            Self::V4(v4) => v4.to_bytes(),
            Self::V6(v6) => v6.to_bytes(),
        }
    }
}

/// For peers with one port each.
impl Address for IpAddr {
    fn to_bytes(&self) -> AddressBytes {
        match self {
            Self::V4(v4) => AddressBytes::new(v4.octets()),
            Self::V6(v6) => AddressBytes::new(v6.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_tells_peers_apart_is_in_the_bytes() {
        let bytes = |text: &str| text.parse::<SocketAddr>().unwrap().to_bytes();
        assert_eq!(bytes("192.0.2.1:5684").as_slice(), [192, 0, 2, 1, 0x16, 0x34]);
        let different = [
            "192.0.2.1:1",
            "192.0.2.1:2",
            "192.0.2.2:1",
            "[fe80::1%1]:1",
            "[fe80::1%2]:1",
            "[fe80::1]:1",
            "[fe80::1]:2",
            "[::ffff:192.0.2.1]:1",
        ];
        for (i, a) in different.iter().enumerate() {
            for b in different.iter().skip(i + 1) {
                assert_ne!(bytes(a), bytes(b), "{a} {b}");
            }
        }
        assert_eq!(AddressBytes::new([7; 40]).as_slice(), [7; MAX_ADDRESS_LEN]);
    }
}
