//! Memberships: the roles that accounts, groups, certificates and workloads have.

use crate::{Connection, Error, Timestamp, Tx, project::ProjectId};

/// A role that somebody has.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Membership {
    /// Its key.
    pub id: String,
    /// `user`, `robot`, `group`, `spiffe`, `trust` or `everyone`.
    pub subject_kind: String,
    /// An account's key; otherwise a name or pattern; empty for `everyone`.
    pub subject: String,
    /// The name of the account, if it is one.
    pub account_name: Option<String>,
    /// The role.
    pub role: String,
    /// The name of the project; everywhere without.
    pub project: Option<String>,
    /// The pattern of repositories; all without.
    pub repositories: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// A role to be given.
#[derive(Clone, Debug)]
pub struct NewMembership {
    /// `user`, `robot`, `group`, `spiffe`, `trust` or `everyone`.
    pub subject_kind: &'static str,
    /// An account's key; otherwise a name or pattern; empty for `everyone`.
    pub subject: String,
    /// The role.
    pub role: &'static str,
    /// The project; everywhere without.
    pub project: Option<ProjectId>,
    /// The pattern of repositories; all without.
    pub repositories: Option<String>,
    /// By whom.
    pub created_by: String,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select membership.id, subject_kind, membership.subject, account.name as account_name,
                    role, project.name as project, repositories, membership.created_at,
                    membership.created_by
             from membership
             left join project on project.id = membership.project_id
             left join account on account.id = membership.subject
                  and subject_kind in ('user', 'robot') ",
            $rest
        )
    };
}

/// Gives a role; the key of the membership, which may have been there before.
pub async fn insert(tx: &mut Tx, new: &NewMembership, now: Timestamp) -> Result<String, Error> {
    const FIND: &str = "
        select id from membership
        where subject_kind = $1 and subject = $2 and role = $3
          and coalesce(project_id, 0) = coalesce($4, 0)
          and coalesce(repositories, '') = coalesce($5, '')";
    const INSERT: &str = "
        insert into membership (
            id, subject_kind, subject, role, project_id, repositories, created_at, created_by
        ) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let found: Option<String> = tx
        .query_scalar(FIND)
        .bind(new.subject_kind)
        .bind(&new.subject)
        .bind(new.role)
        .bind(new.project)
        .bind(&new.repositories)
        .fetch_optional()
        .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    let id = uuid::Uuid::now_v7().to_string();
    tx.query(INSERT)
        .bind(&id)
        .bind(new.subject_kind)
        .bind(&new.subject)
        .bind(new.role)
        .bind(new.project)
        .bind(&new.repositories)
        .bind(now)
        .bind(&new.created_by)
        .execute()
        .await?;
    Ok(id)
}

/// The membership of that key.
pub async fn find(connection: &mut Connection, id: &str) -> Result<Option<Membership>, Error> {
    const SQL: &str = columns!("where membership.id = $1");
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// The roles in a project, or those everywhere.
pub async fn list(
    connection: &mut Connection,
    project: Option<ProjectId>,
) -> Result<Vec<Membership>, Error> {
    const SQL: &str = columns!(
        "where coalesce(membership.project_id, 0) = coalesce($1, 0) order by membership.id"
    );
    connection.query_as(SQL).bind(project).fetch_all().await
}

/// The roles of one subject.
pub async fn of_subject(
    connection: &mut Connection,
    kind: &str,
    subject: &str,
) -> Result<Vec<Membership>, Error> {
    const SQL: &str =
        columns!("where subject_kind = $1 and membership.subject = $2 order by membership.id");
    connection.query_as(SQL).bind(kind).bind(subject).fetch_all().await
}

/// All roles that subjects of a kind have; for kinds whose subjects are patterns.
pub async fn of_kind(connection: &mut Connection, kind: &str) -> Result<Vec<Membership>, Error> {
    const SQL: &str = columns!("where subject_kind = $1 order by membership.id");
    connection.query_as(SQL).bind(kind).fetch_all().await
}

/// Takes a role away; whether there was one.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from membership where id = $1";
    Ok(tx.query(SQL).bind(id).execute().await? > 0)
}

/// Takes away all roles of a subject.
pub async fn delete_subject(tx: &mut Tx, kind: &str, subject: &str) -> Result<(), Error> {
    const SQL: &str = "delete from membership where subject_kind = $1 and subject = $2";
    tx.query(SQL).bind(kind).bind(subject).execute().await?;
    Ok(())
}

/// Takes away all roles in a project.
pub async fn delete_project(tx: &mut Tx, project: ProjectId) -> Result<(), Error> {
    const SQL: &str = "delete from membership where project_id = $1";
    tx.query(SQL).bind(project).execute().await?;
    Ok(())
}
