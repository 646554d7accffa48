//! Which own address a datagram came to, and sending from a chosen one: `IP_PKTINFO` (ip(7)) and `IPV6_PKTINFO` (RFC 3542 §6).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd,
};

use nix::{
    cmsg_space, libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
    },
};

use super::Path;

/// Whether the socket tells the own address of datagrams from now on.
pub(super) fn enable(socket: &UdpSocket) -> bool {
    match socket.local_addr() {
        Ok(SocketAddr::V4(_)) => setsockopt(socket, Ipv4PacketInfo, &true).is_ok(),
        Ok(SocketAddr::V6(_)) => setsockopt(socket, Ipv6RecvPacketInfo, &true).is_ok(),
        Err(_) => false,
    }
}

/// Receives one datagram.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Path)> {
    let mut control = cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let mut local = None;
    for part in message.cmsgs()? {
        match part {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                local = Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr))));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                local = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            _ => {}
        }
    }
    let peer = message.address.as_ref().and_then(socket_address);
    let peer =
        peer.ok_or_else(|| io::Error::new(io::ErrorKind::Interrupted, "a datagram without a sender"))?;
    Ok((message.bytes, Path { peer, local }))
}

/// Sends one datagram from the own address `local`.
pub(super) fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr, local: IpAddr) -> io::Result<()> {
    let parts = [IoSlice::new(datagram)];
    let to = SockaddrStorage::from(to);
    let send = |control| sendmsg(socket.as_raw_fd(), &parts, &[control], MsgFlags::empty(), Some(&to));
    // Interface 0: the route to the peer chooses it.
    match local {
        IpAddr::V4(local) => send(ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(local).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        })),
        IpAddr::V6(local) => send(ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
            ipi6_ifindex: 0,
        })),
    }?;
    Ok(())
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}
