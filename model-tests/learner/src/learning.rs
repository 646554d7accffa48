//! The learner.
//!
//! States are the leaves of a discrimination tree (Kearns and Vazirani 1994). A counterexample is cut by binary search
//! into a prefix, an input and a suffix that splits one state (Rivest and Schapire 1993); a shorter suffix is used
//! where one input and a word of the tree do it too, as TTT does (Isberner, Howar and Steffen 2014).

use core::{fmt, hash::Hash};

use crate::{Contradiction, Counts, Equivalence, Mealy, Observed, System, Word, tree::Tree};

/// What was learned.
#[derive(Clone, Debug)]
pub struct Learned<I, O> {
    /// Minimal, in canonical numbering.
    pub machine: Mealy<I, O>,
    /// How many hypotheses there were, the last included.
    pub hypotheses: usize,
    /// What it cost.
    pub counts: Counts,
}

/// What became of learning a system.
pub type Outcome<S> =
    Result<Learned<<S as System>::Input, <S as System>::Output>, Failure<<S as System>::Output>>;

/// Why nothing was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<O> {
    /// The system does not answer the same word always the same.
    NonDeterministic(Contradiction<O>),
    /// The hypothesis outgrew the limit.
    TooManyStates(usize),
}

/// Learns a system until `equivalence` finds no more counterexample.
///
/// # Errors
/// If the system is not deterministic, or has more than `limit` states.
pub fn learn<S: System>(
    observed: &mut Observed<'_, S>,
    equivalence: &mut dyn Equivalence<S>,
    limit: usize,
) -> Outcome<S>
where
    S::Input: Clone + Eq,
{
    let mut learner = Learner { tree: Tree::new(), states: Vec::new(), limit };
    learner.add(observed, Word::new(), 0)?;
    learner.close(observed)?;
    let mut hypotheses = 1;
    loop {
        let hypothesis = learner.hypothesis(observed);
        let word = match observed.refutation(&hypothesis) {
            Some(word) => Some(word),
            None => equivalence.counterexample(observed, &hypothesis)?,
        };
        let Some(word) = word else {
            let counts = observed.counts();
            return Ok(Learned { machine: hypothesis.canonical(), hypotheses, counts });
        };
        let answers = observed.ask(&word)?;
        assert!(!hypothesis.run(0, &word).eq(&answers), "{word:?} is no counterexample");
        learner.refine(observed, &hypothesis, word)?;
        hypotheses += 1;
    }
}

struct Learner<O> {
    tree: Tree<O>,
    states: Vec<State<O>>,
    limit: usize,
}

struct State<O> {
    /// The word that leads here.
    access: Word,
    leaf: usize,
    /// By input: the output, and the node of the tree where the next state is to be found.
    transitions: Vec<Option<(O, usize)>>,
}

