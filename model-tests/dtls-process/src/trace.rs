//! What `dtls --trace` has printed, gone through by a monitor for each connection.
//!
//! A trace has neither what was sent nor keys: that what is delivered was sent (S5), that both ends agree (S1), and whatever
//! else only a harness with both ends in hand can see (the table of [`monitors`]), is not checked here. What the other end must
//! have got is checked by the tests themselves, as far as it goes.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use dtls_core::TraceEvent;
use monitors::{Role, Successive};

/// Goes through what a client or a server has written to its standard error. A client makes one connection; a server's are
/// told apart by the peer's address, and those of one address by their beginning.
///
/// # Panics
/// With the id of the property that does not hold, if a line cannot be read, and if a connection came about that no line is
/// about.
pub(crate) fn check(role: Role, stderr: &str) {
    let mut watched = BTreeMap::new();
    let mut last = None;
    let (mut connected, mut established) = (0, 0);
    // The last line may have been cut off.
    for line in stderr.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let Some((peer, what)) = trace_line(line) else {
            connected += usize::from(line.starts_with("connected to ") || line.contains(" connected: "));
            continue;
        };
        if what.starts_with("datagram ") {
            continue;
        }
        let event = monitors::parse(what).unwrap_or_else(|| panic!("not a line of a trace: {line}"));
        established += usize::from(event == TraceEvent::Established);
        let peer = match role {
            // It is not named before there is a socket.
            Role::Client => None,
            Role::Server => Some(peer.unwrap_or_else(|| panic!("whose connection is it? {line}"))),
        };
        watched.entry(peer).or_insert_with(|| Successive::new(role)).note(&event);
        last = Some(peer);
    }
    // Whoever is killed may not have got to what became of its last message.
    if let Some(last) = last.and_then(|peer| watched.get_mut(&peer)) {
        last.cut_off();
    }
    assert!(connected <= established, "{connected} connections, and {established} in the trace");
}

/// What was written besides the trace.
pub(crate) fn without(stderr: &str) -> String {
    stderr.split_inclusive('\n').filter(|line| trace_line(line).is_none()).collect()
}

/// The peer, and what a line of the trace says of it; `None` for any other line.
fn trace_line(line: &str) -> Option<(Option<SocketAddr>, &str)> {
    let (seconds, rest) = line.trim_start().split_once(' ')?;
    // A CoAP response has a number in front too, but not with three decimals.
    let (whole, fraction) = seconds.split_once('.').filter(|(_, fraction)| fraction.len() == 3)?;
    let _ = (whole.parse::<u64>().ok()?, fraction.parse::<u16>().ok()?);
    let peer = rest.split_once(' ').and_then(|(peer, what)| Some((Some(peer.parse().ok()?), what)));
    Some(peer.unwrap_or((None, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake of a server with a client at this address, as far as monitors look at it.
    fn handshake(peer: &str) -> Vec<String> {
        let what = [
            "message out server_hello #1",
            "record out 0:1 handshake, 100 bytes",
            "record in 0:2 handshake, 18 bytes of plaintext",
            "message in client_key_exchange #2, epoch 0",
            "reading epoch 1",
            "record in 1:0 handshake, 24 bytes of plaintext",
            "message in finished #3, epoch 1",
            "writing epoch 1",
            "record out 1:0 handshake, 61 bytes",
            "established",
        ];
        let lines = what.iter().zip(0..).map(|(what, at)| format!("    0.00{at} {peer} {what}\n"));
        lines.chain([format!("{peer} connected: DTLS 1.2\n")]).collect()
    }

    fn data(peer: &str, seq: u64) -> String {
        let record = format!("1.000 {peer} record in 1:{seq} application_data, 5 bytes of plaintext\n");
        format!("{record}1.000 {peer} data of record 1:{seq} delivered\n")
    }

    #[test]
    fn connections_are_told_apart_by_the_address() {
        let (one, other) = ("127.0.0.1:1001", "[::1]:1001");
        let mixed = handshake(one).into_iter().zip(handshake(other)).map(|(a, b)| a + &b).collect::<String>();
        check(Role::Server, &(mixed + &data(one, 1) + &data(other, 1)));
    }

    #[test]
    fn one_connection_comes_after_the_other_at_one_address() {
        let peer = "127.0.0.1:1001";
        let end = format!("2.000 {peer} alert in close_notify, epoch 1\n");
        let one = handshake(peer).concat() + &data(peer, 1) + &end;
        check(Role::Server, &one.repeat(2));
    }

    #[test]
    fn one_that_failed_at_the_hello_was_between_them() {
        let peer = "127.0.0.1:1001";
        let end = format!("2.000 {peer} alert in close_notify, epoch 1\n");
        let one = handshake(peer).concat() + &data(peer, 1) + &end;
        let failed = "failed: a cryptographic operation failed";
        let failed = [failed, "record out 0:1 alert, 15 bytes", "alert out internal_error"];
        let failed = failed.map(|what| format!("3.000 {peer} {what}\n"));
        check(Role::Server, &(one.clone() + &failed.concat() + &one));
    }

    #[test]
    fn what_is_not_of_a_connection_and_what_is_cut_off_does_not_count() {
        check(Role::Server, "listening on 127.0.0.1:4433\n2.05 Content\n");
        let cut_off = "0.100 127.0.0.1:9 datagram dropped: whatever\n0.200 127.0.0.1:9 message ou";
        check(Role::Server, cut_off);
        let said = "listening on 127.0.0.1:4433\n2.05 Content\n";
        assert_eq!(without(&[said, cut_off].concat()), said);
    }

    #[test]
    fn what_became_of_the_last_message_of_all_is_not_told() {
        check(Role::Server, "1.000 127.0.0.1:1001 message in client_hello #1, epoch 0\n");
    }

    #[test]
    #[should_panic(expected = "S20: handshake restarted")]
    fn the_last_message_of_another_connection_was_accepted() {
        let last = "1.000 127.0.0.1:1001 message in client_hello #1, epoch 0\n".to_owned();
        check(Role::Server, &(last + &handshake("127.0.0.1:1002").concat()));
    }

    #[test]
    #[should_panic(expected = "S6: record 1/1 was taken in twice")]
    fn a_record_that_counts_twice() {
        let peer = "127.0.0.1:1001";
        check(Role::Server, &(handshake(peer).concat() + &data(peer, 1).repeat(2)));
    }

    #[test]
    #[should_panic(expected = "S4: ")]
    fn data_without_a_handshake() {
        check(Role::Client, "1.000 127.0.0.1:4433 data of record 1:1 delivered\n");
    }

    #[test]
    #[should_panic(expected = "not a line of a trace")]
    fn a_line_that_means_nothing() {
        check(Role::Client, "1.000 127.0.0.1:4433 something has happened\n");
    }

    #[test]
    #[should_panic(expected = "1 connections, and 0 in the trace")]
    fn a_connection_without_a_trace() {
        check(Role::Client, "connected to 127.0.0.1:4433: DTLS 1.2\n");
    }
}
