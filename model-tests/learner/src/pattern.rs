//! Bug patterns: automata that recognise what must never happen (the approach of dtls-fuzzer, Fiterau-Brostean et al.,
//! NDSS 2023). Run them as monitors along a trace, or multiply them with a machine to find the shortest way to a bug.

use core::{fmt, hash::Hash};
use std::collections::{HashSet, VecDeque};

use crate::{Mealy, Word};

/// One message, as the end under test sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol<'s> {
    /// It received this.
    In(&'s str),
    /// It sent this.
    Out(&'s str),
}

/// A deterministic automaton over messages in and out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What the bug is called.
    pub name: String,
    /// The words between `pattern` and the name: whom it is about, where it comes from.
    pub who: String,
    /// See above.
    pub origin: String,
    /// State 0 is the initial one.
    states: Vec<State>,
}

/// A text that is no list of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Counted from 1.
    pub line: usize,
}

/// The shortest way to a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The inputs.
    pub word: Word,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    name: String,
    rules: Vec<Rule>,
    other: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    incoming: bool,
    outgoing: bool,
    globs: Vec<String>,
    next: usize,
}

/// The accepting state.
const BUG: &str = "bug";

impl Pattern {
    /// Patterns as text:
    ///
    /// ```text
    /// pattern WHO ORIGIN NAME
    ///     STATE in|out|any GLOB... -> STATE
    ///     STATE else -> STATE
    /// ```
    ///
    /// A glob may have one `*`. The first rule that fits counts; without one the state stays. `#` begins a comment.
    ///
    /// # Errors
    /// If a line is none of these.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, PatternError> {
        let mut patterns: Vec<Self> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = PatternError { line: number + 1 };
            if let Some(heading) = line.strip_prefix("pattern ") {
                patterns.push(Self::headed(heading).ok_or(error)?);
            } else {
                patterns.last_mut().and_then(|pattern| pattern.add(line)).ok_or(error)?;
            }
        }
        Ok(patterns)
    }

    /// The state before any message.
    #[must_use]
    pub fn start(&self) -> usize {
        0
    }

    /// The state after one message more.
    #[must_use]
    pub fn step(&self, state: usize, symbol: Symbol<'_>) -> usize {
        let here = &self.states[state];
        let rule = here.rules.iter().find(|rule| rule.fits(symbol));
        rule.map_or_else(|| here.other.unwrap_or(state), |rule| rule.next)
    }

    /// Whether the bug has shown.
    #[must_use]
    pub fn found(&self, state: usize) -> bool {
        self.states[state].name == BUG
    }

    /// Whether a trace shows the bug at some point.
    #[must_use]
    pub fn accepts<'s>(&self, trace: impl IntoIterator<Item = Symbol<'s>>) -> bool {
        let mut state = self.start();
        trace.into_iter().any(|symbol| {
            state = self.step(state, symbol);
            self.found(state)
        })
    }

    /// The shortest word that makes a machine show the bug. `messages` says which messages an output stands for;
    /// inputs are what `input` says, none for those that are not messages.
    #[must_use]
    pub fn find<I: Clone + Eq, O: Clone + Eq + Hash>(
        &self,
        machine: &Mealy<I, O>,
        input: impl Fn(&I) -> Option<String>,
        messages: impl Fn(&O) -> Vec<String>,
    ) -> Option<Finding> {
        let inputs: Vec<Option<String>> = machine.inputs().iter().map(input).collect();
        let mut seen = HashSet::from([(0, self.start())]);
        let mut queue = VecDeque::from([(0, self.start(), Word::new())]);
        while let Some((state, at, word)) = queue.pop_front() {
            for (number, name) in inputs.iter().enumerate() {
                let outputs = messages(machine.output(state, number));
                let received = name.iter().map(|name| Symbol::In(name));
                let trace = received.chain(outputs.iter().map(|name| Symbol::Out(name)));
                let (mut after, mut found) = (at, false);
                for symbol in trace {
                    after = self.step(after, symbol);
                    found |= self.found(after);
                }
                let mut longer = word.clone();
                longer.push(number);
                if found {
                    return Some(Finding { word: longer });
                }
                let next = machine.next(state, number);
                if seen.insert((next, after)) {
                    queue.push_back((next, after, longer));
                }
            }
        }
        None
    }

    fn headed(heading: &str) -> Option<Self> {
        let (who, rest) = heading.split_once(' ')?;
        let (origin, name) = rest.split_once(' ')?;
        Some(Self { name: name.into(), who: who.into(), origin: origin.into(), states: Vec::new() })
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (left, next) = line.split_once(" -> ")?;
        let mut words = left.split_whitespace();
        let (state, direction) = (words.next()?, words.next()?);
        let globs: Vec<String> = words.map(str::to_owned).collect();
        let state = self.state(state);
        let next = self.state(next);
        let (incoming, outgoing) = match direction {
            "else" if globs.is_empty() && self.states[state].other.is_none() => {
                self.states[state].other = Some(next);
                return Some(());
            }
            "in" => (true, false),
            "out" => (false, true),
            "any" => (true, true),
            _ => return None,
        };
        if globs.is_empty() {
            return None;
        }
        self.states[state].rules.push(Rule { incoming, outgoing, globs, next });
        Some(())
    }

    fn state(&mut self, name: &str) -> usize {
        self.states.iter().position(|state| state.name == name).unwrap_or_else(|| {
            self.states.push(State { name: name.into(), rules: Vec::new(), other: None });
            self.states.len() - 1
        })
    }
}

impl Rule {
    fn fits(&self, symbol: Symbol<'_>) -> bool {
        let (direction, name) = match symbol {
            Symbol::In(name) => (self.incoming, name),
            Symbol::Out(name) => (self.outgoing, name),
        };
        direction && self.globs.iter().any(|glob| matches(glob, name))
    }
}

fn matches(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((before, after)) => {
            name.strip_prefix(before).is_some_and(|rest| rest.len() >= after.len() && rest.ends_with(after))
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is no part of a pattern", self.line)
    }
}

impl core::error::Error for PatternError {}
