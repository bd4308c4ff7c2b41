//! `plura policy`.

mod cases;
mod check;
mod document;
mod starter;

use plura_policy::document::EXAMPLE;

pub(super) use document::governance;

use crate::cli::PolicyCommand;
use crate::exit::ExitStatus;
use crate::printer::Printer;

pub(super) fn run(command: &PolicyCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        PolicyCommand::Example => {
            printer.data(EXAMPLE)?;
            Ok(ExitStatus::Done)
        }
        PolicyCommand::Init(args) => starter::write(args, printer),
        PolicyCommand::Check(args) => check::check(args, printer),
        PolicyCommand::Diff(args) => check::diff(args, printer),
        PolicyCommand::Test(args) => cases::run(args, printer),
    }
}
