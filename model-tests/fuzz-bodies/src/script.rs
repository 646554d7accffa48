//! How bytes are read as a list of things to do: a plain framing, so that a fuzzer can cut and splice it.

/// Bytes of a step before its datagram.
const HEAD: usize = 4;
/// More steps only make each execution slower.
const MOST_STEPS: usize = 64;

/// What a fuzzer's input says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(clippy::exhaustive_structs, reason = "built by whoever writes seeds")]
pub struct Script {
    /// Choices that hold for the whole run, a bit each.
    pub options: u8,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step: choices for this step, and a datagram.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(clippy::exhaustive_structs, reason = "built by whoever writes seeds")]
pub struct Step {
    /// Choices for this step, a bit each.
    pub choices: u16,
    /// What arrives.
    pub datagram: Vec<u8>,
}

impl Script {
    /// One byte of options; then for each step two bytes of choices, two of length, and so many bytes or as many as are
    /// left. Every input means something.
    pub fn parse(data: &[u8]) -> Self {
        let Some((options, mut rest)) = data.split_first() else { return Self::default() };
        let mut steps = Vec::new();
        while let ([c0, c1, l0, l1], tail) = head(rest) {
            if steps.len() == MOST_STEPS {
                break;
            }
            let length = tail.len().min(usize::from(u16::from_be_bytes([*l0, *l1])));
            let (datagram, after) = tail.split_at(length);
            let choices = u16::from_be_bytes([*c0, *c1]);
            steps.push(Step { choices, datagram: datagram.to_vec() });
            rest = after;
        }
        Self { options: *options, steps }
    }

    /// The bytes that [`Self::parse`] reads as this script, for seeds.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.options];
        for Step { choices, datagram } in &self.steps {
            let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
            bytes.extend(choices.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes.extend(&datagram[..usize::from(length)]);
        }
        bytes
    }
}

/// The head of a step and what follows; an empty head at the end.
fn head(rest: &[u8]) -> (&[u8], &[u8]) {
    rest.split_at_checked(HEAD).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_survive_their_bytes() {
        let step = |choices, datagram: &[u8]| Step { choices, datagram: datagram.to_vec() };
        let script =
            Script { options: 3, steps: vec![step(1, b"first"), step(0, b""), step(0x8001, &[7; 700])] };
        assert_eq!(Script::parse(&script.to_bytes()), script);
        assert_eq!(Script::parse(&[]), Script::default());
        let cut = Script::parse(&[0, 0, 9, 0, 200, 1, 2]);
        assert_eq!(cut.steps, [step(9, &[1, 2])]);
    }
}
