//! `plura export`: repositories as OCI image layouts.

use std::time::{Duration, Instant};

use plura_registry::{ExportReport, ExportRequest};
use serde_json::json;

use crate::cli::ExportArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::bytes;
use crate::wire;

/// How often to say how far it is.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(args: &ExportArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let request = ExportRequest {
        wanted: args.wanted.clone(),
        target: args.to.clone(),
        referrers: args.referrers,
    };
    let mut said = Instant::now();
    let mut progress = |report: &ExportReport| {
        if said.elapsed() >= PAUSE {
            said = Instant::now();
            printer.note(summary(report));
        }
    };
    let registry = wire::registry_settings(&settings)?;
    let report = runtime()?
        .block_on(plura_registry::export(&settings.data, &registry, request, &mut progress))
        .hint("name the installation with `--data DIR`; what was interrupted is run again")?;
    if args.output.json {
        printer.json(&report)?;
    } else {
        let missing = report.missing.iter().map(|what| format!("missing  {what}\n"));
        let layouts = report.layouts.iter().map(|path| format!("{}\n", path.display()));
        printer.data(missing.chain(layouts).collect::<String>())?;
        printer.note(summary(&report));
    }
    Ok(if report.missing.is_empty() { ExitStatus::Done } else { ExitStatus::No })
}

fn summary(report: &ExportReport) -> String {
    format!(
        "{} tags, {} manifests, {} blobs of {} copied, {} there already",
        report.tags,
        report.manifests,
        report.blobs,
        bytes(&json!(report.bytes)),
        report.present
    )
}
