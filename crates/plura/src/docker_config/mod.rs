//! Logins where docker, podman and everything that goes with them look for them: in docker's
//! `config.json`, or in the credential helper that the file names.

mod file;
mod helper;
mod host;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;

pub(crate) use self::host::host_of;

use self::file::ConfigFile;
use self::helper::Helper;
use self::host::key_of;
use crate::secret::Secret;

/// What a registry is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A name and a password, an API token or the secret of a robot.
    Password {
        /// The name of the user or robot.
        name: String,
        /// What goes with it.
        password: Secret,
    },
    /// What a registry gave out in exchange for a password: good for tokens and nothing else.
    IdentityToken {
        /// Whose it is, which a helper does not remember.
        name: Option<String>,
        /// The token.
        token: Secret,
    },
}

/// The places where logins are.
#[derive(Debug)]
pub(crate) struct Logins {
    /// Docker's file, which is the one that is written.
    docker: PathBuf,
    /// Podman's, which is only read.
    podman: Vec<PathBuf>,
    /// Where helpers are looked for, if not on our own search path.
    search: Option<OsString>,
}

impl Logins {
    /// The places that the environment names.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let directory = match set("DOCKER_CONFIG") {
            Some(directory) => PathBuf::from(directory),
            None => env::home_dir()
                .context("there is no home directory for docker's config.json; set DOCKER_CONFIG")?
                .join(".docker"),
        };
        let runtime = set("XDG_RUNTIME_DIR");
        let runtime =
            runtime.map(|directory| PathBuf::from(directory).join("containers/auth.json"));
        let podman = set("REGISTRY_AUTH_FILE").map(PathBuf::from).into_iter().chain(runtime);
        Ok(Self { docker: directory.join("config.json"), podman: podman.collect(), search: None })
    }

    /// The login of a registry: docker's, otherwise podman's.
    pub(crate) fn find(&self, host: &str) -> anyhow::Result<Option<Credentials>> {
        for path in std::iter::once(&self.docker).chain(&self.podman) {
            let file = ConfigFile::read(path)?;
            let kept = match file.helper(host) {
                Some(name) => self.helper(name).get(key_of(host))?,
                None => None,
            };
            // An empty entry only says that the helper keeps it.
            if let Some(found) = kept.map_or_else(|| file.credentials(host), |it| Ok(Some(it)))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Keeps a login, and says where.
    pub(crate) fn keep(&self, host: &str, credentials: &Credentials) -> anyhow::Result<String> {
        let mut file = ConfigFile::read(&self.docker)?;
        let helper = file.helper(host).map(str::to_owned);
        let place = if let Some(name) = helper {
            self.helper(&name).store(key_of(host), credentials)?;
            file.insert(host, None);
            format!("the credential helper `{name}`")
        } else {
            file.insert(host, Some(credentials));
            format!("`{}`", file.path().display())
        };
        file.write()?;
        Ok(place)
    }

    /// Forgets the login of a registry, and says whether there was one. Podman's files stay as they
    /// are: `podman logout` is for them.
    pub(crate) fn forget(&self, host: &str) -> anyhow::Result<bool> {
        let mut file = ConfigFile::read(&self.docker)?;
        let kept = match file.helper(host) {
            // Helpers do not fail to erase what is not there, so ask first.
            Some(name) => {
                let helper = self.helper(name);
                helper.get(key_of(host))?.is_some() && helper.erase(key_of(host))?
            }
            None => false,
        };
        let listed = file.remove(host);
        if listed {
            file.write()?;
        }
        Ok(kept || listed)
    }

    fn helper<'a>(&'a self, name: &'a str) -> Helper<'a> {
        Helper { name, search: self.search.as_deref() }
    }
}

/// The value of a variable, if it has one.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
