use plura_meta::{Timestamp, account};
use plura_oci::RepositoryName;
use plura_policy::{AccountName, Asked, Decision, Permission, Rights};

use crate::{Access, CertificateNames, Error, Subject, authenticate, rights};

impl Access {
    /// What would be decided if somebody asked, and by which rule: the same value that they would get.
    pub async fn explain(
        &self,
        subject: &ExplainAs,
        permission: Permission,
        repository: Option<&RepositoryName>,
    ) -> Result<Decision, Error> {
        let rights = self.rights_of(subject).await?;
        let asked = match repository {
            Some(name) => Asked::Repository { name, public: self.is_public(name).await? },
            None => Asked::Installation,
        };
        Ok(plura_policy::decide(&rights, permission, asked))
    }

    async fn rights_of(&self, subject: &ExplainAs) -> Result<Rights, Error> {
        let mut connection = self.read_db().await?;
        match subject {
            ExplainAs::Anonymous => Ok(Rights::default()),
            ExplainAs::Account(name) => {
                let found = account::find_named(&mut connection, name.as_str()).await?;
                let found = found.ok_or_else(|| Error::unknown("account", name))?;
                if !found.is_active(Timestamp::now()) {
                    let reason = format!("{name} is disabled");
                    return Err(Error::Conflict(reason));
                }
                let method = crate::Method::None;
                Ok(authenticate::of_account(&mut connection, &found, method).await?.rights)
            }
            ExplainAs::Trust(name) => rights::of_trust(&mut connection, name).await,
            ExplainAs::Spiffe(id) => {
                let names = CertificateNames { spiffe_id: Some(id.clone()), dns_names: Vec::new() };
                rights::of_certificate(&mut connection, &names).await
            }
        }
    }
}

/// As whom something is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainAs {
    /// A person or a robot.
    Account(AccountName),
    /// What a trust entry leads to.
    Trust(String),
    /// The holder of a certificate.
    Spiffe(plura_policy::SpiffeId),
    /// Who shows nothing.
    Anonymous,
}

impl std::str::FromStr for ExplainAs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            let expected =
                "expected NAME, user:NAME, robot:NAME, trust:NAME, spiffe://... or anonymous";
            Error::invalid("as", expected)
        };
        if text == "anonymous" {
            return Ok(Self::Anonymous);
        }
        if let Some(id) = text.strip_prefix("spiffe:spiffe:").map(|rest| format!("spiffe:{rest}")) {
            return Ok(Self::Spiffe(id.parse().map_err(|_| invalid())?));
        }
        if text.starts_with("spiffe://") {
            return Ok(Self::Spiffe(text.parse().map_err(|_| invalid())?));
        }
        match text.parse::<Subject>() {
            Ok(Subject::User(name) | Subject::Robot(name)) => Ok(Self::Account(name)),
            Ok(Subject::Trust(name)) => Ok(Self::Trust(name)),
            Ok(_) => Err(invalid()),
            Err(_) => Ok(Self::Account(text.parse().map_err(|_| invalid())?)),
        }
    }
}
