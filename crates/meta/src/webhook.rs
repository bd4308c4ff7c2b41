//! Where events are sent.

use crate::{Connection, Error, ProjectId, Timestamp, Tx};

/// A webhook to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook<'a> {
    /// The project whose events it gets; without, those of everything.
    pub project: Option<ProjectId>,
    /// What it is called, there.
    pub name: &'a str,
    /// Where events are sent, or the name of the secret that says it.
    pub address: &'a str,
    /// How events are written.
    pub form: &'a str,
    /// Which events, as a JSON list of patterns.
    pub events: &'a str,
    /// The name of the secret that signs.
    pub signing_secret: Option<&'a str>,
    /// The name of the secret that is sent as `Authorization`.
    pub authorization_secret: Option<&'a str>,
    /// On whose behalf it was made.
    pub created_by: &'a str,
}

/// A webhook as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredWebhook {
    /// Its key.
    pub id: i64,
    /// The name of its project, if it has one.
    pub project: Option<String>,
    /// What it is called, there.
    pub name: String,
    /// Where events are sent, or the name of the secret that says it.
    pub address: String,
    /// How events are written.
    pub form: String,
    /// Which events, as a JSON list of patterns.
    pub events: String,
    /// The name of the secret that signs.
    pub signing_secret: Option<String>,
    /// The name of the secret that is sent as `Authorization`.
    pub authorization_secret: Option<String>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// The entry of the audit behind which its events begin.
    pub starts_after: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// On whose behalf.
    pub created_by: String,
}

/// All webhooks, in the order in which they were made.
pub async fn all(connection: &mut Connection) -> Result<Vec<StoredWebhook>, Error> {
    const SQL: &str = "
        select webhook.id, project.name as project, webhook.name, address, form, events,
            signing_secret, authorization_secret, enabled, starts_after, webhook.created_at, created_by
        from webhook left join project on project.id = webhook.project_id
        order by webhook.id";
    connection.query_as(SQL).fetch_all().await
}

/// The webhooks of a project, or of the whole installation, by name.
pub async fn of_project(
    connection: &mut Connection,
    project: Option<ProjectId>,
) -> Result<Vec<StoredWebhook>, Error> {
    const OF_PROJECT: &str = "
        select webhook.id, project.name as project, webhook.name, address, form, events,
            signing_secret, authorization_secret, enabled, starts_after, webhook.created_at, created_by
        from webhook join project on project.id = webhook.project_id
        where webhook.project_id = $1
        order by webhook.name";
    const OF_ALL: &str = "
        select id, cast(null as text) as project, name, address, form, events,
            signing_secret, authorization_secret, enabled, starts_after, created_at, created_by
        from webhook
        where project_id is null
        order by name";
    match project {
        Some(project) => connection.query_as(OF_PROJECT).bind(project).fetch_all().await,
        None => connection.query_as(OF_ALL).fetch_all().await,
    }
}

/// Keeps a webhook, whose events begin behind the newest entry of the audit; its key.
pub async fn add(tx: &mut Tx, new: &NewWebhook<'_>, now: Timestamp) -> Result<i64, Error> {
    const SQL: &str = "
        insert into webhook (
            project_id, name, address, form, events, signing_secret, authorization_secret,
            enabled, starts_after, created_at, created_by
        )
        select $1, $2, $3, $4, $5, $6, $7, true, coalesce(max(audit.id), 0), $8, $9
        from audit
        returning id";
    let insert = tx.query_scalar(SQL).bind(new.project).bind(new.name).bind(new.address);
    let insert = insert.bind(new.form).bind(new.events).bind(new.signing_secret);
    let insert = insert.bind(new.authorization_secret).bind(now).bind(new.created_by);
    insert.fetch_one().await
}

/// Sends to it from now on, or nothing more. What happened while nothing was sent is not sent later.
pub async fn set_enabled(tx: &mut Tx, id: i64, enabled: bool) -> Result<(), Error> {
    const SQL: &str = "
        update webhook
        set starts_after = case when enabled then starts_after
                else (select coalesce(max(audit.id), 0) from audit) end,
            enabled = $2
        where id = $1";
    tx.query(SQL).bind(id).bind(enabled).execute().await?;
    Ok(())
}

/// Forgets a webhook, and what was sent to it.
pub async fn remove(tx: &mut Tx, id: i64) -> Result<(), Error> {
    const SQL: &str = "delete from webhook where id = $1";
    tx.query(SQL).bind(id).execute().await?;
    Ok(())
}
