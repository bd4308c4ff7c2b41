//! Identities, credentials and tokens: who is asking, and how that is known.
//!
//! Nothing here knows `/v2` or HTTP servers; what a caller may do is decided by `plura_policy`.
//!
//! [`Access`] has the use cases, one file a group. [`Access::authenticate`] turns what a request shows
//! into a [`Principal`]; [`Access::decide`] says what that one may do.

mod api_tokens;
mod audit;
mod authenticate;
mod change;
mod denials;
mod error;
mod exchange;
mod explain;
mod fading;
mod guesses;
mod keys;
mod known;
pub mod lockout;
mod logins;
mod members;
pub mod oidc;
pub mod password;
mod principal;
mod projects;
mod random;
pub mod rate;
mod rights;
mod robots;
pub mod schema;
pub mod secret;
mod sessions;
mod settings;
pub mod signing;
mod time;
mod tokens;
mod trust;
mod users;
pub mod whole;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use plura_meta::{Db, Timestamp, Tx};

pub use api_tokens::{ApiToken, NewApiToken};
pub use audit::{AuditEntry, AuditPage, AuditQuery};
pub use authenticate::{CertificateNames, Credential};
pub use change::Change;
pub use error::Error;
pub use exchange::{Exchanged, RefusedExchange};
pub use explain::ExplainAs;
pub use logins::BegunLogin;
pub use members::{Member, NewMember, Subject};
pub use plura_meta::audit::{Event, Filter as AuditFilter, Origin, Outcome};
pub use plura_policy::AccountName;
pub use principal::{Caller, Identity, Method, Principal};
pub use projects::{ChangeProject, NewProject, Project, ProjectFacts, ProjectRedirect};
pub use random::NoRandomness;
pub use robots::{ChangeRobot, NewRobot, Robot, RobotGrant, robot_project};
pub use settings::{OidcLogin, Settings};
pub use tokens::{IssuedToken, MOST_SCOPES, TokenRequest};
pub use trust::{NewTrust, Trust};
pub use users::{ChangeUser, NewUser, User};

use crate::{
    denials::Denials,
    keys::Keys,
    known::{Memory, PasswordKey},
    lockout::Lockout,
    oidc::Issuers,
    password::Hasher,
    projects::Projects,
    rate::Limiter,
    signing::OwnKey,
};
use plura_policy::{Asked, Decision, Permission};

/// Who tokens of ours say they are from and for.
const ISSUER: &str = "plura";

/// The name by which container clients ask for tokens (`service`).
pub const SERVICE: &str = "plura";

