//! The settings of what images are measured by and get their traffic from, with their documentation.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::{Key, PATH, POSITIVE_DURATION, Section};
use super::{PositiveSpan, ServiceUrl};

/// How images get their traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollout {
    pub(crate) timeout: PositiveSpan,
    // None of their keys has a default, so that the tables may be missing.
    #[serde(default)]
    pub(crate) prometheus: Prometheus,
    #[serde(default)]
    pub(crate) traffic: Traffic,
}

/// Where figures are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prometheus {
    pub(crate) url: Option<ServiceUrl>,
    pub(crate) token_file: Option<PathBuf>,
}

/// Who moves traffic. Both are named or neither; see [`Traffic::hook`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    pub(super) url: Option<ServiceUrl>,
    pub(super) secret_file: Option<PathBuf>,
}

impl Traffic {
    /// The address, and the file with what messages are signed with.
    pub(crate) fn hook(&self) -> Option<(&ServiceUrl, &Path)> {
        self.url.as_ref().zip(self.secret_file.as_deref())
    }
}

impl Rollout {
    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.prometheus.token_file.is_some() && self.prometheus.url.is_none() {
            let message = "set without `rollout.prometheus.url`, to which it would be presented";
            found.push(("rollout.prometheus.token_file", message.to_owned()));
        }
        match (&self.traffic.url, &self.traffic.secret_file) {
            (Some(_), None) => found.push(("rollout.traffic.url", lonely("secret_file"))),
            (None, Some(_)) => found.push(("rollout.traffic.secret_file", lonely("url"))),
            _ => {}
        }
        found
    }
}

fn lonely(missing: &str) -> String {
    format!("set without `rollout.traffic.{missing}`; messages are always signed, or name neither")
}

const ADDRESS: &str = "http or https address";

pub(super) const ROLLOUT: Section = Section {
    name: "rollout",
    about: "How images get more and more of the traffic.",
    keys: &[Key {
        path: "rollout.timeout",
        kind: POSITIVE_DURATION,
        default: Some(r#""10s""#),
        example: r#""30s""#,
        about: "How long each answer of those below may take.",
    }],
};

pub(super) const PROMETHEUS: Section = Section {
    name: "rollout.prometheus",
    about: "Where figures are that canaries are judged by.",
    keys: &[
        Key {
            path: "rollout.prometheus.url",
            kind: ADDRESS,
            default: None,
            example: r#""http://prometheus.example.com:9090""#,
            about: "A server that answers queries as Prometheus does, without `/api/v1/query`. \
                    Unset, nothing is known of metrics, and canaries that have some do not pass.",
        },
        Key {
            path: "rollout.prometheus.token_file",
            kind: PATH,
            default: None,
            example: r#""/etc/plura/prometheus-token""#,
            about: "A file with a token to present there. It is read for each query.",
        },
    ],
};

pub(super) const TRAFFIC: Section = Section {
    name: "rollout.traffic",
    about: "Who moves traffic. Name both keys or neither.",
    keys: &[
        Key {
            path: "rollout.traffic.url",
            kind: ADDRESS,
            default: None,
            example: r#""https://traffic.example.com/shift""#,
            about: "A web hook that is told how much of the traffic an image gets from now on. It \
                    acknowledges with a status of success once that is so, or with 202 and a \
                    `Location` to ask at. Each message has an `Idempotency-Key`, and is signed as \
                    Standard Webhooks does.",
        },
        Key {
            path: "rollout.traffic.secret_file",
            kind: PATH,
            default: None,
            example: r#""/etc/plura/traffic-secret""#,
            about: "A file with what messages are signed with: `whsec_` and bytes in Base64, or any \
                    text. It is read for each message.",
        },
    ],
};
