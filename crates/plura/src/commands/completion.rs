//! `plura completion`: completion scripts.

use crate::cli::{self, CompletionArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;

pub(super) fn run(args: &CompletionArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "plura", &mut script);
    printer.data(script)?;
    Ok(ExitStatus::Done)
}