/// Access control of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    settings: Settings,
    keys: Keys,
    hasher: Hasher,
    password_key: PasswordKey,
    lockout: Lockout,
    denials: Denials,
    issuers: Issuers,
    memory: Memory,
    projects: Projects,
    openness: settings::Openness,
    identity_rate: Option<Limiter<String>>,
    address_rate: Option<Limiter<IpAddr>>,
    local: Arc<Principal>,
    anonymous: Arc<Principal>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Access {
    /// Access control over a database. The key of this process is kept in `directory`, and made if there
    /// is none; without a directory it is in memory alone, and a new one with each start.
    pub async fn open(db: Db, directory: Option<&Path>, settings: Settings) -> Result<Self, Error> {
        const KEYS: usize = 65_536;
        let folder = directory.map(|directory| directory.join("keys"));
        let own = tokio::task::spawn_blocking(move || OwnKey::open(folder)).await;
        let own = own.map_err(|error| Error::System(error.to_string()))?;
        let own = own.map_err(|error| Error::Keys(error.to_string()))?;
        let shared = Shared {
            keys: Keys::new(own, settings.key_rotation, settings.token_life),
            hasher: Hasher::default(),
            password_key: PasswordKey::new()?,
            lockout: if db.is_shared() { Lockout::shared(KEYS) } else { Lockout::new(KEYS) },
            denials: Denials::default(),
            issuers: Issuers::default(),
            memory: Memory::default(),
            projects: Projects::default(),
            openness: settings::Openness::default(),
            identity_rate: settings.identity_rate.map(|rate| Limiter::new(rate, KEYS)),
            address_rate: settings.address_rate.map(|rate| Limiter::new(rate, KEYS)),
            local: Arc::new(Principal::local()),
            anonymous: Arc::new(Principal::anonymous()),
            db,
            settings,
        };
        let access = Self { shared: Arc::new(shared) };
        access.find_key().await?;
        Ok(access)
    }

    /// Whether, and by which rule, somebody may do something.
    pub fn decide(
        &self,
        principal: &Principal,
        permission: Permission,
        asked: Asked<'_>,
    ) -> Decision {
        plura_policy::decide(&principal.rights, permission, asked)
    }

    /// The same without the words.
    pub fn allows(&self, principal: &Principal, permission: Permission, asked: Asked<'_>) -> bool {
        plura_policy::allows(&principal.rights, permission, asked)
    }

    /// The name by which somebody may do something, of those in a certificate. For all others it is
    /// the one that they have.
    pub fn deciding_name<'p>(
        &self,
        principal: &'p Principal,
        permission: Permission,
        asked: Asked<'p>,
    ) -> &'p str {
        let own = principal.identity.name();
        let Identity::Certificate(_) = &principal.identity else { return own };
        let grant = plura_policy::granted_by(&principal.rights, permission, asked);
        // A pattern of SPIFFE IDs is not a name; the certificate has one such ID at most.
        let name = grant.and_then(|grant| grant.origin.strip_prefix("dns:"));
        name.unwrap_or(own)
    }

    /// How access is controlled.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Counts a request; refuses it if its address or identity sends too many.
    pub fn check_rate(&self, principal: &Principal, address: IpAddr) -> Result<(), Duration> {
        if self.shared.address_rate.is_none() && self.shared.identity_rate.is_none() {
            return Ok(());
        }
        let now = std::time::Instant::now();
        if let Some(limiter) = &self.shared.address_rate {
            limiter.check(address, now).map_err(|retry| retry.0)?;
        }
        match &self.shared.identity_rate {
            Some(limiter) if !principal.is_anonymous() => {
                limiter.check(principal.identity.subject(), now).map_err(|retry| retry.0)
            }
            _ => Ok(()),
        }
    }

    /// Records that something was done outside of a transaction of its own, or refused; refusals that
    /// are alike are counted.
    pub async fn record(&self, origin: &Origin, event: Event) -> Result<(), Error> {
        if event.outcome == Outcome::Denied {
            return self.record_denial(origin, event).await;
        }
        let (origin, now) = (origin.clone(), Timestamp::now());
        let work = async move |tx: &mut Tx| {
            Ok::<(), Error>(plura_meta::audit::record(tx, &origin, &event, now).await?)
        };
        // Nothing that anybody remembers has changed.
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    /// Looks after what grows with time: keys, ended credentials, used tokens.
    pub async fn tend(&self) -> Result<(), Error> {
        // A robot's ended secret stays for a while, so that its owner sees that it has ended.
        const REMEMBERED: Duration = Duration::from_hours(30 * 24);
        self.tend_keys().await?;
        let now = Timestamp::now();
        self.warn_of_robots(now).await?;
        self.change(move |tx| {
            Box::pin(async move {
                plura_meta::credential::delete_expired(tx, now.before(REMEMBERED)).await?;
                plura_meta::trust::forget_nonces(tx, now).await?;
                plura_meta::signing_key::delete_expired(tx, now).await?;
                plura_meta::failed_login::delete_ended(tx, now).await?;
                Ok(())
            })
        })
        .await
    }

    /// Says which robots' secrets end soon, once a day for each: this is called every hour.
    async fn warn_of_robots(&self, now: Timestamp) -> Result<(), Error> {
        const HOUR: i64 = 60 * 60 * 1000;
        let until = now.after(self.shared.settings.robot_warning);
        let mut connection = self.read_db().await?;
        let ending = plura_meta::credential::robots_ending(&mut connection, now, until).await?;
        let due = |ends: Timestamp| ((ends.0 - now.0) / HOUR) % 24 == 0;
        for (robot, ends) in ending.into_iter().filter(|(_, ends)| due(*ends)) {
            let ends = time::rfc3339(ends);
            tracing::warn!(robot, ends, "the secret of a robot ends soon: `plura robot rotate`");
        }
        Ok(())
    }

    async fn read_db(&self) -> Result<plura_meta::Connection, Error> {
        Ok(self.shared.db.read().await?)
    }

    /// Runs a change in one transaction; it is felt at once here, and elsewhere within seconds.
    async fn change<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let changed = self.shared.db.write(work).await;
        // Also after a failure: a commit that failed may be there all the same.
        self.shared.memory.changed();
        self.shared.projects.forget_all();
        self.shared.openness.forget();
        changed
    }
}
