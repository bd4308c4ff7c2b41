//! `plura check`: metadata against storage.

use plura_registry::{CheckOptions, CheckReport, Finding, FindingKind};
use plura_transparency::LogFinding;

use crate::cli::CheckArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::Settings;
use crate::wire;

pub(super) fn run(args: &CheckArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let options = CheckOptions { rehash: args.rehash, repair: args.repair };
    let report = runtime()?.block_on(check(&settings, options, printer))?;
    if args.output.json {
        printer.json(&report)?;
    } else {
        printer.data(text(&report))?;
    }
    let can_be_mended = |finding: &Finding| finding.kind != FindingKind::WrongLog;
    if !report.is_sound() && !args.repair && report.findings.iter().any(can_be_mended) {
        printer.hint("stop the server and run `plura check --repair`");
    }
    Ok(if report.is_sound() { ExitStatus::Done } else { ExitStatus::No })
}

/// Checks an installation, telling how far it is.
pub(super) async fn check(
    settings: &Settings,
    options: CheckOptions,
    printer: &Printer,
) -> anyhow::Result<CheckReport> {
    let mut progress = |what: &str| printer.note(format_args!("checking {what}"));
    let registry = wire::registry_settings(settings)?;
    let mut report = plura_registry::check(&settings.data, &registry, options, &mut progress)
        .await
        .hint("name the installation with `--data DIR`; repairing needs every server stopped")?;
    if !report.findings.iter().any(|finding| finding.kind == FindingKind::Database) {
        progress("the log");
        report.findings.extend(check_log(settings, &registry).await?);
    }
    Ok(report)
}

/// What of the log is not what was signed. There is nothing to mend: it is evidence.
async fn check_log(
    settings: &Settings,
    registry: &plura_registry::Settings,
) -> anyhow::Result<Vec<Finding>> {
    let database = registry.database_location(&settings.data);
    let check = plura_transparency::check(&settings.data, &registry.storage, &database).await?;
    let finding = |found: LogFinding| Finding {
        kind: FindingKind::WrongLog,
        subject: found.subject,
        detail: found.detail,
        repaired: false,
    };
    Ok(check.findings.into_iter().map(finding).collect())
}

/// The report for people.
pub(super) fn text(report: &CheckReport) -> String {
    let findings = report.findings.iter().map(|finding| {
        let Finding { kind, subject, detail, repaired } = finding;
        let mark = if *repaired { "mended" } else { "WRONG" };
        // The same words as in JSON.
        let kind = serde_json::to_value(kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        format!("{mark}  {kind}  {subject}: {detail}\n")
    });
    let verdict = match report.findings.len() {
        0 => "sound".to_owned(),
        all => {
            let mended = report.findings.iter().filter(|finding| finding.repaired).count();
            format!("{all} found, {mended} mended")
        }
    };
    format!(
        "{}{verdict}: {} blobs of {} bytes, {} manifests\n",
        findings.collect::<String>(),
        report.blobs,
        report.bytes,
        report.manifests
    )
}
