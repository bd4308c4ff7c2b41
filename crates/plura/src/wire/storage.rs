//! From settings to a place for bytes.

use std::path::Path;

use anyhow::{Context, anyhow};
use plura_http::Redirect;
use plura_registry::{AccessKeys, BucketOptions, Encryption, Fitness, Retries, Storage};

use crate::exit::Hint;
use crate::settings::{self, Settings};

/// Where bytes are kept.
pub(crate) fn storage(settings: &Settings) -> anyhow::Result<Storage> {
    match settings.storage.backend {
        settings::Backend::Directory => Ok(Storage::Directory),
        settings::Backend::S3 => Ok(Storage::Bucket(Box::new(bucket(&settings.storage)?))),
    }
}

/// How clients are sent to the object store for blobs.
pub(super) fn redirect(settings: &Settings) -> Redirect {
    let redirect = &settings.storage.redirect;
    Redirect {
        enabled: redirect.enabled,
        expires: redirect.expires.duration(),
        stream_to: redirect.stream_to.iter().map(|network| network.network()).collect(),
    }
}

/// Refuses an object store that plura cannot work with, and says why.
pub(super) async fn check_fitness(storage: &Storage) -> anyhow::Result<()> {
    for fitness in plura_registry::examine(storage).await? {
        let (Some(problem), true) = (&fitness.problem, fitness.needed) else { continue };
        let error = Err(anyhow!("the object store is of no use: {}", describe(&fitness, problem)));
        return match fitness.fix {
            Some(fix) => error.hint(fix),
            None => error.hint("`plura config check` tries everything that is needed"),
        };
    }
    Ok(())
}

/// What an object store does not do.
fn describe(fitness: &Fitness, problem: &str) -> String {
    format!("cannot {}: {problem}", fitness.requirement.describe())
}

fn bucket(storage: &settings::Storage) -> anyhow::Result<BucketOptions> {
    let settings::Storage { s3, redirect, .. } = storage;
    let from_file = |path: &Path| {
        let read = std::fs::read_to_string(path);
        read.map(|text| text.trim().to_owned())
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("`storage.s3.access_key_file` and `storage.s3.secret_key_file` name files with one value")
    };
    let id = match &s3.access_key_file {
        Some(path) => Some(from_file(path)?),
        None => s3.access_key.clone(),
    };
    let secret = match &s3.secret_key_file {
        Some(path) => Some(from_file(path)?),
        None => s3.secret_key.as_ref().map(|secret| secret.reveal().to_owned()),
    };
    let authorities = s3.ca_file.as_ref().map(|path| {
        std::fs::read(path)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("`storage.s3.ca_file` is a PEM file of authorities")
    });
    Ok(BucketOptions {
        endpoint: s3.endpoint.as_ref().map(ToString::to_string),
        region: s3.region.clone(),
        bucket: s3.bucket.clone().unwrap_or_default(),
        prefix: s3.prefix.clone().unwrap_or_default(),
        keys: id.zip(secret).map(|(id, secret)| AccessKeys { id, secret }),
        public_endpoint: redirect.endpoint.as_ref().map(ToString::to_string),
        path_style: s3.path_style.unwrap_or(s3.endpoint.is_some()),
        allow_http: s3.allows_http(),
        authorities: authorities.transpose()?,
        encryption: match s3.encryption {
            settings::Encryption::None => Encryption::None,
            settings::Encryption::Aes256 => Encryption::Aes256,
            settings::Encryption::Kms => Encryption::Kms(s3.encryption_key.clone()),
        },
        storage_class: s3.storage_class.clone(),
        part_size: s3.part_size.bytes(),
        uniform_parts: s3.uniform_parts,
        parts_in_flight: usize::try_from(s3.parts_in_flight.get()).unwrap_or(usize::MAX),
        upload_memory: s3.upload_memory.bytes(),
        patience: BucketOptions::PATIENCE,
        retries: Retries::default(),
    })
}
