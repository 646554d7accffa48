//! The learner against machines that others learned from real implementations.

use learner::{
    Equivalence, Mealy, Observed, Suite, Tails,
    equivalence::{Guided, OfHypothesis, Perfect, RandomWp},
    learn, published,
};

type Machine = Mealy<String, String>;

fn learned(machine: &Machine, oracle: &mut dyn Equivalence<Machine>) -> (Machine, learner::Counts, usize) {
    let mut observed = Observed::new(machine);
    let learned = learn(&mut observed, oracle, 1000).expect("a machine is deterministic");
    (learned.machine, learned.counts, learned.hypotheses)
}

/// Every published machine comes out as it is known, from a perfect oracle as from its own complete suite.
#[test]
fn all_are_reproduced() {
    println!("from {}", published::source());
    println!(
        "{:48} {:>3} {:>4} {:>4} | {:>6} {:>7} {:>4} | {:>6} {:>7} {:>7} {:>7} {:>7}",
        "perfect oracle | its own suite, one extra state",
        "in",
        "raw",
        "min",
        "quer.",
        "symbols",
        "hyp.",
        "quer.",
        "tests",
        "symbols",
        "steps",
        "clones",
    );
    let machines = published::machines();
    assert_eq!(machines.len(), 24);
    let mut reproduced = 0;
    for published in &machines {
        let minimal = published.machine.minimised();
        let (perfect, known, hypotheses) = learned(&published.machine, &mut Perfect(&minimal));
        let mut suite = Guided::new(&minimal, 1, Tails::All);
        let (guided, tested, _) = learned(&published.machine, &mut suite);
        println!(
            "{:48} {:>3} {:>4} {:>4} | {:>6} {:>7} {:>4} | {:>6} {:>7} {:>7} {:>7} {:>7}",
            published.name(),
            minimal.inputs().len(),
            published.machine.states(),
            minimal.states(),
            known.queries,
            known.query_symbols,
            hypotheses,
            tested.queries,
            tested.tests,
            tested.test_symbols,
            tested.steps,
            tested.clones,
        );
        assert_eq!(perfect, minimal, "{}", published.name());
        assert_eq!(guided, minimal, "{}", published.name());
        reproduced += 1;
    }
    println!("{reproduced} of {} reproduced exactly, both ways", machines.len());
}

/// What comes of suites that are made from the hypothesis alone: why the reference guides ours.
#[test]
fn suites_of_the_hypothesis_miss_states() {
    let mut missed = 0;
    for published in published::machines() {
        let minimal = published.machine.minimised();
        let (wp, counts, _) =
            learned(&published.machine, &mut OfHypothesis { extra: 1, tails: Tails::Identifying });
        let (random, random_counts, _) = learned(&published.machine, &mut RandomWp::new(7, 500, 4));
        println!(
            "{:48} {:>3} states; Wp with one extra state: {:>3} ({} tests); random Wp: {:>3} ({} tests)",
            published.name(),
            minimal.states(),
            wp.states(),
            counts.tests,
            random.states(),
            random_counts.tests,
        );
        missed += usize::from(wp != minimal);
        // A hypothesis never has a state that is not there.
        assert!(wp.states() <= minimal.states() && random.states() <= minimal.states());
    }
    println!("Wp with one extra state missed states of {missed} machines");
}

/// Every single wrong output, and every single transition that goes astray, is caught by the suite with no extra state.
#[test]
fn suites_find_every_planted_difference() {
    let mut planted = 0;
    for published in published::machines().into_iter().filter(|published| published.machine.states() <= 12) {
        let reference = published.machine.minimised();
        for tails in [Tails::All, Tails::Identifying] {
            let suite = Suite::new(&reference, 0, tails);
            for state in 0..reference.states() {
                for input in 0..reference.inputs().len() {
                    for mutant in mutants(&reference, state, input) {
                        let found =
                            suite.run(&mut Observed::new(&mutant), &reference).expect("deterministic");
                        assert_eq!(found.is_some(), reference.difference(&mutant).is_some());
                        planted += 1;
                    }
                }
            }
        }
    }
    println!("{planted} planted differences");
    assert!(planted > 10_000);
}

fn mutants(machine: &Machine, state: usize, input: usize) -> Vec<Machine> {
    let inputs = machine.inputs().to_vec();
    let rows = || -> Vec<Vec<(usize, String)>> {
        let cell = |state, input| (machine.next(state, input), machine.output(state, input).clone());
        let row = |state| (0..inputs.len()).map(|input| cell(state, input)).collect();
        (0..machine.states()).map(row).collect()
    };
    let astray = (0..machine.states()).map(|next| {
        let mut rows = rows();
        rows[state][input].0 = next;
        Mealy::new(inputs.clone(), rows)
    });
    let mut wrong = rows();
    wrong[state][input].1.push('!');
    astray.chain([Mealy::new(inputs.clone(), wrong)]).collect()
}
