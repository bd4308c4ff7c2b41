//! `plura adopt`: what another registry stored becomes readable here.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use plura_adopt::{Finding, Format, Location, Outcome, Source, Tree};
use plura_registry::{
    AdoptError, AdoptReport, AdoptRequest, HandOver, Registry, Storage, database_path, migrations,
};
use serde_json::json;

use crate::cli::AdoptArgs;
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::Settings;
use crate::table::{aligned, bytes, printable};
use crate::wire;

/// How often to say how far it is.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(args: &AdoptArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let request = request(args, &settings)?;
    let report = runtime()?.block_on(async {
        if args.dry_run {
            rehearse(&settings, request, printer).await
        } else {
            adopt(&settings.data, wire::registry_settings(&settings)?, request, printer).await
        }
    })?;
    if args.output.json {
        printer.json(&report)?;
    } else {
        printer.data(text(&report, args.dry_run))?;
    }
    advise(&report, args, printer);
    let done = report.lost == 0 && report.refused.is_none();
    Ok(if done { ExitStatus::Done } else { ExitStatus::No })
}

fn request(args: &AdoptArgs, settings: &Settings) -> anyhow::Result<AdoptRequest> {
    let (place, format) = match &args.from {
        Source::Registry(place) => (place.clone(), Format::Distribution),
        Source::Layout(place) => (place.clone(), Format::Layouts),
        Source::RegistryConfiguration(file) => {
            (super::import::location(file, settings)?, Format::Distribution)
        }
    };
    let tree = tree(&place, settings)?;
    let location = tree.location().context("the path of the tree is not UTF-8")?;
    Ok(AdoptRequest {
        tree,
        location,
        moved_from: args.moved_from.clone(),
        format,
        verify: args.verify,
        relink: args.relink,
        rehearse: args.dry_run,
        hand_over: match (args.finalise, args.force) {
            (false, _) => HandOver::No,
            (true, false) => HandOver::AtRest,
            (true, true) => HandOver::Anyway,
        },
    })
}

/// The tree, which must be where blobs are kept: what is elsewhere could not be served from there.
fn tree(place: &Location, settings: &Settings) -> anyhow::Result<Tree> {
    let storage = wire::storage(settings)?;
    match (place, &storage) {
        (Location::Directory(path), Storage::Directory) => {
            Tree::directory(path).hint("name a directory that plura may read")
        }
        (Location::Directory(_), Storage::Bucket(_)) => Err(anyhow!(
            "{place} is a directory, and this installation keeps its blobs in a bucket"
        ))
        .hint(
            "adopt it into an installation whose `storage.backend` is \"directory\", or copy the \
             tree into the bucket and adopt it from there",
        ),
        (Location::Bucket { bucket, .. }, Storage::Directory) => {
            Err(anyhow!("a tree in a bucket can only be adopted by a plura that stores in it"))
                .hint(format!(
                    "set `storage.backend = \"s3\"` and `storage.s3.bucket = \"{bucket}\"`; \
                     `plura config import` prints both from the other registry's configuration"
                ))
        }
        (Location::Bucket { bucket, .. }, Storage::Bucket(own)) if *bucket != own.bucket => {
            let own = &own.bucket;
            Err(anyhow!(
                "the tree is in the bucket `{bucket}`, and this installation keeps its blobs in `{own}`"
            ))
            .hint(format!(
                "for a new installation, set `storage.s3.bucket = \"{bucket}\"`; otherwise copy the \
                 tree into `{own}` and adopt it from there"
            ))
        }
        (Location::Bucket { bucket, prefix }, storage) => {
            Tree::bucket(storage, bucket, prefix).hint("name the tree's prefix as its keys have it")
        }
    }
}

/// Adopts into a copy of the metadata, which is thrown away. Blobs are read where they are.
async fn rehearse(
    settings: &Settings,
    request: AdoptRequest,
    printer: &Printer,
) -> anyhow::Result<AdoptReport> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut registry = wire::registry_settings(settings)?;
    let known = migrations::status(&registry.database_location(&settings.data)).await?;
    if known.iter().any(|step| step.applied) {
        let copy = database_path(scratch.path());
        plura_registry::backup(&settings.data, &registry, &copy)
            .await
            .hint("a dry run works with a copy of the metadata, which takes room in TMPDIR")?;
    }
    registry.database = None;
    adopt(scratch.path(), registry, request, printer).await
}

