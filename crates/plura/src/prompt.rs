//! Names and passwords, asked for on a terminal or read from standard input.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Stdin};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::Hint;
use crate::printer::Printer;
use crate::secret::Secret;

/// What a password or token may have at most; whatever is longer is the wrong file.
const LONGEST: u64 = 64 * 1024;

/// Asks for a line on the terminal.
pub(crate) fn line(label: impl Display, hint: &str, printer: &Printer) -> anyhow::Result<String> {
    let stdin = terminal(&label, hint)?;
    printer.ask(label);
    let line = read_line(&stdin)?;
    ensure!(!line.is_empty(), "nothing was entered");
    Ok(line)
}

/// Asks for a password on the terminal, which does not show it.
pub(crate) fn password(label: impl Display, printer: &Printer) -> anyhow::Result<Secret> {
    let stdin = terminal(&label, "give it with `--password-stdin`")?;
    // Before it asks, so that not even a quick answer shows.
    let silence = Silence::begin(&stdin)?;
    printer.ask(label);
    let line = read_line(&stdin);
    drop(silence);
    printer.ask("\n");
    let line = line?;
    ensure!(!line.is_empty(), "nothing was entered");
    Ok(Secret::new(line))
}

/// Asks for a password that is to be set, twice, since a slip in it would go unseen.
pub(crate) fn new_password(printer: &Printer) -> anyhow::Result<Secret> {
    let first = password("New password: ", printer)?;
    ensure!(first == password("Once more: ", printer)?, "the two passwords differ");
    Ok(first)
}

/// The secrets on standard input: `count` lines of them. The end of the last line may be missing.
pub(crate) fn secrets_from_stdin(count: usize) -> anyhow::Result<Vec<Secret>> {
    secrets_from(io::stdin().lock(), count, "on standard input")
}

/// The one secret on standard input.
pub(crate) fn secret_from_stdin() -> anyhow::Result<Secret> {
    let secret = secrets_from_stdin(1)?.pop();
    secret.context("standard input is empty")
}

/// The one secret in a file.
pub(crate) fn secret_from_file(file: &Path) -> anyhow::Result<Secret> {
    let place = format!("in `{}`", file.display());
    let open = File::open(file).with_context(|| format!("cannot read the password {place}"))?;
    let secret = secrets_from(open, 1, &place)?.pop();
    secret.with_context(|| format!("there is nothing {place}"))
}

/// `place` says where the source is, in words.
fn secrets_from(source: impl Read, count: usize, place: &str) -> anyhow::Result<Vec<Secret>> {
    let mut text = String::new();
    let read = source.take(LONGEST + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read the password {place}"))?;
    ensure!(text.len() as u64 <= LONGEST, "what is {place} is too long to be a password");
    let secrets: Vec<Secret> = text.lines().map(Secret::new).collect();
    let complete = secrets.len() == count && secrets.iter().all(|secret| !secret.is_empty());
    ensure!(complete, "expected {} {place}", lines(count));
    Ok(secrets)
}

fn lines(count: usize) -> String {
    if count == 1 { "one line".to_owned() } else { format!("{count} lines") }
}

/// Standard input, if there is a person to ask.
fn terminal(label: impl Display, hint: &str) -> anyhow::Result<Stdin> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(stdin);
    }
    let what = label.to_string().trim_end_matches([':', ' ']).to_lowercase();
    let error = anyhow::anyhow!("cannot ask for the {what}: standard input is not a terminal");
    Err(error).hint(hint)
}

fn read_line(stdin: &Stdin) -> anyhow::Result<String> {
    let mut line = String::new();
    let read = stdin.lock().take(LONGEST).read_line(&mut line);
    if read.context("cannot read from the terminal")? == 0 {
        bail!("nothing was entered");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(stdin: &'a Stdin) -> anyhow::Result<Self> {
        let before = tcgetattr(stdin).context("cannot hide what is typed")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &silent).context("cannot hide what is typed")?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // With the terminal gone there is nothing left to restore.
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}
