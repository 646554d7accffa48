//! Why a call on a client or server failed.

use core::fmt;
use std::io;

use dtls_core::{ConnectError, SendError};

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The socket failed for good. What the network says about single datagrams (ICMP) is not an error.
    Io(io::Error),
    /// The connection has failed.
    Dtls(dtls_core::Error),
    /// This data was not sent; the connection is as it was.
    Send(SendError),
    /// The connection could not be begun.
    Connect(ConnectError),
    /// This data was not sent, because the system takes no datagram of so many bytes for this peer: it is longer than UDP or the
    /// local link allow, or than what is known of the path where the socket must not fragment (RFC 9147 §4.4). The connection is
    /// as it was; shorter data may fit.
    DatagramTooLarge {
        /// Bytes of the datagram: the data and what protects it.
        len: usize,
    },
    /// The peer has closed the connection in order.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the socket failed: {error}"),
            Self::Dtls(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::DatagramTooLarge { len } => write!(f, "the network takes no datagram of {len} bytes"),
            Self::Closed => f.write_str("the peer has closed the connection"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Dtls(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::DatagramTooLarge { .. } | Self::Closed => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<dtls_core::Error> for Error {
    fn from(error: dtls_core::Error) -> Self {
        Self::Dtls(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}