impl<O: Clone + Eq + Hash + fmt::Debug> Learner<O> {
    fn add<S>(&mut self, observed: &mut Observed<'_, S>, access: Word, leaf: usize) -> Result<(), Failure<O>>
    where
        S: System<Output = O>,
    {
        if self.states.len() == self.limit {
            return Err(Failure::TooManyStates(self.limit));
        }
        observed.keep(&access)?;
        let transitions = vec![None; observed.system().inputs().len()];
        self.states.push(State { access, leaf, transitions });
        Ok(())
    }

    /// Gives every transition an output and a state.
    fn close<S>(&mut self, observed: &mut Observed<'_, S>) -> Result<(), Failure<O>>
    where
        S: System<Output = O>,
    {
        // States that turn up on the way are at the end of the list.
        let mut state = 0;
        while state < self.states.len() {
            for input in 0..observed.system().inputs().len() {
                self.resolve(observed, state, input)?;
            }
            state += 1;
        }
        Ok(())
    }

    /// The leaf to which a transition leads.
    fn resolve<S>(
        &mut self,
        observed: &mut Observed<'_, S>,
        state: usize,
        input: usize,
    ) -> Result<usize, Failure<O>>
    where
        S: System<Output = O>,
    {
        let known = self.states[state].transitions[input].clone();
        if let Some((_, node)) = known
            && self.tree.state(node).is_some()
        {
            return Ok(node);
        }
        let mut word = self.states[state].access.clone();
        word.push(input);
        let (output, from) = match known {
            Some(known) => known,
            None => (last(observed.ask(&word)?, &word)?, 0),
        };
        let leaf = self.sift(observed, from, &word)?;
        self.states[state].transitions[input] = Some((output, leaf));
        Ok(leaf)
    }

    /// The leaf for the state after a word; a new state if no known one answers like it.
    fn sift<S>(
        &mut self,
        observed: &mut Observed<'_, S>,
        from: usize,
        word: &[usize],
    ) -> Result<usize, Failure<O>>
    where
        S: System<Output = O>,
    {
        let mut node = from;
        while let Some(question) = self.tree.word(node) {
            let answer = tail(observed, word, question)?;
            let fresh = self.states.len();
            node = self.tree.child(node, answer, fresh);
            if self.tree.state(node) == Some(fresh) {
                self.add(observed, word.to_vec(), node)?;
            }
        }
        Ok(node)
    }

    fn hypothesis<S>(&self, observed: &Observed<'_, S>) -> Mealy<S::Input, O>
    where
        S: System<Output = O>,
        S::Input: Clone + Eq,
    {
        let transition = |transition: &Option<(O, usize)>| {
            let (output, node) = transition.clone()?;
            Some((self.tree.state(node)?, output))
        };
        let row = |state: &State<O>| state.transitions.iter().filter_map(transition).collect();
        Mealy::new(observed.system().inputs().to_vec(), self.states.iter().map(row).collect())
    }

    /// Splits one state, because the hypothesis answers `word` wrongly.
    fn refine<S>(
        &mut self,
        observed: &mut Observed<'_, S>,
        hypothesis: &Mealy<S::Input, O>,
        word: Word,
    ) -> Result<(), Failure<O>>
    where
        S: System<Output = O>,
        S::Input: Clone + Eq,
    {
        // From `wrong` on the hypothesis errs about the rest of the word, from `right` on it does not: the last input
        // alone is never answered wrongly.
        let (mut wrong, mut right) = (0, word.len() - 1);
        while right - wrong > 1 {
            let middle = usize::midpoint(wrong, right);
            let state = hypothesis.after(0, &word[..middle]);
            let rest = &word[middle..];
            let answer = tail(observed, &self.states[state].access.clone(), rest)?;
            if hypothesis.run(state, rest).eq(&answer) { right = middle } else { wrong = middle }
        }
        let before = hypothesis.after(0, &word[..wrong]);
        let old = hypothesis.next(before, word[wrong]);
        let mut access = self.states[before].access.clone();
        access.push(word[wrong]);

        let leaf = self.states[old].leaf;
        let fresh = self.states.len();
        self.add(observed, access.clone(), leaf)?;
        let question = self.short_question(observed, old, fresh, word[wrong + 1..].to_vec())?;
        let old_access = self.states[old].access.clone();
        let old_answer = tail(observed, &old_access, &question)?;
        let fresh_answer = tail(observed, &access, &question)?;
        assert!(old_answer != fresh_answer, "{question:?} does not split {old_access:?} and {access:?}");
        self.tree.split(leaf, question.clone(), (old_answer.clone(), old), (fresh_answer.clone(), fresh));
        self.states[old].leaf = self.tree.child(leaf, old_answer, old);
        self.states[fresh].leaf = self.tree.child(leaf, fresh_answer, fresh);
        self.close(observed)
    }

    /// A word that tells two states apart, no longer than `fallback`: one input, or one input and a word of the tree.
    /// What has to be asked for it has to be asked anyway.
    fn short_question<S>(
        &mut self,
        observed: &mut Observed<'_, S>,
        old: usize,
        fresh: usize,
        fallback: Word,
    ) -> Result<Word, Failure<O>>
    where
        S: System<Output = O>,
    {
        let mut best = fallback;
        for input in 0..observed.system().inputs().len() {
            let (one, other) = (self.resolve(observed, old, input)?, self.resolve(observed, fresh, input)?);
            let output = |state: usize| self.states[state].transitions[input].as_ref().map(|known| &known.0);
            if output(old) != output(fresh) {
                return Ok(vec![input]);
            }
            if one != other
                && let Some(rest) = self.tree.parting(one, other)
                && rest.len() + 1 < best.len()
            {
                best = core::iter::once(input).chain(rest.iter().copied()).collect();
            }
        }
        Ok(best)
    }
}

/// What is answered to `word` after `prefix`.
fn tail<S: System>(
    observed: &mut Observed<'_, S>,
    prefix: &[usize],
    word: &[usize],
) -> Result<Vec<S::Output>, Failure<S::Output>> {
    let mut answer = observed.ask(&[prefix, word].concat())?;
    Ok(answer.split_off(prefix.len()))
}

fn last<O>(mut answers: Vec<O>, word: &[usize]) -> Result<O, Failure<O>> {
    assert_eq!(answers.len(), word.len());
    Ok(answers.pop().expect("a word that ends with an input has an answer"))
}

impl<O> From<Contradiction<O>> for Failure<O> {
    fn from(contradiction: Contradiction<O>) -> Self {
        Self::NonDeterministic(contradiction)
    }
}

impl<O: fmt::Debug> fmt::Display for Failure<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonDeterministic(contradiction) => write!(f, "not deterministic: {contradiction}"),
            Self::TooManyStates(limit) => write!(f, "more than {limit} states"),
        }
    }
}

impl<O: fmt::Debug> core::error::Error for Failure<O> {}
