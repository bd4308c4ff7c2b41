//! `plura policy test`: cases whose answer is known.

mod facts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use plura_policy::facts::ImageFacts;
use plura_policy::gate::{Effect, GateDecision};
use plura_policy::{ChannelName, Governance};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::governance;
use crate::cli::PolicyTestArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{aligned, printable};
use crate::text_file;

/// The most bytes of a case: facts of a large image with all its vulnerabilities.
const LONGEST: usize = 16 << 20;
/// The most cases of a directory.
const MOST: usize = 10_000;

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    #[serde(default)]
    description: Option<String>,
    channel: ChannelName,
    at: Timestamp,
    expect: Effect,
    #[serde(default)]
    blocking: Vec<String>,
    facts: Value,
}

/// How a case went.
#[derive(Debug, Serialize)]
struct Tested {
    case: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    channel: ChannelName,
    expected: Effect,
    held: bool,
    /// What is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<GateDecision>,
}

pub(super) fn run(args: &PolicyTestArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let governance = governance(&args.policy)?;
    let mut tested = Vec::new();
    for path in files(&args.directory)? {
        tested.push(test(&governance, &path)?);
    }
    ensure!(!tested.is_empty(), "there are no cases in `{}`", args.directory.display());
    let failed = tested.iter().filter(|one| !one.held).count();
    if args.output.json {
        printer.json(&tested)?;
    } else {
        print(&tested, printer)?;
        printer.note(format_args!("{} of {} held", tested.len() - failed, tested.len()));
    }
    Ok(if failed == 0 { ExitStatus::Done } else { ExitStatus::No })
}

/// The cases of a directory, by name.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let failed = || format!("cannot read `{}`", directory.display());
    let hint = "name the directory of the cases; `plura policy test --help` shows one";
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(failed).hint(hint)? {
        let path = entry.with_context(failed)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("toml" | "json")) {
            files.push(path);
        }
        ensure!(files.len() <= MOST, "more than {MOST} cases in `{}`", directory.display());
    }
    files.sort();
    Ok(files)
}

fn test(governance: &Governance, path: &Path) -> anyhow::Result<Tested> {
    let (case, facts) = read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let decided = governance.decide(&facts, &case.channel, case.at);
    let reasons = match &decided {
        Ok(decision) => differences(&case, decision),
        // Some cases are about that nobody moves an image there.
        Err(_) if case.expect == Effect::Deny && case.blocking.is_empty() => Vec::new(),
        Err(error) => vec![error.to_string()],
    };
    Ok(Tested {
        case: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        description: case.description,
        channel: case.channel,
        expected: case.expect,
        held: reasons.is_empty(),
        reasons,
        decision: decided.ok(),
    })
}

fn read(path: &Path) -> anyhow::Result<(WrittenCase, ImageFacts)> {
    let text = text_file::read(path, LONGEST)?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let mut case: WrittenCase =
        if is_json { serde_json::from_str(&text)? } else { toml::from_str(&text)? };
    let facts = facts::completed(case.facts.take(), case.at).context("its facts are not valid")?;
    Ok((case, facts))
}

fn differences(case: &WrittenCase, decision: &GateDecision) -> Vec<String> {
    let mut reasons = Vec::new();
    if decision.effect != case.expect {
        reasons.push(format!("expected {}, it is {}", case.expect, decision.effect));
        reasons.extend(decision.blocking().map(ToString::to_string));
    }
    let stands = |rule: &&String| decision.blocking().any(|outcome| outcome.rule == **rule);
    let missing = case.blocking.iter().filter(|rule| !stands(rule));
    reasons.extend(missing.map(|rule| format!("{rule} does not stand in the way")));
    reasons
}

fn print(tested: &[Tested], printer: &Printer) -> anyhow::Result<()> {
    let word = |held| if held { "held" } else { "FAILED" };
    let row = |one: &Tested| {
        let description = one.description.clone().unwrap_or_default();
        let channel = one.channel.to_string();
        let cells = [word(one.held), &one.case, &channel, one.expected.as_str(), &description];
        cells.map(printable).to_vec()
    };
    let headings = ["RESULT", "CASE", "CHANNEL", "EXPECTED", "DESCRIPTION"].map(str::to_owned);
    let rows = std::iter::once(headings.to_vec()).chain(tested.iter().map(row));
    printer.data(aligned(&rows.collect::<Vec<_>>()))?;
    for one in tested.iter().filter(|one| !one.held) {
        let lines = one.reasons.iter().flat_map(|reason| reason.lines());
        let lines: Vec<String> =
            lines.map(|line| "  ".to_owned() + &printable(line) + "\n").collect();
        printer.data(format!("\n{}\n{}", printable(&one.case), lines.concat()))?;
    }
    Ok(())
}
