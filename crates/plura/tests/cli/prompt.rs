//! Questions to a person at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use crate::Place;
use crate::fake_server::{FakeServer, answer};
use crate::login::registry;

/// A terminal: the end of the person, and that of the command.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&person).and_then(|()| unlockpt(&person)).expect("it is ours");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let command = rustix::fs::open(name, flags, Mode::empty()).expect("it can be opened");
    (person.into(), command.into())
}

/// Answers each question once it is asked. Returns the exit status, what was said on standard error,
/// and what the terminal showed of the answers.
fn converse(mut command: Command, answers: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let (mut person, stdin) = terminal();
    let shown = stdin.try_clone().expect("it can be opened twice");
    let mut child = command.stdin(stdin).stderr(Stdio::piped()).spawn().expect("plura starts");
    let mut stderr = child.stderr.take().expect("it is piped");
    let mut said = String::new();
    for (question, answer) in answers {
        said.push_str(&read_until(&mut stderr, question));
        person.write_all(answer.as_bytes()).expect("the terminal is open");
    }
    stderr.read_to_string(&mut said).expect("it is text");
    let status = child.wait().expect("plura ends").code();
    // What is shown ends with this, since it is put there last.
    (&shown).write_all(b"END").expect("the terminal is open");
    let shown = read_until(&mut person, "END");
    (status, said, shown.replace("END", ""))
}

/// Reads a byte after the other up to the end of `text`.
fn read_until(from: &mut impl Read, text: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(text.as_bytes()) {
        let mut byte = [0];
        let count = from.read(&mut byte).expect("it is open");
        assert_eq!(count, 1, "no {text:?} in {}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
    String::from_utf8(read).expect("it is text")
}

#[test]
fn a_password_is_asked_for_and_does_not_show() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    let command = place.plura(&["login", "--quiet", &server.host()]);
    let answers = [("User name: ", "alice\n"), ("Password: ", "secret\n")];
    let (status, said, shown) = converse(command, &answers);
    assert_eq!((status, &*said), (Some(0), "User name: Password: \n"));
    assert_eq!(shown, "alice\r\n");
    assert!(place.path().join("docker/config.json").exists());
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let server = FakeServer::start(|_, _| answer(201, &json!({})));
    let place = Place::empty();
    let base = server.url();
    let create = ["user", "create", "alice", "--server", &base];
    let answers = |second| [("New password: ", "one\n"), ("Once more: ", second)];
    let (status, said, shown) = converse(place.plura(&create), &answers("two\n"));
    assert_eq!(status, Some(2));
    assert!(said.ends_with("error: the two passwords differ\n"), "{said}");
    assert_eq!((&*shown, server.requests().len()), ("", 0));

    let (status, ..) = converse(place.plura(&create), &answers("one\n"));
    assert_eq!(status, Some(0));
    assert_eq!(server.request().json()["password"], "one");
}

#[test]
fn an_empty_answer_is_none() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    // The second is the key that ends a file.
    for nothing in ["\n", "\u{4}"] {
        let command = place.plura(&["login", "-u", "alice", &server.host()]);
        let (status, said, _) = converse(command, &[("Password: ", nothing)]);
        assert_eq!(status, Some(2));
        assert!(said.ends_with("error: nothing was entered\n"), "{said}");
    }
}
