//! How the answers of a server are printed: data to standard output, what happened to a person.

use std::fmt::Display;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::cli::{OutputArgs, Role};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::table::{Column, described, listed};

/// A list, under headings.
pub(super) fn list(
    output: &OutputArgs,
    what: &str,
    items: &[Value],
    columns: &[Column],
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    if output.json {
        printer.json(&items)?;
    } else if items.is_empty() {
        printer.note(format_args!("there are no {what}"));
    } else {
        printer.data(listed(items, columns))?;
    }
    Ok(ExitStatus::Done)
}

/// One thing, with its fields.
pub(super) fn one(
    output: &OutputArgs,
    item: &Value,
    fields: &[Column],
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    if output.json {
        printer.json(item)?;
    } else {
        printer.data(described(item, fields))?;
    }
    Ok(ExitStatus::Done)
}

/// Something was done, and there is nothing to print unless the answer was asked for.
pub(super) fn done(
    output: &OutputArgs,
    answer: &Value,
    note: impl Display,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    if output.json {
        printer.json(answer)?;
    }
    printer.note(note);
    Ok(ExitStatus::Done)
}

/// Something was made that comes with a secret: that is the data, alone on its line.
pub(super) fn secret(
    output: &OutputArgs,
    answer: &Value,
    note: impl Display,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let secret = answer["secret"].as_str().context("the answer has no secret")?;
    printer.note(note);
    printer.note("this is the only time that its secret is shown");
    if output.json {
        printer.json(answer)?;
    } else {
        printer.data(format!("{secret}\n"))?;
    }
    Ok(ExitStatus::Done)
}

/// What is printed as JSON when the server has nothing to say but that it is gone.
pub(super) fn deleted(name: &str) -> Value {
    json!({ "deleted": name })
}

/// A grant for each role, with the other fields that all of them have.
pub(super) fn grants(roles: &[Role], fields: &Map<String, Value>) -> Value {
    let grant = |role: &Role| {
        let mut grant = fields.clone();
        grant.insert("role".to_owned(), role.name().into());
        Value::Object(grant)
    };
    roles.iter().map(grant).collect()
}
