//! What identities may do: memberships become grants.

use plura_meta::{
    Connection,
    account::{Account, Kind},
    membership::{self, Membership},
};
use plura_policy::{Grant, Realm, Rights, SpiffePattern};

use crate::Error;

/// The rights of an account: its own roles, those of its groups, and those of everybody.
pub(crate) async fn of_account(
    connection: &mut Connection,
    account: &Account,
    groups: &[String],
) -> Result<Rights, Error> {
    if account.administrator {
        return Ok(Rights::unlimited("administrator"));
    }
    let kind = account.kind().as_str();
    let mut found = membership::of_subject(connection, kind, account.id.as_str()).await?;
    for group in groups {
        found.extend(membership::of_subject(connection, "group", group).await?);
    }
    if account.kind() == Kind::User {
        found.extend(everyone(connection).await?);
    }
    rights(&found)
}

/// The rights of a workload: those of its trust entry.
pub(crate) async fn of_trust(connection: &mut Connection, trust: &str) -> Result<Rights, Error> {
    rights(&membership::of_subject(connection, "trust", trust).await?)
}

/// The rights of the holder of a certificate: of each pattern that its name matches.
pub(crate) async fn of_certificate(
    connection: &mut Connection,
    names: &crate::CertificateNames,
) -> Result<Rights, Error> {
    let mut found = Vec::new();
    if let Some(id) = &names.spiffe_id {
        let all = membership::of_kind(connection, "spiffe").await?;
        let matches = |pattern: &str| {
            pattern.parse::<SpiffePattern>().is_ok_and(|pattern| pattern.matches(id))
        };
        found.extend(all.into_iter().filter(|membership| matches(&membership.subject)));
    }
    for name in &names.dns_names {
        found.extend(membership::of_subject(connection, "dns", name).await?);
    }
    rights(&found)
}

async fn everyone(connection: &mut Connection) -> Result<Vec<Membership>, Error> {
    Ok(membership::of_subject(connection, "everyone", "").await?)
}

fn rights(memberships: &[Membership]) -> Result<Rights, Error> {
    let grants = memberships.iter().map(grant).collect::<Result<_, _>>()?;
    Ok(Rights { grants, ..Rights::default() })
}

/// A membership as a decision sees it.
pub(crate) fn grant(membership: &Membership) -> Result<Grant, Error> {
    let corrupt = |what: &str, text: &str| {
        let message = format!("membership.{what} of {} holds `{text}`", membership.id);
        Error::Metadata(plura_meta::Error::Corrupt(message))
    };
    let role = membership.role.parse().map_err(|_| corrupt("role", &membership.role))?;
    let realm = match &membership.project {
        None => Realm::Everywhere,
        Some(name) => Realm::Project(name.parse().map_err(|_| corrupt("project_id", name))?),
    };
    let repositories = membership
        .repositories
        .as_deref()
        .map(|text| text.parse().map_err(|_| corrupt("repositories", text)));
    let repositories = repositories.transpose()?;
    Ok(Grant { role, realm, repositories, origin: subject(membership) })
}

/// Who has a role, as people write it.
pub(crate) fn subject(membership: &Membership) -> String {
    let name = membership.account_name.as_deref().unwrap_or(&membership.subject);
    match membership.subject_kind.as_str() {
        "everyone" => "everyone".to_owned(),
        kind => format!("{kind}:{name}"),
    }
}
