//! `plura man`: manual pages.

use std::path::Path;

use anyhow::Context;

use crate::cli::{self, ManArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;

pub(super) fn run(args: &ManArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match &args.directory {
        Some(directory) => write_pages(directory, printer)?,
        None => printer.data(main_page()?)?,
    }
    Ok(ExitStatus::Done)
}

fn main_page() -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(cli::command()).render(&mut page).context("cannot render the manual")?;
    Ok(page)
}

fn write_pages(directory: &Path, printer: &Printer) -> anyhow::Result<()> {
    let failed = || format!("cannot write the manual into `{}`", directory.display());
    std::fs::create_dir_all(directory).with_context(failed)?;
    clap_mangen::generate_to(cli::command(), directory).with_context(failed)?;
    printer.note(format_args!("wrote the manual into `{}`", directory.display()));
    Ok(())
}