async fn adopt(
    data: &Path,
    settings: plura_registry::Settings,
    request: AdoptRequest,
    printer: &Printer,
) -> anyhow::Result<AdoptReport> {
    let registry = Registry::open(data, settings)
        .await
        .hint("stop the plura server first, or try `--dry-run`, which needs none to stop")?;
    let mut said = Instant::now();
    let mut progress = |report: &AdoptReport| {
        if said.elapsed() >= PAUSE {
            said = Instant::now();
            printer.note(so_far(report));
        }
    };
    let adopted = registry.adopt(request, &mut progress).await;
    registry.close().await;
    match adopted {
        Err(AdoptError::HandedOver(location)) => {
            Err(SaidNo(format!("{location} was handed over to plura: there is nothing to adopt")))
                .hint("push to plura from now on")
        }
        Err(error @ AdoptError::NotAdopted(_)) => Err(error)
            .hint("`--moved-from` wants the whole path that the tree had then, or s3://BUCKET/PREFIX"),
        adopted => adopted.hint(
            "`registry:` wants what is configured as `rootdirectory`, `oci-layout:` a directory or prefix \
             with OCI layouts; what was interrupted goes on when it is run again",
        ),
    }
}

fn so_far(report: &AdoptReport) -> String {
    let found = &report.found;
    let verified = match report.verified_bytes {
        0 => String::new(),
        read => format!(", {} read", bytes(&json!(read))),
    };
    format!(
        "{} repositories, {} manifests, {} tags, {} links to blobs, {} findings{verified}",
        found.repositories, found.manifests, found.tags, found.blobs, report.findings_total
    )
}

fn advise(report: &AdoptReport, args: &AdoptArgs, printer: &Printer) {
    if let Some(reason) = &report.refused {
        printer.warning(format_args!("the tree was not handed over: {reason}"));
        printer.hint("everything else was done; insist with `--finalise --force`");
    } else if report.finalised {
        printer.note("the tree is plura's now: collection deletes from it what nothing needs");
        printer.hint(
            "once the other registry is gone for good, what is below its `repositories` and the \
             manifests among its blobs are of no use to anybody",
        );
    } else if !args.dry_run {
        printer.hint("run again to catch up with the other registry; hand over with `--finalise`");
    }
}

/// The report for people.
fn text(report: &AdoptReport, dry_run: bool) -> String {
    let row = |finding: &Finding| {
        let Finding { kind, path, detail, outcome } = finding;
        vec![
            outcome.as_str().to_owned(),
            kind.as_str().to_owned(),
            printable(path),
            printable(detail),
        ]
    };
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by(|a, b| (b.outcome, a.kind, &a.path).cmp(&(a.outcome, b.kind, &b.path)));
    let mut table: Vec<Vec<String>> = findings.into_iter().map(row).collect();
    if !table.is_empty() {
        table.insert(0, ["OUTCOME", "KIND", "WHERE", "WHAT"].map(str::to_owned).to_vec());
    }
    let unlisted = report.findings_total - report.findings.len() as u64;
    let more = match unlisted {
        0 => String::new(),
        more => format!("and {more} more findings\n"),
    };
    let (found, added) = (&report.found, &report.added);
    let verb = if dry_run { "would add" } else { "added" };
    let lost = match report.lost {
        0 => "nothing is lost".to_owned(),
        lost => format!("{lost} findings say that something is {}", Outcome::Lost.as_str()),
    };
    format!(
        "{}{more}found {} repositories, {} manifests, {} tags, {} links to blobs\n{verb} {} \
         repositories, {} manifests, {} tags, {} blobs of {}; moved {} tags\n{lost}\n",
        aligned(&table),
        found.repositories,
        found.manifests,
        found.tags,
        found.blobs,
        added.repositories,
        added.manifests,
        added.tags,
        added.blobs,
        bytes(&json!(added.bytes)),
        report.tags_moved,
    )
}
