//! The settings of how events are told, with their documentation.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Network;
use super::keys::{BOOLEAN, Key, PATH, Section};

/// How events are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    pub(crate) send: bool,
    pub(crate) allow_private_targets: Vec<Network>,
    pub(crate) secrets: Option<PathBuf>,
}

pub(super) const EVENTS: Section = Section {
    name: "events",
    about: "What happens, told to others: webhooks.",
    keys: &[
        Key {
            path: "events.send",
            kind: BOOLEAN,
            default: Some("true"),
            example: "false",
            about: "Whether this process sends events to webhooks. Otherwise another replica does, or \
                    they wait.",
        },
        Key {
            path: "events.allow_private_targets",
            kind: "list of networks",
            default: Some("[]"),
            example: r#"["10.96.0.0/12"]"#,
            about: "Networks that webhooks may be in, besides the public Internet, and there without \
                    encryption, too. Whoever manages a project chooses addresses: name what they may \
                    reach from here, and nothing more.",
        },
        Key {
            path: "events.secrets",
            kind: PATH,
            default: None,
            example: r#""/etc/plura/webhooks""#,
            about: "The directory of the secrets that webhooks name as `file:NAME`. Webhooks of a project \
                    have those in the directory of its name.",
        },
    ],
};
