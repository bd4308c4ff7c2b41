//! How decisions are printed, and what the exit status says of them.

use plura_policy::gate::{Effect, GateDecision};

use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::table::printable;

/// The answer in one line, and each gate in those that follow, what stands in the way first.
pub(super) fn print(decision: &GateDecision, printer: &Printer) -> anyhow::Result<()> {
    let text = decision.to_string();
    let lines = text.lines().map(|line| printable(line) + "\n");
    printer.data(lines.collect::<String>())
}

/// Whether it may be, may not, or not yet.
pub(super) fn status(effect: Effect) -> ExitStatus {
    match effect {
        Effect::Allow => ExitStatus::Done,
        Effect::Wait => ExitStatus::NotYet,
        Effect::Deny => ExitStatus::No,
    }
}
