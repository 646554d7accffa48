//! Every requirement of the specifications has a row in `requirements/matrix.tsv` that says which tests show it, or why none
//! does; every test named there exists; and the figures in the README are those of the table.

use core::fmt::Write as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use monitors::{Pattern, Role, patterns};

/// How a requirement stands.
const STATUSES: [&str; 6] = ["tested", "narrower", "not met", "not built yet", "cannot apply", "missing"];
/// The only binding requirements that are met less widely than they are worded, each with its reason in the table: forged
/// plaintext would do harm otherwise.
const NARROWER: [&str; 2] = ["6347-4.1-oldepoch-2", "9147-7.2-recv-5"];
/// The levels of requirements, most binding first.
const LEVELS: [&str; 8] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "REC", "NOT REC", "MAY", "DEF"];
/// What follows this line in the README is written by the test.
const MARK: &str = "<!-- counted -->\n";

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a table below its heading, each with exactly these columns.
fn rows<const N: usize>(path: &Path, columns: [&str; N]) -> Vec<[String; N]> {
    let text = read(path);
    let split = |line: &str| -> [String; N] {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        fields.try_into().unwrap_or_else(|_| panic!("{}: not {N} fields: {line}", path.display()))
    };
    let mut lines = text.lines();
    assert_eq!(lines.next().map(split), Some(columns.map(str::to_owned)), "{}", path.display());
    lines.map(split).collect()
}

/// Source files, read once.
#[derive(Default)]
struct Sources(HashMap<String, String>);

impl Sources {
    /// The lines of the file in `path::function`, and the index of the line where the function begins.
    fn find(&mut self, item: &str) -> (Vec<&str>, usize) {
        let (path, function) = item.split_once("::").unwrap_or_else(|| panic!("{item}: not path::function"));
        let text = self.0.entry(path.to_owned()).or_insert_with(|| read(&root().join(path)));
        let lines: Vec<&str> = text.lines().collect();
        let declares = |line: &&str| {
            let names = |rest: &str| rest.starts_with(['(', '<']);
            line.split_once("fn ").is_some_and(|(_, rest)| rest.strip_prefix(function).is_some_and(names))
        };
        let at = lines.iter().position(declares).unwrap_or_else(|| panic!("{item} does not exist"));
        (lines, at)
    }

    /// Whether the function is one that `cargo test` runs.
    fn is_test(&mut self, item: &str) -> bool {
        let (lines, at) = self.find(item);
        let above = lines[..at].iter().rev().map(|line| line.trim());
        let mut head = above.take_while(|line| line.starts_with("#[") || line.starts_with("///"));
        head.any(|line| line == "#[test]")
    }
}

/// The table of how many requirements of each level have each status.
fn count(levels: &BTreeMap<String, String>, matrix: &[[String; 4]]) -> String {
    let mut text =
        format!("| | {} | all |\n|---|{}\n", STATUSES.join(" | "), "---|".repeat(STATUSES.len() + 1));
    for level in LEVELS.iter().map(|level| Some(*level)).chain([None]) {
        let of_level = |row: &&[String; 4]| level.is_none_or(|level| levels[&row[0]] == level);
        let rows: Vec<&[String; 4]> = matrix.iter().filter(of_level).collect();
        write!(text, "| {} |", level.unwrap_or("all")).unwrap();
        for status in STATUSES {
            write!(text, " {} |", rows.iter().filter(|row| row[1] == status).count()).unwrap();
        }
        writeln!(text, " {} |", rows.len()).unwrap();
    }
    text
}

