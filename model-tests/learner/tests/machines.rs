//! Machines, systems that are not deterministic, and machines as text.

use core::cell::Cell;

use learner::{
    Equivalence, Failure, Mealy, Observed, Separation, Suite, System, Tails, TextError, TooManyStates,
    equivalence::{Chain, Guided, OfHypothesis, Perfect, RandomWp, Stored},
    learn, published,
};

/// Counts to `modulus` and says so on "ask"; "up" is silent. State `modulus` times two is the same as zero.
struct Counter {
    inputs: [&'static str; 2],
    modulus: usize,
}

impl Counter {
    fn new(modulus: usize) -> Self {
        Self { inputs: ["up", "ask"], modulus }
    }
}

impl System for Counter {
    type Input = &'static str;
    type Output = String;
    type State = usize;

    fn inputs(&self) -> &[&'static str] {
        &self.inputs
    }

    fn start(&self) -> usize {
        0
    }

    fn step(&self, state: &mut usize, input: usize) -> String {
        match self.inputs[input] {
            "up" => {
                *state = (*state + 1) % (2 * self.modulus);
                "-".into()
            }
            _ if *state % self.modulus == self.modulus - 1 => "last".into(),
            _ => "not last".into(),
        }
    }
}

#[test]
fn equivalent_states_are_merged() {
    let machine = Mealy::explore(&Counter::new(5), 100).expect("ten states");
    assert_eq!((machine.states(), machine.transitions()), (10, 20));
    let minimal = machine.minimised();
    assert_eq!(minimal.states(), 5);
    assert_eq!(machine.difference(&minimal), None);
    assert_eq!(minimal.minimised(), minimal);
    assert_eq!(Mealy::explore(&Counter::new(5), 9), Err(TooManyStates(9)));
}

#[test]
fn the_shortest_difference_is_found() {
    let five = Mealy::explore(&Counter::new(5), 100).expect("ten states");
    let six = Mealy::explore(&Counter::new(6), 100).expect("twelve states");
    assert_eq!(five.difference(&six), Some(vec![0, 0, 0, 0, 1]));
    let answers: Vec<&String> = five.run(0, &[0, 0, 0, 0, 1]).collect();
    assert_eq!(answers, ["-", "-", "-", "-", "last"]);
    assert_eq!(five.after(0, &[0, 0, 1]), 2);
}

#[test]
fn states_are_covered_and_told_apart() {
    for published in published::machines() {
        let machine = published.machine.minimised();
        let cover = machine.state_cover();
        let reached: Vec<usize> = cover.iter().map(|word| machine.after(0, word)).collect();
        assert_eq!(reached, (0..machine.states()).collect::<Vec<_>>(), "{}", published.name());
        assert_eq!(machine.transition_cover().len(), machine.transitions());

        let separation = Separation::of(&machine);
        let set = separation.characterising_set();
        assert!(set.len() < machine.states());
        let answers = |state: usize, words: &[Vec<usize>]| -> Vec<Vec<String>> {
            words.iter().map(|word| machine.run(state, word).cloned().collect()).collect()
        };
        for one in 0..machine.states() {
            let identifiers = separation.identifiers(one, &set);
            for other in (0..machine.states()).filter(|other| *other != one) {
                assert_ne!(answers(one, &set), answers(other, &set));
                assert_ne!(answers(one, &identifiers), answers(other, &identifiers));
                let word = separation.separating_word(one, other).expect("a minimal machine");
                let [one, other] = [one, other].map(|state| answers(state, core::slice::from_ref(&word)));
                let last = word.len() - 1;
                assert_eq!(one[0][..last], other[0][..last], "a shortest word differs at its end");
                assert_ne!(one[0][last], other[0][last]);
            }
        }
        // None of the set can be left out.
        for left_out in 0..set.len() {
            let fewer: Vec<_> = set.iter().enumerate().filter(|word| word.0 != left_out).collect();
            let fewer: Vec<_> = fewer.into_iter().map(|word| word.1.clone()).collect();
            let distinct: std::collections::HashSet<_> =
                (0..machine.states()).map(|state| answers(state, &fewer)).collect();
            assert!(distinct.len() < machine.states());
        }
    }
}

#[test]
fn every_oracle_teaches_the_counter() {
    let counter = Counter::new(7);
    let known = Mealy::explore(&counter, 100).expect("fourteen states").minimised();
    let oracles: Vec<(&str, Box<dyn Equivalence<Counter>>)> = vec![
        ("perfect", Box::new(Perfect(&known))),
        ("W", Box::new(OfHypothesis { extra: 6, tails: Tails::All })),
        ("Wp", Box::new(OfHypothesis { extra: 6, tails: Tails::Identifying })),
        ("guided", Box::new(Guided::new(&known, 0, Tails::All))),
        ("stored", Box::new(Stored::new(&[vec![0, 0, 0, 0, 0, 0, 1]]))),
        ("random", Box::new(RandomWp::new(1, 2000, 12))),
        ("chain", Box::new(Chain(vec![Box::new(Stored::new(&[vec![0, 1]])), Box::new(Perfect(&known))]))),
    ];
    for (name, mut oracle) in oracles {
        let run = |oracle: &mut dyn Equivalence<Counter>| {
            learn(&mut Observed::new(&counter), oracle, 100).expect("deterministic")
        };
        let learned = run(oracle.as_mut());
        assert_eq!(learned.machine, known, "{name}");
        println!("{name}: {:?}", learned.counts);
    }
}

#[test]
fn there_is_a_limit() {
    let known = Mealy::explore(&Counter::new(7), 100).expect("fourteen states");
    let result = learn(&mut Observed::new(&Counter::new(7)), &mut Perfect(&known), 6);
    assert_eq!(result.err(), Some(Failure::TooManyStates(6)));
}

/// Words, not copies, are what a suite is about: it makes about one step a test and clones only where words part.
#[test]
fn a_suite_shares_beginnings() {
    let machine = Mealy::explore(&Counter::new(20), 100).expect("forty states").minimised();
    let mut observed = Observed::new(&machine);
    let suite = Suite::new(&machine, 2, Tails::All);
    assert_eq!(suite.run(&mut observed, &machine), Ok(None));
    let counts = observed.counts();
    assert!(counts.test_symbols > 8 * counts.tests, "{counts:?}");
    assert!(counts.steps - counts.audits * 30 < 3 * counts.tests, "{counts:?}");
    assert!(counts.clones < counts.tests + 2, "{counts:?}");
}

/// Answers otherwise after so many steps in all, however they are spread over copies.
struct Moody {
    inputs: [u8; 2],
    steps: Cell<u32>,
    mood: u32,
}

impl System for Moody {
    type Input = u8;
    type Output = u32;
    type State = u32;

