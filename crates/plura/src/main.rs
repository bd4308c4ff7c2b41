//! plura: an OCI registry that governs the whole life of a container image.

mod api_client;
mod attachments;
mod cache;
mod cli;
mod commands;
mod docker_config;
mod exit;
mod layout;
mod predicate;
mod printer;
mod prompt;
mod repository_client;
mod runtime;
mod secret;
mod settings;
mod signing_key;
mod suggest;
mod table;
mod text_file;
mod token_endpoint;
mod transit;
mod update_framework;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Color};
use crate::exit::ExitStatus;
use crate::printer::{Printer, StdoutClosed};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from(&arguments) {
        Ok(Cli { command, global }) => {
            let printer = Printer::new(global.quiet, global.color);
            end(commands::run(command, &printer), &printer)
        }
        Err(message) => usage(&message, &Printer::new(false, Color::typed(&arguments))),
    }
}

/// Help was asked for, or the command line makes no sense.
fn usage(message: &clap::Error, printer: &Printer) -> ExitCode {
    let status = if message.use_stderr() { ExitStatus::CouldNotAsk } else { ExitStatus::Done };
    end(printer.usage(message).map(|()| status), printer)
}

fn end(result: anyhow::Result<ExitStatus>, printer: &Printer) -> ExitCode {
    let status = result.unwrap_or_else(|error| {
        if error.is::<StdoutClosed>() {
            return ExitStatus::Done;
        }
        printer.error(&error);
        exit::status_of(&error)
    });
    status.into()
}