#[test]
fn every_requirement_has_its_tests_or_a_reason() {
    let requirements =
        rows(&root().join("vectors/requirements.tsv"), ["id", "level", "side", "requirement", "test"]);
    let levels: BTreeMap<String, String> =
        requirements.iter().map(|[id, level, ..]| (id.clone(), level.clone())).collect();
    assert_eq!(levels.len(), requirements.len(), "an id stands twice");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements");
    let matrix = rows(&here.join("matrix.tsv"), ["id", "status", "tests", "note"]);
    let ids: Vec<&String> = matrix.iter().map(|[id, ..]| id).collect();
    let wanted: Vec<&String> = requirements.iter().map(|[id, ..]| id).collect();
    assert_eq!(ids, wanted, "the rows are those of the requirements, in their order");

    let mut sources = Sources::default();
    let mut named = BTreeSet::new();
    for [id, status, tests, note] in &matrix {
        assert!(STATUSES.contains(&&**status), "{id}: {status}");
        assert!(!tests.is_empty() || !["tested", "narrower"].contains(&&**status), "{id} names no test");
        let binds = levels[id].starts_with("MUST");
        assert!(!binds || !["not met", "missing"].contains(&&**status), "{id} must be met and shown");
        assert_eq!(binds && status == "narrower", NARROWER.contains(&&**id), "{id}");
        let needs_reason = !["tested", "missing"].contains(&&**status);
        assert!(!needs_reason || !note.is_empty(), "{id} has no reason");
        for test in tests.split_whitespace() {
            assert!(sources.is_test(test), "{id}: {test} is no test");
            named.insert(test.to_owned());
        }
    }
    let counted = count(&levels, &matrix);
    println!("{counted}\n{} tests are named", named.len());

    let readme = here.join("README.md");
    let text = read(&readme);
    let (head, written) = text.split_once(MARK).expect("the README has the mark");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&readme, format!("{head}{MARK}{counted}")).unwrap();
    } else {
        assert_eq!(written, counted, "the figures in the README");
    }
}

/// Whether it is the id of what monitors check.
fn is_id(watched: &str) -> bool {
    let ids = read(&root().join("model-tests/monitors/src/lib.rs"));
    ids.lines().any(|line| {
        let row = line.strip_prefix("//! | ").and_then(|row| row.strip_prefix(watched));
        row.is_some_and(|row| row.starts_with(" | ") && row.contains(" | here"))
    })
}

/// What is told by the order of things is watched for by a monitor under one of its patterns' names or under an id, or there is
/// a reason.
fn check_watched(place: &str, name: &str, watched: &str) {
    let role = match place {
        "known" => return assert_eq!(watched, "", "{name}: is not told by the order of things"),
        "server" => Some(Role::Server),
        "client" => Some(Role::Client),
        _ => None,
    };
    if watched.strip_prefix("no: ").is_some_and(|reason| !reason.is_empty()) {
        return;
    }
    for pattern in watched.split("; ") {
        let fits =
            |p: &&Pattern| p.name == pattern && (role.is_none() || p.role.is_none_or(|of| Some(of) == role));
        let is_known =
            monitors::BESIDE_PATTERNS.contains(&pattern) || patterns().any(|p| fits(&p)) || is_id(pattern);
        assert!(is_known, "{place}, {name}: no monitor watches for '{pattern}'");
    }
}

/// Of the misbehaviours of other implementations, by where they stand: how many there are.
const MISBEHAVIOURS: [(&str, usize); 4] = [("server", 21), ("client", 19), ("1.3", 24), ("known", 31)];

#[test]
fn every_misbehaviour_has_its_test_and_its_guard_or_a_reason() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements/misbehaviours.tsv");
    let table = rows(&table, ["where", "name", "status", "tests", "guards", "watched", "note"]);
    let mut sources = Sources::default();
    let mut names = BTreeSet::new();
    for [place, name, status, tests, guards, watched, note] in &table {
        check_watched(place, name, watched);
        assert!(names.insert((place, name)), "{place}, {name} stands twice");
        assert!(["tested", "not built yet", "cannot apply"].contains(&&**status), "{name}: {status}");
        if status == "tested" {
            assert!(
                !tests.is_empty() && !guards.is_empty(),
                "{name} has no test, or nothing guards against it"
            );
        } else {
            assert!(!note.is_empty(), "{name} has no reason");
        }
        for test in tests.split_whitespace() {
            assert!(sources.is_test(test), "{name}: {test} is no test");
        }
        for guard in guards.split_whitespace() {
            assert!(guard.starts_with("dtls-core/src/") && !sources.is_test(guard), "{name}: {guard}");
        }
    }
    for (place, count) in MISBEHAVIOURS {
        let of = |status: Option<&str>| {
            let here = table.iter().filter(|row| row[0] == place);
            here.filter(|row| status.is_none_or(|status| row[2] == status)).count()
        };
        assert_eq!(of(None), count, "{place}");
        println!(
            "{place}: {} tested, {} not built yet, {} cannot apply",
            of(Some("tested")),
            of(Some("not built yet")),
            of(Some("cannot apply"))
        );
    }
    assert_eq!(table.len(), MISBEHAVIOURS.iter().map(|(_, count)| count).sum::<usize>());
}
