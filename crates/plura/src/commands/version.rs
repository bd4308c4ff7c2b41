//! `plura version`: what this binary is.

use serde::Serialize;

use crate::cli::OutputArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;

/// What this binary is and what it was built from.
#[derive(Serialize)]
struct Build {
    version: &'static str,
    /// None when it was built from an archive without history.
    commit: Option<&'static str>,
    target: &'static str,
    profile: &'static str,
}

const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("PLURA_BUILD_COMMIT"),
    target: env!("PLURA_BUILD_TARGET"),
    profile: env!("PLURA_BUILD_PROFILE"),
};

pub(super) fn run(args: &OutputArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.json {
        printer.json(&BUILD)?;
    } else {
        printer.data(text(&BUILD))?;
    }
    Ok(ExitStatus::Done)
}

fn text(Build { version, commit, target, profile }: &Build) -> String {
    let commit = commit.unwrap_or("unknown");
    format!("plura {version}\ncommit: {commit}\ntarget: {target}\nprofile: {profile}\n")
}
