//! Sets of test words that a system need not start anew for.

use core::hash::Hash;

use crate::{Contradiction, Mealy, Observed, Separation, System, Word};

/// One test in so many is run again from the start without clones.
const AUDIT: u64 = 64;

/// Test words as a tree that is never built: cover words, after each every word of some length, after each of these
/// words that tell states apart.
///
/// If a system and a hypothesis agree on the suite of a machine with n states and k extra ones, and the hypothesis is
/// equivalent to that machine, then the system is too, unless it has more than n + k states (Vasilevskii 1973, Chow
/// 1978; with [`Tails::Identifying`] Fujiwara et al. 1991).
#[derive(Clone, Debug)]
pub struct Suite<I, O> {
    cover: Tree,
    /// What comes after the cover words, if anything.
    rest: Option<Rest<I, O>>,
}

/// Which words follow the last free input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tails {
    /// Always the whole characterising set: the W method.
    All,
    /// After the longest words only what identifies the state they should lead to: the Wp method.
    Identifying,
}

#[derive(Clone, Debug)]
struct Rest<I, O> {
    machine: Mealy<I, O>,
    /// How many free inputs follow a cover word.
    free: usize,
    /// The characterising set from node 0 on, and the identifying sets of all states.
    words: Tree,
    identifying: Option<Vec<usize>>,
}

/// Words that share their beginnings.
#[derive(Clone, Debug)]
struct Tree {
    /// By node: input and child, sorted by input.
    nodes: Vec<Vec<(usize, usize)>>,
}

/// All the words of a suite that go on from one place.
#[derive(Clone, Debug)]
struct Place {
    cover: Option<usize>,
    /// How many free inputs may still come.
    free: Option<usize>,
    tails: Vec<usize>,
    /// Where the suite's machine is.
    state: usize,
}

/// A suite on its way through a system.
struct Walk<'w, 'a, S: System> {
    suite: &'w Suite<S::Input, S::Output>,
    hypothesis: &'w Mealy<S::Input, S::Output>,
    observed: &'w mut Observed<'a, S>,
    path: Word,
}

/// Why a walk ends early.
enum Stop<O> {
    /// The path is answered otherwise than by the hypothesis, at its end with this.
    Differs(O),
    Contradiction(Contradiction<O>),
}

impl<I: Clone + Eq, O: Clone + Eq + Hash> Suite<I, O> {
    /// The suite of a machine that finds every difference of systems with at most `extra` states more.
    #[must_use]
    pub fn new(machine: &Mealy<I, O>, extra: usize, tails: Tails) -> Self {
        let machine = machine.minimised();
        let separation = Separation::of(&machine);
        let set = separation.characterising_set();
        let mut words = Tree::new(&set);
        let identifying = (tails == Tails::Identifying).then(|| {
            let root = |state| words.grow(&separation.identifiers(state, &set));
            (0..machine.states()).map(root).collect()
        });
        let cover = Tree::new(&machine.state_cover());
        Self { cover, rest: Some(Rest { machine, free: extra + 1, words, identifying }) }
    }

    /// Just these words.
    #[must_use]
    pub fn of_words(words: &[Word]) -> Self {
        Self { cover: Tree::new(words), rest: None }
    }

    /// Runs every word; the first one, in order of the tree, that the system answers otherwise than `hypothesis`.
    ///
    /// # Errors
    /// If the system, asked once more, answers otherwise.
    pub fn run<S>(
        &self,
        observed: &mut Observed<'_, S>,
        hypothesis: &Mealy<I, O>,
    ) -> Result<Option<Word>, Contradiction<O>>
    where
        S: System<Input = I, Output = O>,
    {
        let state = observed.system().start();
        observed.counts.starts += 1;
        let mut walk = Walk { suite: self, hypothesis, observed, path: Word::new() };
        let ended = walk.visit(&self.start(), state, 0);
        let path = walk.path;
        match ended {
            Ok(()) => Ok(None),
            Err(Stop::Contradiction(contradiction)) => Err(contradiction),
            Err(Stop::Differs(seen)) => {
                let answers = observed.ask_afresh(&path)?;
                let last = path.len() - 1;
                let known = hypothesis.run(0, &path[..last]).chain([&seen]);
                let parts = |(_, (before, now)): &(usize, (&O, &O))| before != now;
                let contradiction = known.zip(&answers).enumerate().find(parts).map(|(at, (before, now))| {
                    Contradiction { word: path[..=at].to_vec(), before: before.clone(), now: now.clone() }
                });
                contradiction.map_or_else(|| Ok(Some(path.clone())), Err)
            }
        }
    }

    fn start(&self) -> Place {
        let free = self.rest.as_ref().map(|rest| rest.free);
        let mut place = Place { cover: Some(0), free, tails: Vec::new(), state: 0 };
        self.add_tails(&mut place);
        place
    }

