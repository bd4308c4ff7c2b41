//! `plura db`: the schema of the database, and moving it to another place.

use plura_registry::{Copied, DatabaseLocation, Migration, migrations};
use serde_json::json;

use crate::cli::{DatabasePlace, DbArgs, DbCommand, DbCopyArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::Resolved;
use crate::wire;

pub(super) fn run(command: &DbCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        DbCommand::Migrate(args) => migrate(args, printer),
        DbCommand::Status(args) => status(args, printer),
        DbCommand::Copy(args) => copy(args, printer),
    }
}

fn migrate(args: &DbArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let database = location(args)?;
    let runtime = runtime()?;
    let before = runtime.block_on(migrations::status(&database)).hint(UNREACHABLE)?;
    runtime.block_on(migrations::migrate(&database)).hint(UNREACHABLE)?;
    let applied: Vec<Migration> = before.into_iter().filter(|step| !step.applied).collect();
    if args.output.json {
        printer.json(&json!({ "database": database.to_string(), "applied": applied }))?;
    } else {
        let lines = applied.iter().map(|step| format!("{:04}  {}\n", step.version, step.name));
        printer.data(lines.collect::<String>())?;
        printer.note(format_args!("{database} is up to date"));
    }
    Ok(ExitStatus::Done)
}

fn status(args: &DbArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let database = location(args)?;
    let steps = runtime()?.block_on(migrations::status(&database)).hint(UNREACHABLE)?;
    let is_current = steps.iter().all(|step| step.applied);
    if args.output.json {
        let answer = json!({ "database": database.to_string(), "migrations": steps });
        printer.json(&answer)?;
    } else {
        let state = |step: &Migration| match (step.applied, step.known) {
            (true, true) => "applied",
            (true, false) => "applied by a later version",
            (false, _) => "pending",
        };
        let line = |step: &Migration| {
            let Migration { version, name, .. } = step;
            format!("{version:04}  {name}  {}\n", state(step))
        };
        printer.data(steps.iter().map(line).collect::<String>())?;
        if !is_current {
            printer
                .hint("`plura db migrate` applies what is pending; so does a server that starts");
        }
    }
    Ok(if is_current { ExitStatus::Done } else { ExitStatus::No })
}

fn copy(args: &DbCopyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let from = match &args.from {
        Some(DatabasePlace(place)) => place.clone(),
        None => configured(super::settings(&args.installation, args.installation.flags())?)?,
    };
    let DatabasePlace(to) = &args.to;
    printer.note(format_args!("copying {from} to {to}"));
    let mut progress = |table: &Copied| {
        printer.note(format_args!("{}: {} rows", table.table, table.rows));
    };
    let copied = runtime()?
        .block_on(plura_registry::copy_database(&from, to, &mut progress))
        .hint("stop the servers, and name a source of this version and an empty target")?;
    if args.output.json {
        let (from, to) = (from.to_string(), to.to_string());
        printer.json(&json!({ "from": from, "to": to, "tables": copied }))?;
    } else {
        let line = |table: &Copied| {
            format!("{}  {} rows  {}\n", table.table, table.rows, table.digest.short())
        };
        printer.data(copied.iter().map(line).collect::<String>())?;
        printer.hint("set `database.url` to the new place, and run `plura check`");
    }
    Ok(ExitStatus::Done)
}

const UNREACHABLE: &str =
    "name the database with `database.url`, or the installation with `--data DIR`";

fn location(args: &DbArgs) -> anyhow::Result<DatabaseLocation> {
    configured(super::settings(&args.installation, args.installation.flags())?)
}

fn configured(resolved: Resolved) -> anyhow::Result<DatabaseLocation> {
    let settings = resolved.settings;
    Ok(wire::registry_settings(&settings)?.database_location(&settings.data))
}
