use std::{fs, path::PathBuf, time::Duration};

use jiff::Timestamp;
use plura_oci::Digest;
use plura_policy::{
    TimeSpan,
    document::{Baseline, Metric, Worse},
};
use plura_rollout::{About, Prometheus, Rollout, Settings, Traffic};
use tempfile::TempDir;

pub(crate) fn now() -> Timestamp {
    "2026-11-20T03:00:00Z".parse().expect("a time")
}

pub(crate) fn about() -> About {
    About {
        service: "search".to_owned(),
        channel: "prod:stable".parse().expect("a channel"),
        digest: Digest::sha256(b"new"),
        previous: Some(Digest::sha256(b"old")),
    }
}

pub(crate) fn metric(query: &str, baseline: Option<&str>) -> Metric {
    let baseline = baseline.map(|query| Baseline {
        query: query.to_owned(),
        worse: Worse::Higher,
        significance: 0.05,
    });
    Metric {
        name: "errors".to_owned(),
        query: query.to_owned(),
        min: None,
        max: Some(1.0),
        baseline,
        every: TimeSpan::from_seconds(60),
        tolerate: 0,
    }
}

/// A file with a secret, in a directory that lives as long as the test.
pub(crate) struct Secret {
    _directory: TempDir,
    pub(crate) path: PathBuf,
}

impl Secret {
    pub(crate) fn of(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("secret");
        fs::write(&path, text).expect("a file");
        Self { _directory: directory, path }
    }
}

pub(crate) fn measuring(url: &str, token: Option<&Secret>, timeout: Duration) -> Rollout {
    let url = url.parse().expect("an address");
    let token_file = token.map(|secret| secret.path.clone());
    let prometheus = Some(Prometheus { url, token_file });
    Rollout::new(Settings { prometheus, timeout, ..Settings::default() })
}

pub(crate) fn shifting(url: &str, secret: &Secret, timeout: Duration) -> Rollout {
    let url = url.parse().expect("an address");
    let traffic = Some(Traffic { url, secret_file: secret.path.clone() });
    Rollout::new(Settings { traffic, timeout, ..Settings::default() })
}
