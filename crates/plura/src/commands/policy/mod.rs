//! `plura policy`.

mod applied;
mod cases;
mod check;
mod document;
mod simulate;
mod starter;

use plura_policy::document::EXAMPLE;

pub(super) use document::governance;

use crate::cli::PolicyCommand;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;

pub(super) fn run(command: &PolicyCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        PolicyCommand::Example => {
            printer.data(EXAMPLE)?;
            Ok(ExitStatus::Done)
        }
        PolicyCommand::Init(args) => starter::write(args, printer),
        PolicyCommand::Check(args) => check::check(args, printer),
        PolicyCommand::Diff(args) => runtime()?.block_on(check::diff(args, printer)),
        PolicyCommand::Test(args) => cases::run(args, printer),
        PolicyCommand::Apply(args) => runtime()?.block_on(applied::apply(args, printer)),
        PolicyCommand::Show(args) => runtime()?.block_on(applied::show(args, printer)),
        PolicyCommand::History(args) => runtime()?.block_on(applied::history(args, printer)),
        PolicyCommand::Simulate(args) => runtime()?.block_on(simulate::run(args, printer)),
    }
}