    /// The inputs among `all` that some word goes on with.
    fn inputs(&self, place: &Place, all: usize) -> Vec<usize> {
        if place.free.is_some_and(|free| free > 0) {
            return (0..all).collect();
        }
        let of = |tree: &Tree, node: usize| -> Vec<usize> {
            tree.nodes[node].iter().map(|(input, _)| *input).collect()
        };
        let cover = place.cover.iter().flat_map(|node| of(&self.cover, *node));
        let tails =
            self.rest.iter().flat_map(|rest| place.tails.iter().flat_map(|node| of(&rest.words, *node)));
        let mut inputs: Vec<usize> = cover.chain(tails).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    fn child(&self, place: &Place, input: usize) -> Option<Place> {
        let cover = place.cover.and_then(|node| self.cover.child(node, input));
        let Some(rest) = &self.rest else {
            return cover.map(|node| Place { cover: Some(node), free: None, tails: Vec::new(), state: 0 });
        };
        let free = match cover {
            Some(_) => Some(rest.free),
            None => place.free.and_then(|free| free.checked_sub(1)),
        };
        let tails = place.tails.iter().filter_map(|node| rest.words.child(*node, input)).collect();
        let mut child = Place { cover, free, tails, state: rest.machine.next(place.state, input) };
        self.add_tails(&mut child);
        (child.cover.is_some() || child.free.is_some() || !child.tails.is_empty()).then_some(child)
    }

    /// The words that tell states apart start after cover words and free inputs.
    fn add_tails(&self, place: &mut Place) {
        if let (Some(rest), Some(free)) = (&self.rest, place.free) {
            let root = match &rest.identifying {
                Some(roots) if free == 0 => roots[place.state],
                _ => 0,
            };
            place.tails.push(root);
        }
        place.tails.sort_unstable();
        place.tails.dedup();
    }
}

impl<S: System> Walk<'_, '_, S>
where
    S::Input: Clone + Eq,
{
    /// Runs all words that begin with the path; `state` is the system's, `expected` the hypothesis's.
    fn visit(&mut self, place: &Place, state: S::State, expected: usize) -> Result<(), Stop<S::Output>> {
        let inputs = self.suite.inputs(place, self.observed.system().inputs().len()).into_iter();
        let mut children: Vec<(usize, Place)> =
            inputs.filter_map(|input| Some((input, self.suite.child(place, input)?))).collect();
        let Some((last_input, last)) = children.pop() else { return self.end() };
        for (input, child) in children {
            self.observed.counts.clones += 1;
            self.step(input, &child, state.clone(), expected)?;
        }
        self.step(last_input, &last, state, expected)
    }

    fn step(
        &mut self,
        input: usize,
        place: &Place,
        mut state: S::State,
        expected: usize,
    ) -> Result<(), Stop<S::Output>> {
        self.path.push(input);
        self.observed.counts.steps += 1;
        let output = self.observed.system().step(&mut state, input);
        if output != *self.hypothesis.output(expected, input) {
            return Err(Stop::Differs(output));
        }
        self.visit(place, state, self.hypothesis.next(expected, input))?;
        self.path.pop();
        Ok(())
    }

    /// A whole word was answered as it should be.
    fn end(&mut self) -> Result<(), Stop<S::Output>> {
        let counts = &mut self.observed.counts;
        counts.tests += 1;
        counts.test_symbols += self.path.len() as u64;
        if !counts.tests.is_multiple_of(AUDIT) {
            return Ok(());
        }
        counts.audits += 1;
        counts.starts += 1;
        counts.steps += self.path.len() as u64;
        let system = self.observed.system();
        let mut state = system.start();
        let mut at = 0;
        for (length, input) in self.path.iter().enumerate() {
            let (now, before) = (system.step(&mut state, *input), self.hypothesis.output(at, *input));
            if now != *before {
                let word = self.path[..=length].to_vec();
                return Err(Stop::Contradiction(Contradiction { word, before: before.clone(), now }));
            }
            at = self.hypothesis.next(at, *input);
        }
        Ok(())
    }
}

impl Tree {
    fn new(words: &[Word]) -> Self {
        let mut tree = Self { nodes: Vec::new() };
        tree.grow(words);
        tree
    }

    /// Another tree beside those that are there; its root.
    fn grow(&mut self, words: &[Word]) -> usize {
        let root = self.nodes.len();
        self.nodes.push(Vec::new());
        for word in words {
            let mut node = root;
            for input in word {
                let fresh = self.nodes.len();
                let children = &mut self.nodes[node];
                node = match children.binary_search_by_key(input, |child| child.0) {
                    Ok(found) => children[found].1,
                    Err(place) => {
                        children.insert(place, (*input, fresh));
                        self.nodes.push(Vec::new());
                        fresh
                    }
                };
            }
        }
        root
    }

    fn child(&self, node: usize, input: usize) -> Option<usize> {
        let children = &self.nodes[node];
        let found = children.binary_search_by_key(&input, |child| child.0).ok()?;
        children.get(found).map(|child| child.1)
    }
}
