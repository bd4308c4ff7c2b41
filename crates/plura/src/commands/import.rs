//! `plura config import`: the configuration of another registry as settings.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use plura_adopt::Configuration;

use crate::cli::ImportArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;

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

/// Where the registry keeps its files that this is the configuration of.
pub(super) fn root_directory(file: &Path) -> anyhow::Result<std::path::PathBuf> {
    let configuration = read(file, Vec::new())?;
    match (configuration.root_directory(), configuration.bucket()) {
        (Some(path), _) => Ok(path.into()),
        (None, Some((bucket, root))) => Err(anyhow!("the registry keeps its files in a bucket"))
            .hint(format!("adopt it by `--from registry:s3://{bucket}/{root}`")),
        (None, None) => Err(anyhow!("{} names no directory", file.display()))
            .hint("`storage.filesystem.rootdirectory` is what is looked for"),
    }
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
