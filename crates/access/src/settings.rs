use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use plura_meta::account;

use crate::{Access, Error, known::FRESH, oidc::LoginProvider, rate::Rate};

/// How access is controlled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether a server without an administrator is open to whoever reaches it: on loopback, or
    /// where the operator said so.
    pub open_without_administrator: bool,
    /// Whether a push may make the project that it goes to; without, an open server's may.
    pub create_projects: Option<bool>,
    /// How long a token for container clients is valid.
    pub token_life: Duration,
    /// How long a refresh token is valid.
    pub refresh_life: Duration,
    /// How long a browser's session is valid.
    pub session_life: Duration,
    /// How old a token key gets before the next one signs.
    pub key_rotation: Duration,
    /// How robots' secrets end if nobody says.
    pub robot_life: Duration,
    /// How long before their end robots are warned of.
    pub robot_warning: Duration,
    /// People may log in elsewhere.
    pub oidc: Option<OidcLogin>,
    /// Requests of one identity; no limit without.
    pub identity_rate: Option<Rate>,
    /// Requests of one address; no limit without.
    pub address_rate: Option<Rate>,
}

/// Where people log in, and what that makes of them.
#[derive(Clone, Debug)]
pub struct OidcLogin {
    /// The issuer and what it knows of us.
    pub provider: LoginProvider,
    /// Members of this group are administrators.
    pub administrator_group: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            open_without_administrator: true,
            create_projects: None,
            token_life: Duration::from_mins(5),
            refresh_life: 30 * DAY,
            session_life: DAY / 2,
            key_rotation: 30 * DAY,
            robot_life: 90 * DAY,
            robot_warning: 14 * DAY,
            oidc: None,
            identity_rate: None,
            address_rate: None,
        }
    }
}

/// Whether the server is open, as last looked at.
#[derive(Debug, Default)]
pub(crate) struct Openness(ArcSwapOption<(bool, Instant)>);

impl Openness {
    pub(crate) fn forget(&self) {
        self.0.store(None);
    }
}

impl Access {
    /// Whether everybody may do everything: nobody who could let others in has been made yet.
    pub async fn is_open(&self) -> Result<bool, Error> {
        if !self.shared.settings.open_without_administrator {
            return Ok(false);
        }
        let openness = &self.shared.openness;
        if let Some(known) = openness.0.load().as_deref()
            && known.1.elapsed() < FRESH
        {
            return Ok(known.0);
        }
        let open = !self.has_administrator().await?;
        openness.0.store(Some(Arc::new((open, Instant::now()))));
        Ok(open)
    }

    /// Whether there is somebody who may do everything.
    pub async fn has_administrator(&self) -> Result<bool, Error> {
        Ok(account::has_administrator(&mut self.read_db().await?).await?)
    }
}
