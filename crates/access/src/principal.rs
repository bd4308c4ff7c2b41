//! Who is asking.

use std::sync::Arc;

use plura_meta::{Timestamp, account::AccountId, audit::Origin, build::Build};
use plura_policy::{AccountName, Rights};
use serde::Serialize;

use crate::known::Freshness;

/// Who is asking, and what is known about what they may do.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who.
    pub identity: Identity,
    /// How that was shown.
    pub method: Method,
    /// The groups that an issuer named.
    pub groups: Vec<String>,
    /// What a decision is made on.
    pub rights: Rights,
    /// The credential that was shown, where there is one that can be ended.
    pub credential: Option<String>,
    /// The run of a build that it is, where its issuer names one.
    pub build: Option<Arc<Build>>,
    /// When what was shown ends by itself: what is got with it ends no later.
    pub until: Option<Timestamp>,
    /// Until when all of this is believed.
    pub(crate) freshness: Freshness,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Whoever reaches an open server.
    Local,
    /// Nobody in particular.
    Anonymous,
    /// A person.
    User(AccountId, AccountName),
    /// A robot.
    Robot(AccountId, AccountName),
    /// A job or a pod, by a token of an issuer that a trust entry names.
    Workload {
        /// The trust entry.
        trust: String,
        /// What the issuer calls it.
        subject: String,
    },
    /// The holder of a client certificate: a SPIFFE ID or a host name.
    Certificate(String),
}

/// How an identity was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Not at all.
    None,
    /// The server is open.
    Local,
    /// A password.
    Password,
    /// An API token.
    Token,
    /// A robot's secret.
    Robot,
    /// A refresh token.
    Refresh,
    /// A browser's session.
    Session,
    /// A token that plura issued.
    Bearer,
    /// A token of another issuer.
    Oidc,
    /// A client certificate.
    Certificate,
}

/// Somebody who has something done: who, and where the request came from.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<Principal>,
    /// As the audit has it.
    pub origin: Arc<Origin>,
}

impl Method {
    /// The name, as the audit has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Password => "password",
            Self::Token => "token",
            Self::Robot => "robot",
            Self::Refresh => "refresh",
            Self::Session => "session",
            Self::Bearer => "bearer",
            Self::Oidc => "oidc",
            Self::Certificate => "certificate",
        }
    }
}

impl Identity {
    /// What kind of identity, as the audit and the API have it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Anonymous => "anonymous",
            Self::User(..) => "user",
            Self::Robot(..) => "robot",
            Self::Workload { .. } => "workload",
            Self::Certificate(_) => "certificate",
        }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Anonymous => "anonymous",
            Self::User(_, name) | Self::Robot(_, name) => name.as_str(),
            Self::Workload { subject, .. } | Self::Certificate(subject) => subject,
        }
    }

    /// What stays the same for as long as it is the same somebody.
    pub fn subject(&self) -> String {
        match self {
            Self::Local => "local".to_owned(),
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(id, _) | Self::Robot(id, _) => id.as_str().to_owned(),
            Self::Workload { trust, subject } => format!("trust:{trust}:{subject}"),
            Self::Certificate(name) => format!("certificate:{name}"),
        }
    }

    /// The account, if it is one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::User(id, _) | Self::Robot(id, _) => Some(id),
            _ => None,
        }
    }
}

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self::without_credential(Identity::Anonymous, Method::None, Rights::default())
    }

    /// Whoever reaches an open server.
    pub fn local() -> Self {
        Self::without_credential(Identity::Local, Method::Local, Rights::unlimited("open server"))
    }

    pub(crate) fn without_credential(identity: Identity, method: Method, rights: Rights) -> Self {
        let freshness = Freshness::default();
        let (groups, credential, build, until) = (Vec::new(), None, None, None);
        Self { identity, method, groups, rights, credential, build, until, freshness }
    }

    /// Where a request came from, with this as who sent it.
    pub(crate) fn origin(&self, request: &Origin) -> Origin {
        Origin {
            actor_kind: self.identity.kind().to_owned(),
            actor: self.identity.name().to_owned(),
            subject: self.identity.subject(),
            method: self.method.as_str().to_owned(),
            build: self.build.clone(),
            ..request.clone()
        }
    }

    /// Whether it showed who it is.
    pub fn is_anonymous(&self) -> bool {
        self.identity == Identity::Anonymous
    }
}
