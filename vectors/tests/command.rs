//! The real `vectors` command: lines and exit codes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/captures");

fn vectors(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vectors")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A directory with these files, given as name and content.
fn directory(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    for (name, content) in files {
        fs::write(dir.join(name), content).unwrap();
    }
    dir
}

fn capture(name: &str) -> String {
    fs::read_to_string(format!("{CAPTURES}/{name}.json")).unwrap()
}

#[test]
fn all_captures_pass() {
    let output = vectors(&["check", CAPTURES]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().count(), 75);
    assert!(text.contains("\nverified ossl12-psk-aes128ccm8 (15 records)\n"));
    assert!(text.contains("\nverified wolf13-cid-chacha (16 records)\n"));
    assert_eq!(text.lines().last(), Some("72 verified, 0 failed, 2 unsupported, 0 unreadable"));
}

#[test]
fn failures_and_unreadable_files_have_a_line_each_and_exit_code_1() {
    let good = capture("ossl12-psk-aes128ccm8");
    let tampered = good.replace("57c599fbba5f1840cbc26f97", "57c599fbba5f1840cbc26f98");
    assert_ne!(good, tampered);
    let wrong = directory("wrong", &[("a.json", &good), ("b.json", &tampered)]);
    let output = vectors(&["check", wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "\
verified a (15 records)
failed b: record 9 field plaintext expected 1400000c000300000000000c57c599fbba5f1840cbc26f98 found 1400000c000300000000000c57c599fbba5f1840cbc26f97
1 verified, 1 failed, 0 unsupported, 0 unreadable
";
    assert_eq!(stdout(&output), expected);

    let cbc = capture("ossl12-ecdhe-psk-aes128cbc-sha256");
    let files = [("a.json", good.as_str()), ("c.json", &cbc), ("d.json", "no"), ("readme.txt", "ignored")];
    let dir = directory("unreadable", &files);
    fs::create_dir(dir.join("e.json")).unwrap();
    let output = vectors(&["check", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "unsupported c: TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256");
    assert!(lines[2].starts_with("unreadable d: not JSON: "), "{}", lines[2]);
    assert!(lines[3].starts_with("unreadable e: "), "{}", lines[3]);
    assert_eq!(lines[4], "1 verified, 0 failed, 1 unsupported, 2 unreadable");
}

#[test]
fn unsupported_suites_alone_are_no_failure() {
    let dir = directory("unsupported", &[("a.json", &capture("ossl12-ecdhe-psk-aes128cbc-sha256"))]);
    let output = vectors(&["check", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        "unsupported a: TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256\n0 verified, 0 failed, 1 unsupported, 0 unreadable\n"
    );
}

#[test]
fn wrong_usage_is_exit_code_2_without_output() {
    let empty = directory("empty", &[]);
    let missing = empty.join("missing");
    let cases: [&[&str]; 6] = [
        &[],
        &["check"],
        &["verify", CAPTURES],
        &["check", CAPTURES, CAPTURES],
        &["check", missing.to_str().unwrap()],
        &["check", empty.to_str().unwrap()],
    ];
    for arguments in cases {
        let output = vectors(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let help = vectors(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).starts_with("usage: vectors check DIR"));
}
