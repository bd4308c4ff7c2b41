//! The binary as a user meets it: what it prints where, and how it exits.

mod access;
mod accounts;
mod audit;
mod channels;
mod color;
mod config;
mod decisions;
mod fake_server;
mod governance_help;
mod help;
mod import;
mod login;
mod man;
mod policy;
mod process;
mod projects;
mod prompt;
mod scanner_help;
mod signing;
mod transit;
mod trust_help;
mod trust_policies;
mod usage;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use self::fake_server::FakeServer;

/// An empty directory to run in, and nothing of ours in the environment.
struct Place(TempDir);

impl Place {
    fn empty() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    /// A place with a `plura.toml`.
    fn with_settings(text: &str) -> Self {
        let place = Self::empty();
        place.write("plura.toml", text);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("the file is written");
    }

    /// `plura`, to be run here.
    fn plura(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plura"));
        let ours = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| name.to_string_lossy().starts_with("PLURA_"));
        ours.for_each(|name| {
            command.env_remove(name);
        });
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env_remove("COLUMNS").env("TERM", "xterm");
        // Nor are the logins of whoever runs the tests any of its business.
        command.env_remove("REGISTRY_AUTH_FILE").env_remove("XDG_RUNTIME_DIR");
        command.env("DOCKER_CONFIG", self.path().join("docker"));
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        transcript(&self.plura(arguments).output().expect("plura runs"))
    }

    /// Runs a command that asks this server.
    fn ask(&self, server: &FakeServer, arguments: &[&str]) -> String {
        self.run_with(("PLURA_SERVER", &server.url()), arguments)
    }

    fn run_with(&self, variable: (&str, &str), arguments: &[&str]) -> String {
        let output = self.plura(arguments).env(variable.0, variable.1).output();
        transcript(&output.expect("plura runs"))
    }
}

/// Runs `plura` with this on standard input.
fn run_with_input(mut command: Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("plura starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may have ended without reading.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    transcript(&child.wait_with_output().expect("plura ends"))
}

/// Everything a run did that can be seen from outside.
fn transcript(output: &Output) -> String {
    let status = output.status.code().map_or("signal".to_owned(), |code| code.to_string());
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("exit: {status}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

/// The data of a run that must have gone well.
fn data(mut command: Command) -> String {
    let output = command.output().expect("plura runs");
    assert!(output.status.success(), "{}", transcript(&output));
    String::from_utf8(output.stdout).expect("data is text")
}
