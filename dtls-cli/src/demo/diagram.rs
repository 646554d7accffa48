//! The sequence diagram: a line a datagram, who to whom, what, how large, and what became of it.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use dtls_core::Instant;
use simulated_network::{Fate, Side};

use super::wire;

/// Characters between the two life lines.
const WIDTH: usize = 74;

/// What only the sender of a datagram knows about it.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// What its application data says.
    Named(&'a str),
    /// The records in it.
    Records(&'a [wire::Note]),
}

/// Collects lines.
#[derive(Debug, Default)]
pub(crate) struct Diagram {
    lines: Vec<String>,
    /// What each side has sent before.
    sent: BTreeSet<(bool, (u8, u16, usize))>,
    labelled: BTreeSet<(bool, String)>,
}

impl Diagram {
    /// Adds a datagram.
    pub(crate) fn datagram(
        &mut self,
        now: Instant,
        from: Side,
        bytes: &[u8],
        fate: Fate,
        content: Content<'_>,
    ) {
        let client = from == Side::Client;
        let (what, again) = match content {
            Content::Named(label) => (label.to_owned(), !self.labelled.insert((client, label.to_owned()))),
            Content::Records(notes) => {
                let parts = wire::parts(bytes, client, notes);
                let new: Vec<bool> =
                    parts.iter().map(|part| self.sent.insert((client, part.identity))).collect();
                let names: Vec<_> = parts.into_iter().map(|part| part.name).collect();
                (names.join(", "), !new.contains(&true))
            }
        };
        let again = if again { "again: " } else { "" };
        let arrow = arrow(client, &format!(" {again}{what} ({} bytes) ", bytes.len()), fate);
        let comment = match fate {
            Fate::Passed => "",
            Fate::Reordered => "  delayed",
            Fate::Duplicated => "  arrives twice",
            Fate::TooBig => "  lost: too big for the path",
            _ => "  lost",
        };
        self.lines.push(format!("{} |{arrow}|{comment}", stamp(now)));
    }

    /// Adds a line about what one side has come to know.
    pub(crate) fn remark(&mut self, now: Instant, text: &str) {
        self.lines.push(format!("{} |  * {text}", stamp(now)));
    }

    /// Writes all lines.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:>9} sensor{:>gap$}", "seconds", "gateway", gap = WIDTH - 2)?;
        for line in &self.lines {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// An arrow with `text` on it that ends before the other life line if the datagram was lost.
fn arrow(to_the_right: bool, text: &str, fate: Fate) -> String {
    let lost = matches!(fate, Fate::Lost | Fate::Planned | Fate::TooBig);
    let tip = match (lost, to_the_right) {
        (true, true) => "x    ",
        (true, false) => "    x",
        (false, true) => ">",
        (false, false) => "<",
    };
    let shaft = WIDTH.saturating_sub(text.len() + tip.len());
    let near = shaft.min(2);
    let (near, far) = ("-".repeat(near), "-".repeat(shaft - near));
    if to_the_right { format!("{near}{text}{far}{tip}") } else { format!("{tip}{far}{text}{near}") }
}

fn stamp(now: Instant) -> String {
    format!("{:9.3}", now.as_micros() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_equally_wide_and_point_where_the_datagram_goes() {
        for fate in [Fate::Passed, Fate::Lost, Fate::Duplicated] {
            for to_the_right in [true, false] {
                assert_eq!(arrow(to_the_right, " text ", fate).len(), WIDTH);
            }
        }
        assert!(arrow(true, " a ", Fate::Passed).starts_with("-- a -"));
        assert!(arrow(true, " a ", Fate::Passed).ends_with("->"));
        assert!(arrow(false, " a ", Fate::Passed).starts_with("<-"));
        assert!(arrow(true, " a ", Fate::Lost).ends_with("-x    "));
        assert!(arrow(false, " a ", Fate::Lost).starts_with("    x-"));
    }

    #[test]
    fn a_second_transmission_is_named_as_such() {
        let mut diagram = Diagram::default();
        let ccs = [20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1];
        for side in [Side::Client, Side::Client, Side::Server] {
            diagram.datagram(Instant::START, side, &ccs, Fate::Passed, Content::Records(&[]));
        }
        let again: Vec<_> = diagram.lines.iter().map(|line| line.contains("again: ")).collect();
        assert_eq!(again, [false, true, false]);
    }
}
