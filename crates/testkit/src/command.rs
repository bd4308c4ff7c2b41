//! The binary as a command: started, waited for, and everything it said.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::{Collected, wait};

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs `binary` to its end, with these variables and none of the test process's `PLURA_` ones.
    /// Panics if it does not end.
    pub fn of(
        binary: &Path,
        arguments: &[&str],
        environment: &BTreeMap<String, String>,
        directory: &Path,
    ) -> Self {
        Self::with_input(binary, arguments, environment, directory, "")
    }

    /// [`Self::of`] with this on standard input: a line or two, which fit a pipe that nobody reads.
    pub fn with_input(
        binary: &Path,
        arguments: &[&str],
        environment: &BTreeMap<String, String>,
        directory: &Path,
        input: &str,
    ) -> Self {
        let mut command = Command::new(binary);
        without_ours(&mut command).args(arguments).envs(environment).current_dir(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A command that asks for nothing may be gone already.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let stdout = Collected::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Collected::of(child.stderr.take().expect("stderr is piped"));
        let Some(status) = wait(&mut child) else {
            drop(child.kill());
            panic!("{command:?} does not end\n{}", stderr.so_far());
        };
        Self { status: status.code(), stdout: stdout.all(), stderr: stderr.all() }
    }

    /// Panics unless it ended with this exit status.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self}");
        self
    }

    /// Panics unless standard output has this text.
    #[track_caller]
    pub fn expect_stdout(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in the output\n{self}");
        self
    }

    /// Panics unless standard error has this text.
    #[track_caller]
    pub fn expect_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in the errors\n{self}");
        self
    }

    /// Standard output, which is one JSON document and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, stdout, stderr } = self;
        write!(f, "exit: {status:?}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// Takes variables of the test process that plura would read, or refuse, out of the way.
pub(crate) fn without_ours(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PLURA_") {
            command.env_remove(name);
        }
    }
    command
}
