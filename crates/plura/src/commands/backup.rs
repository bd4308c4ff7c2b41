//! `plura backup` and `plura restore`: the metadata of an installation.

use anyhow::anyhow;
use plura_registry::{CheckOptions, Error};
use serde_json::json;

use super::check;
use crate::cli::{BackupArgs, RestoreArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::wire;

pub(super) fn run(args: &BackupArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let registry = wire::registry_settings(&settings)?;
    let bytes = runtime()?
        .block_on(plura_registry::backup(&settings.data, &registry, &args.target))
        .hint("name a file that does not exist, and the installation with `--data DIR`")?;
    if args.output.json {
        printer.json(&json!({ "file": args.target, "bytes": bytes }))?;
    } else {
        printer.data(format!("{}: {bytes} bytes\n", args.target.display()))?;
        printer.note("now copy the directory `blobs`; its files never change");
    }
    Ok(ExitStatus::Done)
}

pub(super) fn restore(args: &RestoreArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    if settings.database.server().is_some() {
        let hint = "stop the servers, make an empty database, and copy the backup into it: \
                    plura db copy --from sqlite:FILE --to postgres://...";
        return Err(anyhow!("a backup is restored into a file, and a server has the metadata"))
            .hint(hint);
    }
    let runtime = runtime()?;
    let aside = runtime
        .block_on(plura_registry::restore(&args.source, &settings.data))
        .map_err(|error| {
            let next = match error {
                Error::InUse(_) => "stop the server first",
                _ => "name a file that `plura backup` wrote",
            };
            (error, format!("{next}; nothing was replaced"))
        })
        .or_else(|(error, hint)| Err(error).hint(hint))?;
    if let Some(aside) = &aside {
        printer.note(format_args!("what was there is now {}", aside.display()));
    }
    let report = runtime.block_on(check::check(&settings, CheckOptions::default(), printer))?;
    if args.output.json {
        printer.json(&json!({ "replaced": aside, "check": report }))?;
    } else {
        printer.data(check::text(&report))?;
    }
    Ok(if report.is_sound() { ExitStatus::Done } else { ExitStatus::No })
}
