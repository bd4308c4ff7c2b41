//! The one place that writes to standard output and standard error.
//!
//! Standard output carries data only; everything else goes to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Stderr, Stdout, Write};

use anyhow::Context;
use serde::Serialize;

use crate::cli::Color;
use crate::exit::hint_of;
use crate::table::moves;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const RESET: &str = "\x1b[0m";

/// Writes for a command.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
    stdout: Stdout,
    stderr: Stderr,
    color_out: bool,
    color_err: bool,
}

/// Whoever read our standard output has gone. That is their right, so the command ends quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct StdoutClosed;

impl Printer {
    /// A printer that notes nothing when `quiet`.
    pub(crate) fn new(quiet: bool, color: Color) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let color_out = wants(color, stdout.is_terminal());
        let color_err = wants(color, stderr.is_terminal());
        Self { quiet, stdout, stderr, color_out, color_err }
    }

    /// Whether standard error, where the log goes as well, may be coloured.
    pub(crate) fn colors_log(&self) -> bool {
        self.color_err
    }

    /// Writes data: what the command was asked for. Text ends its own lines.
    pub(crate) fn data(&self, data: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let mut stdout = self.stdout.lock();
        match stdout.write_all(data.as_ref()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
            result => result.context("cannot write to standard output"),
        }
    }

    /// Writes data as one JSON document.
    pub(crate) fn json(&self, data: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(data).context("cannot print as JSON")?;
        self.data(escaped(&text) + "\n")
    }

    /// Writes content of others as it is. Only a terminal, which nobody compares digests with, gets it
    /// without what would move the cursor.
    pub(crate) fn content(&self, content: &[u8]) -> anyhow::Result<()> {
        if !self.stdout.is_terminal() {
            return self.data(content);
        }
        let text = String::from_utf8_lossy(content);
        let shown =
            |c| if moves(c) && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
        self.data(text.chars().map(shown).collect::<String>())
    }

    /// Tells a person how things went, unless they asked for quiet.
    pub(crate) fn note(&self, message: impl Display) {
        if !self.quiet {
            self.tell(&format!("{message}\n"));
        }
    }

    /// Says what looks wrong but stops nothing, unless quiet was asked for.
    pub(crate) fn warning(&self, message: impl Display) {
        self.note(format_args!("{} {message}", self.label(YELLOW, "warning:")));
    }

    /// Says what to try next, unless quiet was asked for.
    pub(crate) fn hint(&self, message: impl Display) {
        self.note(format_args!("{} {message}", self.label(CYAN, "hint:")));
    }

    /// Asks a person at the terminal. The answer is awaited behind the question, quiet or not.
    pub(crate) fn ask(&self, question: impl Display) {
        self.tell(&question.to_string());
    }

    /// Says what happened, why, and what to do next. Errors are never quiet.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut text = format!("{} {error}\n", self.label(RED, "error:"));
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // An error may name its cause itself; the cause is not said twice.
            if !text.trim_end().ends_with(&cause) {
                text.extend(["  caused by: ", &cause, "\n"]);
            }
        }
        let hint = hint_of(error);
        let hint = hint.map(|hint| format!("\n{} {hint}\n", self.label(CYAN, "hint:")));
        self.tell(&(text + &hint.unwrap_or_default()));
    }

    /// Writes what the parser of the command line has to say: help is data, misuse is an error.
    pub(crate) fn usage(&self, message: &clap::Error) -> anyhow::Result<()> {
        let text = message.render();
        if message.use_stderr() {
            self.tell(&styled(&text, self.color_err));
            return Ok(());
        }
        self.data(styled(&text, self.color_out))
    }

    /// With standard error gone there is nobody left to tell, so a failure is dropped.
    fn tell(&self, text: &str) {
        let _ = self.stderr.lock().write_all(text.as_bytes());
    }

    fn label(&self, color: &'static str, text: &'static str) -> String {
        if self.color_err { format!("{color}{text}{RESET}") } else { text.to_owned() }
    }
}

fn styled(text: &clap::builder::StyledStr, color: bool) -> String {
    if color { text.ansi().to_string() } else { text.to_string() }
}

/// JSON is the same with these characters escaped; a terminal shows them then. They are in texts only,
/// and those below a space are escaped already.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if moves(c) && c != '\n' {
            // All of them have four digits at most.
            let digit = |shift: u32| char::from_digit((u32::from(c) >> shift) & 15, 16);
            escaped.push_str("\\u");
            escaped.extend([12, 8, 4, 0].into_iter().filter_map(digit));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// An explicit wish wins; otherwise colour is for terminals whose user did not decline it.
fn wants(color: Color, terminal: bool) -> bool {
    let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !declined && !dumb,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_says_the_same_without_moving_a_terminal() {
        let value = json!({"a": "\u{1b}[2J\u{9b}\u{7f}\u{202e}ä\n"});
        let text = escaped(&serde_json::to_string_pretty(&value).expect("it can be printed"));
        assert!(!text.chars().any(|c| moves(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
    }
}