    fn inputs(&self) -> &[u8] {
        &self.inputs
    }

    fn start(&self) -> u32 {
        0
    }

    fn step(&self, state: &mut u32, input: usize) -> u32 {
        self.steps.set(self.steps.get() + 1);
        *state = (*state + u32::try_from(input).unwrap_or(0)) % 3;
        if self.steps.get() == self.mood { 100 } else { *state }
    }
}

#[test]
fn a_moody_system_is_reported_with_the_word() {
    let sober = Moody { inputs: [0, 1], steps: Cell::new(0), mood: 0 };
    let known = Mealy::explore(&sober, 10).expect("three states");
    for mood in 1..400 {
        let system = Moody { inputs: [0, 1], steps: Cell::new(0), mood };
        let mut oracle = Guided::new(&known, 2, Tails::All);
        match learn(&mut Observed::new(&system), &mut oracle, 30) {
            Err(Failure::NonDeterministic(contradiction)) => {
                assert_ne!(contradiction.before, contradiction.now);
                assert!(contradiction.before == 100 || contradiction.now == 100, "{contradiction}");
                assert!(!contradiction.word.is_empty());
            }
            // The mood came once, to a word that was never asked again: it is a state of its own.
            Ok(learned) => {
                assert!(
                    system.steps.get() < mood || learned.machine != known,
                    "mood at step {mood} unnoticed"
                );
            }
            Err(failure) => panic!("{failure} at step {mood}"),
        }
    }
}

/// A clone that shares something with its original is found by running tests again from the start.
struct Entangled {
    inputs: [u8; 2],
}

impl System for Entangled {
    type Input = u8;
    type Output = u32;
    type State = std::rc::Rc<Cell<u32>>;

    fn inputs(&self) -> &[u8] {
        &self.inputs
    }

    fn start(&self) -> Self::State {
        Self::State::default()
    }

    fn step(&self, state: &mut Self::State, input: usize) -> u32 {
        state.set((state.get() + u32::try_from(input).unwrap_or(0)) % 3);
        state.get()
    }
}

#[test]
fn unfaithful_clones_are_reported() {
    let sober = Moody { inputs: [0, 1], steps: Cell::new(0), mood: 0 };
    let known = Mealy::explore(&sober, 10).expect("three states");
    let system = Entangled { inputs: [0, 1] };
    let result = learn(&mut Observed::new(&system), &mut Guided::new(&known, 2, Tails::All), 30);
    assert!(matches!(result, Err(Failure::NonDeterministic(_))), "{result:?}");
}

#[test]
fn text_and_back() {
    for published in published::machines() {
        let machine = published.machine.canonical();
        assert_eq!(Mealy::from_text(&machine.to_text()), Ok(machine));
    }
    assert_eq!(Mealy::from_text("s0 -- a / b -> s0\nnonsense"), Err(TextError::Line(2)));
    assert_eq!(Mealy::from_text(""), Err(TextError::Empty));
    let incomplete = |state: &str, input: &str| {
        Err(TextError::Incomplete { state: state.to_owned(), input: input.to_owned() })
    };
    assert_eq!(Mealy::from_text("s0 -- a / b -> s1"), incomplete("s1", "a"));
    assert_eq!(Mealy::from_text("s0 -- a / b -> s0\ns0 -- a / c -> s0"), incomplete("s0", "a"));
}

#[test]
fn graphviz_has_a_line_a_transition() {
    let machine = Mealy::explore(&Counter::new(1), 10).expect("two states").minimised();
    let drawn = machine.to_graphviz("counter", |_, input| machine.inputs()[input] == "up");
    let expected = "digraph \"counter\" {\n    start [shape=none label=\"\"]\n    start -> s0\n    \
                    s0 [shape=circle]\n    s0 -> s0 [label=\"\\\nask / last\\l\\\n\"]\n}\n";
    assert_eq!(drawn, expected);
}
