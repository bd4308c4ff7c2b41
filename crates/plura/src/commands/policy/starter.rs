//! `plura policy init`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use anyhow::Context;

use crate::cli::PolicyInitArgs;
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;

/// Enough to begin with; every key is in [`plura_policy::document::EXAMPLE`].
const STARTER: &str = include_str!("starter.toml");

pub(super) fn write(args: &PolicyInitArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let place = args.file.display();
    let created = OpenOptions::new().write(true).create_new(true).open(&args.file);
    let mut file = match created {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(SaidNo(format!("`{place}` is there already")))
                .hint("name another file: `plura policy init FILE`");
        }
        created => created.with_context(|| format!("cannot write `{place}`"))?,
    };
    file.write_all(STARTER.as_bytes()).with_context(|| format!("cannot write `{place}`"))?;
    printer.note(format_args!("wrote `{place}`"));
    printer.hint(format_args!(
        "change it, ask `plura policy check {place}`, and put it in force with `plura policy apply \
         {place} --reason TEXT`"
    ));
    Ok(ExitStatus::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_begins_with_is_valid() {
        plura_policy::Governance::from_toml(STARTER).expect("a valid document");
    }
}
