//! `plura policy check` and `plura policy diff`.

use plura_policy::change::{Direction, DocumentChange, compare};
use serde_json::json;

use super::applied::in_force;
use super::document::{governance, read, refused};
use crate::api_client::ApiClient;
use crate::cli::{DocumentArgs, DocumentDiffArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::table::printable;

pub(super) fn check(args: &DocumentArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let checked = read(&args.file)?.checked;
    if args.output.json {
        let answer = match &checked {
            Ok(governance) => json!({ "valid": true, "digest": governance.source, "problems": [] }),
            Err(error) => json!({ "valid": false, "problems": error.problems }),
        };
        printer.json(&answer)?;
        return Ok(if checked.is_ok() { ExitStatus::Done } else { ExitStatus::No });
    }
    let governance = checked.map_err(|error| refused(&args.file, &error))?;
    let place = args.file.display();
    printer.note(format_args!("`{place}` is valid: {}", governance.source));
    Ok(ExitStatus::Done)
}

pub(super) async fn diff(args: &DocumentDiffArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let file = governance(&args.file)?.document;
    let (old, new) = match &args.new {
        Some(new) => (file, governance(new)?.document),
        None => (in_force(&ApiClient::of(&args.server).await?).await?.document, file),
    };
    print(&compare(&old, &new), args.output.json, printer)?;
    Ok(ExitStatus::Done)
}

/// Prints what changes, what becomes laxer last, where it is seen.
pub(super) fn print(change: &DocumentChange, json: bool, printer: &Printer) -> anyhow::Result<()> {
    if json {
        return printer.json(change);
    }
    for direction in [Direction::Stricter, Direction::Other, Direction::Laxer] {
        for one in change.of(direction) {
            printer.data(printable(&one.to_string()) + "\n")?;
        }
    }
    let count = |direction| change.of(direction).count();
    let (stricter, laxer) = (count(Direction::Stricter), count(Direction::Laxer));
    match count(Direction::Other) {
        _ if change.is_empty() => printer.note("nothing changes"),
        other => printer.note(format_args!("{stricter} stricter, {laxer} laxer, {other} other")),
    }
    Ok(())
}
