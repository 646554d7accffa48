//! Bug patterns against the published machines: which implementation has which.
//!
//! A change of the list shows as a change of `published-bugs.tsv`. `UPDATE_SNAPSHOTS=1 cargo test -p learner --test patterns`
//! writes it anew.

use core::fmt::Write as _;
use std::{collections::BTreeMap, fs, path::Path};

use learner::{Pattern, PatternError, Symbol, published};

#[test]
fn published_machines_have_the_bugs_they_are_known_for() {
    let patterns = published::patterns();
    let of = |who: &str| patterns.iter().filter(|pattern| pattern.who == who).count();
    println!("{} patterns of servers, {} of clients", of("server"), of("client"));
    let mut table = String::from("# machine\tpattern\tshortest witness\n");
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for published in published::machines() {
        let machine = published.after_first_hello();
        let who = if published.is_client() { "client" } else { "server" };
        for pattern in patterns.iter().filter(|pattern| pattern.who == who) {
            let finding =
                pattern.find(&machine, |input| Some(input.clone()), |output| published::messages(output));
            let Some(finding) = finding else { continue };
            *found.entry(pattern.name.as_str()).or_default() += 1;
            let outputs = machine.run(0, &finding.word);
            let steps: Vec<String> = (finding.word.iter().zip(outputs))
                .map(|(input, output)| format!("{}/{output}", machine.inputs()[*input]))
                .collect();
            let _ = writeln!(table, "{}\t{}\t{}", published.name(), pattern.name, steps.join(" "));
        }
    }
    println!("{table}");
    println!("{} patterns found in some machine, {} in none", found.len(), patterns.len() - found.len());

    // What dtls-fuzzer itself found and verified (its bug_report.txt).
    for known in [
        "piondtls-2.0.9_psk_rwalk\tHelloVerifyRequest Retransmission\tPSK_CLIENT_HELLO/HELLO_VERIFY_REQUEST+",
        "piondtls-2.0.9_psk_rwalk\tCrash on CCS\t",
    ] {
        assert!(table.contains(known), "{known}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published-bugs.tsv");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &table).expect("the snapshot can be written");
    }
    assert_eq!(fs::read_to_string(&path).expect("the snapshot is there"), table);
}

#[test]
fn rules_are_tried_in_order() {
    let text = "# comment\npattern server ours Two hellos\n a in *HELLO -> b\n b in A* -> a\n b any *HELLO -> bug\n \
                b else -> c\n c in X -> b";
    let patterns = Pattern::parse_all(text).expect("a pattern");
    let [pattern] = patterns.as_slice() else { panic!("one pattern") };
    assert_eq!(
        (pattern.name.as_str(), pattern.who.as_str(), pattern.origin.as_str()),
        ("Two hellos", "server", "ours")
    );
    use Symbol::{In, Out};
    assert!(pattern.accepts([In("B_HELLO"), Out("HELLO")]));
    assert!(!pattern.accepts([Out("HELLO"), Out("HELLO"), In("HELLO")]));
    assert!(!pattern.accepts([In("HELLO"), In("A_HELLO"), Out("HELLO")]));
    assert!(!pattern.accepts([In("HELLO"), In("other"), In("HELLO")]));
    assert!(pattern.accepts([In("HELLO"), In("other"), In("X"), In("HELLO"), In("after")]));
    for (text, line) in
        [("x", 1), ("pattern a b c\na in -> b", 2), ("pattern a b c\na up X -> b", 2), ("pattern a", 1)]
    {
        assert_eq!(Pattern::parse_all(text), Err(PatternError { line }));
    }
}
