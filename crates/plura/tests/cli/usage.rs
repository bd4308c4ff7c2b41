use insta::assert_snapshot;

use crate::{Place, data};

#[test]
fn misuse_is_told_apart_from_a_no() {
    assert_snapshot!(Place::empty().run(&["cofnig"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'cofnig'

      tip: a similar subcommand exists: 'config'

    Usage: plura [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn no_command_is_misuse_that_helps() {
    let told = Place::empty().run(&[]);
    assert!(told.starts_with("exit: 2\n--- stdout\n--- stderr\n"), "{told}");
    assert!(told.contains("Commands:"), "{told}");
}

#[test]
fn help_that_was_asked_for_is_data() {
    assert_snapshot!(Place::empty().run(&["config", "check", "--help"]), @"
    exit: 0
    --- stdout
    Check the settings and print everything that is wrong with them

    The answer is the exit status: 0 when they are valid, 1 when they are not.

    Usage: plura config check [OPTIONS]

    Options:
          --offline
              Look at the settings only, and ask no object store

          --data <DIR>
              The directory that holds the installation; sets `data`, as `PLURA_DATA` does

          --config <FILE>
              The settings file; otherwise `plura.toml` here, if there is one
              
              [env: PLURA_CONFIG]

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Global options:
      -q, --quiet
              Print data and errors, nothing else

          --color <WHEN>
              When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set
              
              [default: auto]
              [possible values: auto, always, never]

    Examples:
      plura config check --config /etc/plura/plura.toml
      plura config check --offline      Before the object store is there
      plura config check --json         The problems as data
    --- stderr
    ");
}

#[test]
fn every_command_explains_itself() {
    let commands: [&[&str]; 8] = [
        &[],
        &["config"],
        &["config", "show"],
        &["config", "check"],
        &["config", "reference"],
        &["completion"],
        &["man"],
        &["version"],
    ];
    for command in commands {
        let help = data(Place::empty().plura(&[command, &["--help"]].concat()));
        assert!(help.contains("Usage: plura"), "{command:?}: {help}");
    }
}

#[test]
fn version_says_what_was_built() {
    let text = data(Place::empty().plura(&["version", "--json"]));
    let build: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(build["version"], env!("CARGO_PKG_VERSION"));
    assert!(build["target"].as_str().is_some_and(|target| target.contains('-')), "{build}");
    let commit = build["commit"].as_str();
    assert!(commit.is_none_or(|commit| commit.len() >= 40), "{build}");
    let short = data(Place::empty().plura(&["--version"]));
    assert_eq!(short, concat!("plura ", env!("CARGO_PKG_VERSION"), "\n"));
}
