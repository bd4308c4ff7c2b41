//! `plura config import`: the configuration of another registry as settings.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use plura_adopt::{Configuration, Location, Translation};

use crate::cli::ImportArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::settings::{Backend, Settings};

/// The longest configuration that is read.
const LIMIT: u64 = 1 << 20;

pub(super) fn run(args: &ImportArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let variables = || {
        let text = |(name, value): (_, std::ffi::OsString)| {
            let name: std::ffi::OsString = name;
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    };
    let environment: Vec<_> = if args.environment { variables() } else { Vec::new() };
    let translation = read(&args.file, environment)?.translate();
    if args.output.json {
        printer.json(&translation)?;
    } else {
        printer.data(translation.to_toml())?;
        printer
            .hint("save it as `plura.toml`, put the secrets in their files, `plura config check`");
    }
    Ok(ExitStatus::Done)
}

/// Where the registry keeps its files that this is the configuration of. What the settings must agree
/// with, they do.
pub(super) fn location(file: &Path, settings: &Settings) -> anyhow::Result<Location> {
    let configuration = read(file, Vec::new())?;
    match (configuration.root_directory(), configuration.bucket()) {
        (Some(path), _) => Ok(Location::Directory(path.into())),
        (None, Some((bucket, prefix))) => {
            check_same_store(&configuration.translate(), settings)
                .hint(format!("adopt it by `--from registry:s3://{bucket}/{prefix}` if it is"))?;
            Ok(Location::Bucket { bucket, prefix })
        }
        (None, None) => Err(anyhow!("{} names no place", file.display())).hint(
            "`storage.filesystem.rootdirectory` or `storage.s3.bucket` is what is looked for",
        ),
    }
}

/// Refuses an object store that is another than ours, as far as two configurations tell. The buckets are
/// compared by whoever reads there.
fn check_same_store(theirs: &Translation, settings: &Settings) -> anyhow::Result<()> {
    let ours = &settings.storage.s3;
    if settings.storage.backend != Backend::S3 {
        return Ok(());
    }
    let theirs = |key| theirs.settings.iter().find(|setting| setting.key == key)?.value.as_str();
    let endpoint = ours.endpoint.as_ref().map(ToString::to_string);
    for (key, theirs, ours) in [
        ("storage.s3.endpoint", theirs("storage.s3.endpoint"), endpoint.as_deref()),
        ("storage.s3.region", theirs("storage.s3.region"), Some(ours.region.as_str())),
    ] {
        let (theirs, ours) = (theirs.map(comparable), ours.map(comparable));
        // A region that is not named is whichever the object store has.
        if theirs != ours && !(key == "storage.s3.region" && theirs.is_none()) {
            let say =
                |value: Option<String>| value.map_or("not set".to_owned(), |v| format!("`{v}`"));
            return Err(anyhow!(
                "the registry's object store may be another one: `{key}` is {} there and {} here",
                say(theirs),
                say(ours)
            ));
        }
    }
    Ok(())
}

fn comparable(address: &str) -> String {
    address.trim_end_matches('/').to_lowercase()
}

fn read(file: &Path, environment: Vec<(String, String)>) -> anyhow::Result<Configuration> {
    let mut yaml = String::new();
    let opened =
        std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()));
    opened?
        .take(LIMIT)
        .read_to_string(&mut yaml)
        .with_context(|| format!("cannot read {}", file.display()))?;
    Configuration::read(&yaml, environment)
        .with_context(|| format!("cannot understand {}", file.display()))
        .hint("name the configuration file of a registry:2, often /etc/docker/registry/config.yml")
}
