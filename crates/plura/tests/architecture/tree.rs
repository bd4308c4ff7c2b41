//! Rules about files.

use std::path::{Path, PathBuf};

use crate::{assert_none, read, root};

/// Longer than this, a file holds more than one idea.
const LONGEST_FILE: usize = 600;

/// Everything below `directory` with that extension, build output left out, in a stable order.
fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(directory), extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no .{extension} below {directory}");
    found
}

fn collect(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for path in entries(directory) {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries
}

fn sources() -> Vec<PathBuf> {
    files(".", "rs")
}

/// The path as a person would write it.
fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// `file:line` of every line of our sources that holds one of `words`.
fn lines_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources() {
        for (index, line) in read(&path).lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", short(&path), index + 1, line.trim()));
            }
        }
    }
    found
}

// The words are written in two parts, so that this file does not find itself.

#[test]
fn lints_are_expected_not_allowed() {
    let violations = lines_with(&[concat!("#[al", "low("), concat!("#![al", "low(")]);
    assert_none(
        &violations,
        "write `expect(lint, reason = \"...\")`, which the compiler reports once it is not needed",
    );
}

#[test]
fn every_expected_lint_has_a_reason() {
    let opening = concat!("[exp", "ect(");
    let mut violations = Vec::new();
    for path in sources() {
        let text = read(&path);
        for attribute in text.split(opening).skip(1) {
            let attribute = attribute.split(")]").next().unwrap_or_default();
            if !attribute.contains("reason = ") {
                violations.push(format!("{}: {}", short(&path), attribute.trim()));
            }
        }
    }
    assert_none(&violations, "add `reason = \"...\"`");
}

#[test]
fn nothing_is_left_to_do() {
    let violations = lines_with(&[concat!("to", "do!("), concat!("unimple", "mented!(")]);
    assert_none(&violations, "finish it, or answer an error that says it is not supported");
}

#[test]
fn files_hold_one_idea_each() {
    let long = |path: &PathBuf| {
        let lines = read(path).lines().count();
        let test = path.components().any(|part| part.as_os_str() == "tests");
        (lines > LONGEST_FILE && !test).then(|| format!("{}: {lines} lines", short(path)))
    };
    let violations: Vec<_> = sources().iter().filter_map(long).collect();
    assert_none(&violations, &format!("split it by idea; the most is {LONGEST_FILE} lines"));
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["util", "utils", "common", "helpers", "misc"];
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let sources = sources();
    let found = sources.iter().filter(|path| drawers.contains(&stem(path).as_str()));
    let violations: Vec<_> = found.map(|path| short(path)).collect();
    assert_none(&violations, "name the file after what is in it");
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let engines = entries(&root().join("crates/meta/migrations"));
    let numbered: Vec<Vec<String>> = engines.iter().map(|engine| names(engine)).collect();
    for (engine, names) in engines.iter().zip(&numbered) {
        for (index, name) in names.iter().enumerate() {
            let number = format!("{:04}_", index + 1);
            assert!(
                name.starts_with(&number),
                "{} should begin with {number}\nhint: number a migration after the last one; one \
                 that was released is never renamed",
                short(&engine.join(name)),
            );
        }
        assert_eq!(*names, numbered[0], "{}: every engine has every migration", short(engine));
    }
}

fn names(directory: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    entries(directory).iter().map(name).collect()
}

#[cfg(unix)]
#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut violations = Vec::new();
    for directory in ["scripts", "scripts/full.d"] {
        for path in entries(&root().join(directory)).into_iter().filter(|path| path.is_file()) {
            let mode = path.metadata().expect("metadata of a script").permissions().mode();
            if mode & 0o111 == 0 || !read(&path).starts_with("#!") {
                violations.push(short(&path));
            }
        }
    }
    assert_none(&violations, "begin it with `#!/usr/bin/env bash` and `chmod +x` it");
}

#[test]
fn the_files_that_people_look_for_are_there() {
    for name in [
        "LICENSE",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ] {
        assert!(root().join(name).is_file(), "{name} is missing");
    }
    let license = read(&root().join("LICENSE"));
    assert!(license.contains("Apache License") && license.contains("END OF TERMS AND CONDITIONS"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut violations = Vec::new();
    for document in files(".", "md") {
        let text = read(&document);
        let directory = document.parent().expect("a file is in a directory");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = file.contains("://") || file.starts_with("mailto:");
            if !file.is_empty() && !outside && !directory.join(file).exists() {
                violations.push(format!("{}: {target}", short(&document)));
            }
        }
    }
    assert_none(&violations, "correct the path; it is relative to the document");
}
