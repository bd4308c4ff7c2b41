//! The settings of access control, with their documentation.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::{BOOLEAN, COUNT, DURATION, Key, PATH, POSITIVE_DURATION, Section};
use super::{BaseUrl, Count, PositiveSpan, Span};

/// Who may come in, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    pub(crate) create_projects: Option<bool>,
    pub(crate) anonymous_metrics: bool,
    pub(crate) token_life: PositiveSpan,
    pub(crate) refresh_life: PositiveSpan,
    pub(crate) session_life: PositiveSpan,
    pub(crate) key_rotation: PositiveSpan,
    pub(crate) robot_life: PositiveSpan,
    pub(crate) robot_warning: Span,
    pub(crate) oidc: Oidc,
}

/// People log in elsewhere. Either issuer and client are named or neither; see [`Oidc::client`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Oidc {
    pub(super) issuer: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(crate) groups_claim: String,
    pub(crate) administrator_group: Option<String>,
}

/// What one client may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) identity_rate: Option<Count>,
    pub(crate) address_rate: Option<Count>,
    pub(crate) burst: Count,
}

impl Oidc {
    /// The issuer, what it calls us, and the file with our secret, when people log in there.
    pub(crate) fn client(&self) -> Option<(&str, &str, Option<&Path>)> {
        let (issuer, client) = self.issuer.as_deref().zip(self.client_id.as_deref())?;
        Some((issuer, client, self.client_secret_file.as_deref()))
    }

    pub(super) fn contradictions(&self, public: Option<&BaseUrl>) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        match (&self.issuer, &self.client_id) {
            (Some(_), None) => found.push(("access.oidc.issuer", lonely("client_id"))),
            (None, Some(_)) => found.push(("access.oidc.client_id", lonely("issuer"))),
            (Some(_), Some(_)) if public.is_none() => found.push((
                "access.oidc.issuer",
                "the issuer sends people back to `server.public_url`, which is not set".to_owned(),
            )),
            _ => {}
        }
        found
    }
}

fn lonely(missing: &str) -> String {
    format!("set without `access.oidc.{missing}`; login elsewhere needs both, or name neither")
}

pub(super) const ACCESS: Section = Section {
    name: "access",
    about: "Who may come in, and for how long.",
    keys: &[
        Key {
            path: "access.create_projects",
            kind: BOOLEAN,
            default: None,
            example: "true",
            about: "Whether a push makes the project that it goes to, if there is none. Unset, it \
                    does while there is no login.",
        },
        Key {
            path: "access.anonymous_metrics",
            kind: BOOLEAN,
            default: Some("false"),
            example: "true",
            about: "Whether `/metrics` answers without login.",
        },
        Key {
            path: "access.token_life",
            kind: POSITIVE_DURATION,
            default: Some(r#""5m""#),
            example: r#""10m""#,
            about: "How long the tokens of container clients are good; clients get new ones by \
                    themselves.",
        },
        Key {
            path: "access.refresh_life",
            kind: POSITIVE_DURATION,
            default: Some(r#""30d""#),
            example: r#""7d""#,
            about: "How long a client that keeps a refresh token instead of a password need not \
                    log in again.",
        },
        Key {
            path: "access.session_life",
            kind: POSITIVE_DURATION,
            default: Some(r#""12h""#),
            example: r#""8h""#,
            about: "How long the session of a browser is good.",
        },
        Key {
            path: "access.key_rotation",
            kind: POSITIVE_DURATION,
            default: Some(r#""30d""#),
            example: r#""7d""#,
            about: "How old the key that signs tokens gets before the next one does.",
        },
        Key {
            path: "access.robot_life",
            kind: POSITIVE_DURATION,
            default: Some(r#""90d""#),
            example: r#""30d""#,
            about: "How long the secret of a robot is good, if nobody says when it is made.",
        },
        Key {
            path: "access.robot_warning",
            kind: DURATION,
            default: Some(r#""14d""#),
            example: r#""7d""#,
            about: "How long before its end a robot is marked as ending soon.",
        },
    ],
};

pub(super) const OIDC: Section = Section {
    name: "access.oidc",
    about: "Login of people at an OpenID Connect provider.",
    keys: &[
        Key {
            path: "access.oidc.issuer",
            kind: "https address",
            default: None,
            example: r#""https://login.example.com""#,
            about: "The provider, exactly as its tokens name it. It sends people back to \
                    `/auth/oidc/callback` below `server.public_url`.",
        },
        Key {
            path: "access.oidc.client_id",
            kind: "text",
            default: None,
            example: r#""plura""#,
            about: "What the provider calls this server.",
        },
        Key {
            path: "access.oidc.client_secret_file",
            kind: PATH,
            default: None,
            example: r#""/etc/plura/oidc-secret""#,
            about: "A file with the secret that the provider gave for this server. Unset for a \
                    public client.",
        },
        Key {
            path: "access.oidc.groups_claim",
            kind: "text",
            default: Some(r#""groups""#),
            example: r#""roles""#,
            about: "The claim with the groups of a person; roles are given to `group:NAME`.",
        },
        Key {
            path: "access.oidc.administrator_group",
            kind: "text",
            default: None,
            example: r#""registry-admins""#,
            about: "Members of this group are administrators, and who leaves it is none from the \
                    next login on.",
        },
    ],
};

pub(super) const LIMITS: Section = Section {
    name: "limits",
    about: "What one client may ask for. Lists of referrers are never limited.",
    keys: &[
        Key {
            path: "limits.identity_rate",
            kind: COUNT,
            default: None,
            example: "200",
            about: "Requests a second of one identity; no limit if unset.",
        },
        Key {
            path: "limits.address_rate",
            kind: COUNT,
            default: None,
            example: "500",
            about: "Requests a second from one address; no limit if unset.",
        },
        Key {
            path: "limits.burst",
            kind: COUNT,
            default: Some("200"),
            example: "50",
            about: "Requests at once before the rates count.",
        },
    ],
};
