//! `plura config`: the settings in force, their problems, and their reference.

mod object_store;

use std::fmt::Write;

use serde::Serialize;
use toml::Value;

use self::object_store::Store;
use crate::cli::{CheckSettingsArgs, ConfigCommand, OutputArgs, ShowArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::settings::{
    Key, Origin, Problem, Problems, Resolved, SECTIONS, Secret, Section, resolve,
};

pub(super) fn run(command: ConfigCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        ConfigCommand::Show(args) => show(&args, printer),
        ConfigCommand::Check(args) => check(&args, printer),
        ConfigCommand::Reference(args) => reference(&args, printer),
        ConfigCommand::Import(args) => super::import::run(&args, printer),
    }
}

/// One key as `config show --json` prints it.
#[derive(Serialize)]
struct Shown {
    key: &'static str,
    value: Option<Value>,
    origin: Origin,
}

fn show(args: &ShowArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let resolved = super::settings(&args.installation, args.installation.flags())?;
    let tree = Value::try_from(&resolved.settings)?;
    if args.output.json {
        let keys = SECTIONS.iter().flat_map(|section| section.keys);
        let shown: Vec<_> = keys.map(|key| shown(key, &tree, &resolved)).collect();
        printer.json(&shown)?;
    } else {
        let sections = SECTIONS.iter().map(|section| section_toml(section, &tree, &resolved));
        printer.data(sections.collect::<Vec<_>>().join("\n"))?;
    }
    Ok(ExitStatus::Done)
}

fn shown(key: &Key, tree: &Value, resolved: &Resolved) -> Shown {
    Shown { key: key.path, value: value_of(tree, key.path), origin: resolved.origin(key.path) }
}

/// A table of the file, each value with a comment that says where it came from.
fn section_toml(section: &Section, tree: &Value, resolved: &Resolved) -> String {
    let mut text = String::new();
    if !section.name.is_empty() {
        let _ = writeln!(text, "[{}]", section.name);
    }
    for key in section.keys {
        let shown = shown(key, tree, resolved);
        let _ = match shown.value {
            Some(Value::String(value)) if value == Secret::NOT_SHOWN => {
                writeln!(text, "# {} is set, and not shown  # {}", key.name(), shown.origin)
            }
            Some(value) => writeln!(text, "{} = {value}  # {}", key.name(), shown.origin),
            None => writeln!(text, "# {} is not set", key.name()),
        };
    }
    text
}

/// The value at a dotted path, if it is set.
fn value_of(tree: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(tree, |value, name| value.get(name)).cloned()
}

/// What `config check --json` prints.
#[derive(Serialize)]
struct Checked {
    valid: bool,
    problems: Vec<Problem>,
    /// What was tried of the object store, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    object_store: Option<Store>,
}

fn check(args: &CheckSettingsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let sources = super::sources(&args.installation, args.installation.flags())?;
    let (problems, object_store) = match resolve(&sources) {
        Ok(_) if args.offline => (Vec::new(), None),
        Ok(resolved) => (Vec::new(), object_store::examine(&resolved.settings)?),
        Err(Problems(problems)) => (problems, None),
    };
    let valid = problems.is_empty() && object_store.as_ref().is_none_or(Store::is_fit);
    if args.output.json {
        printer.json(&Checked { valid, problems, object_store })?;
    } else if problems.is_empty() {
        printer.note("the settings are valid");
        if let Some(store) = &object_store {
            printer.data(store.text())?;
        }
    } else {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        printer.data(lines.join("\n") + "\n")?;
        printer.hint("`plura config reference` describes every key");
    }
    Ok(if valid { ExitStatus::Done } else { ExitStatus::No })
}

/// One key as `config reference --json` prints it.
#[derive(Serialize)]
struct Documented {
    key: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    default: Option<Value>,
    example: Option<Value>,
    environment: String,
    about: &'static str,
}

fn reference(args: &OutputArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.json {
        let keys = SECTIONS.iter().flat_map(|section| section.keys);
        printer.json(&keys.map(documented).collect::<Vec<_>>())?;
    } else {
        printer.data(markdown())?;
    }
    Ok(ExitStatus::Done)
}

fn documented(key: &Key) -> Documented {
    Documented {
        key: key.path,
        kind: key.kind,
        default: key.default.and_then(|text| text.parse().ok()),
        example: key.example.parse().ok(),
        environment: key.environment(),
        about: key.about,
    }
}

const PREFACE: &str = "\
# Settings

Settings are read from, the later the stronger: the defaults below, a TOML file, environment
variables, and flags. The file is the one named by `--config` or `PLURA_CONFIG`, otherwise
`plura.toml` in the current directory if there is one. No file at all is a working registry.

A key that is not listed here is an error. Durations are a whole number and a unit, `ms`, `s`, `m`,
`h` or `d`: `\"90s\"`, `\"24h\"`. Sizes are a number of bytes, or text with a unit: `4194304`,
`\"4MiB\"`, `\"5GB\"`.
";

fn markdown() -> String {
    let sections = SECTIONS.iter().map(section_markdown);
    PREFACE.to_owned() + &sections.collect::<String>()
}

fn section_markdown(section: &Section) -> String {
    let title =
        if section.name.is_empty() { "Top level".into() } else { format!("`[{}]`", section.name) };
    let keys = section.keys.iter().map(key_markdown);
    format!("\n## {title}\n\n{}\n{}", section.about, keys.collect::<String>())
}

fn key_markdown(key: &Key) -> String {
    let default = key.default.map_or("not set".to_owned(), |text| format!("`{text}`"));
    format!(
        "\n### `{path}`\n\n{about}\n\n- Type: {kind}\n- Default: {default}\n- Example: `{name} = \
         {example}`\n- Environment: `{environment}`\n",
        path = key.path,
        about = key.about,
        kind = key.kind,
        name = key.name(),
        example = key.example,
        environment = key.environment(),
    )
}
