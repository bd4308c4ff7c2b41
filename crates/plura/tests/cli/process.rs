use std::fs::OpenOptions;
use std::process::Stdio;

use crate::{Place, transcript};

#[test]
fn a_reader_that_leaves_early_ends_the_command_quietly() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let place = Place::empty();
    let mut command = place.plura(&["config", "reference"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("plura starts");
    let output = child.wait_with_output().expect("plura ends");
    assert_eq!(transcript(&output), "exit: 0\n--- stdout\n--- stderr\n");
}

#[test]
#[cfg(target_os = "linux")]
fn data_that_cannot_be_written_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("the device is there");
    let place = Place::empty();
    let mut command = place.plura(&["version"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().expect("plura starts");
    let output = child.wait_with_output().expect("plura ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(transcript(&output).contains("error: cannot write to standard output"));
}
