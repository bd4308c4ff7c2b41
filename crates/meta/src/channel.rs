//! Channels: of each service, what is where, and every move that led there.
//!
//! A channel is moved by naming the number of its last move; of two that name the same one only the first
//! is made. So each move is from what whoever made it saw.

use plura_oci::{Digest, RepositoryName};
use serde::Serialize;

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse};

/// The key of a channel's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct ChannelId(pub(crate) i64);

/// Which channel of which service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Name {
    /// The environment: `prod`.
    pub environment: String,
    /// What stands there: `stable`.
    pub tag: String,
    /// The service.
    pub service: String,
}

/// What a channel points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The key of its row.
    pub id: ChannelId,
    /// Which channel.
    pub name: Name,
    /// The repository that its images come from.
    pub repository: RepositoryName,
    /// The repository in which it can be pulled.
    pub place: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// Since when, without interruption.
    pub since: Timestamp,
    /// The number of the last move.
    pub moves: i64,
    /// Why nothing is promoted into it, as JSON.
    pub held: Option<String>,
    /// What was last decided about what it points at.
    pub standing: Option<Standing>,
}

/// What was decided about what a channel points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it was decided from.
    pub basis: String,
    /// What was decided: `allow`, `wait`, `deny`.
    pub effect: String,
    /// When time alone may change it.
    pub until: Option<Timestamp>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The decision, as JSON.
    pub decision: String,
}

/// How a channel came to point at something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveKind {
    /// By a promotion.
    Promotion,
    /// By going back.
    Rollback,
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The channel.
    pub channel: ChannelId,
    /// Which one, counted from one.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// How.
    pub kind: MoveKind,
    /// What the channel points at since then.
    pub digest: Digest,
    /// What it pointed at before.
    pub previous: Option<Digest>,
    /// The repository that the image came from.
    pub repository: RepositoryName,
    /// The repository in which it can be pulled.
    pub place: RepositoryName,
    /// The promotion.
    pub promotion: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// Why, as they said.
    pub reason: String,
    /// What was decided about it, as JSON.
    pub decision: Option<String>,
    /// Its position in the log.
    pub position: i64,
    /// How long it took from being asked for, in milliseconds.
    pub took: i64,
}

/// A move to be made.
#[derive(Clone, Debug)]
pub struct NewMove<'a> {
    /// The channel.
    pub name: &'a Name,
    /// The number of its last move, as whoever decided saw it; zero where there was none.
    pub expected: i64,
    /// How.
    pub kind: MoveKind,
    /// What it is to point at.
    pub digest: &'a Digest,
    /// The repository that the image comes from.
    pub repository: &'a RepositoryName,
    /// The repository in which it can be pulled.
    pub place: &'a RepositoryName,
    /// The promotion.
    pub promotion: Option<&'a str>,
    /// Who asked for it.
    pub actor: &'a str,
    /// Why, as they said.
    pub reason: &'a str,
    /// What was decided about it, as JSON.
    pub decision: Option<&'a str>,
    /// Its position in the log.
    pub position: i64,
    /// How long it took from being asked for, in milliseconds.
    pub took: i64,
}

/// That a digest is in a channel.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Stay {
    /// The environment.
    pub environment: String,
    /// What stands there.
    pub tag: String,
    /// Since when, without interruption.
    pub since: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ChannelId,
    environment: String,
    tag: String,
    service: String,
    repository: String,
    place: String,
    digest: String,
    since: Timestamp,
    moves: i64,
    held: Option<String>,
    basis: Option<String>,
    effect: Option<String>,
    until: Option<Timestamp>,
    decided_at: Option<Timestamp>,
    decision: Option<String>,
}

#[derive(sqlx::FromRow)]
struct MoveRow {
    channel_id: ChannelId,
    number: i64,
    at: Timestamp,
    kind: String,
    digest: String,
    previous: Option<String>,
    repository: String,
    place: String,
    promotion: Option<String>,
    actor: String,
    reason: String,
    decision: Option<String>,
    position: i64,
    took: i64,
}

/// The channel, if it was ever moved.
pub async fn find(connection: &mut Connection, name: &Name) -> Result<Option<Pointer>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, place, digest, since, moves, held, basis,
            effect, until, decided_at, decision
        from channel where service = $1 and environment = $2 and tag = $3";
    let query = connection.query_as::<Row>(SQL).bind(&name.service).bind(&name.environment);
    query.bind(&name.tag).fetch_optional().await?.map(TryInto::try_into).transpose()
}

/// The channel of that row.
pub async fn of(connection: &mut Connection, id: ChannelId) -> Result<Option<Pointer>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, place, digest, since, moves, held, basis,
            effect, until, decided_at, decision
        from channel where id = $1";
    let row: Option<Row> = connection.query_as(SQL).bind(id).fetch_optional().await?;
    row.map(TryInto::try_into).transpose()
}

/// The channels behind `after`, in the order in which they were moved first; at most `limit`. Those of one
/// environment, tag or service, where that is given.
pub async fn list(
    connection: &mut Connection,
    (environment, tag, service): (Option<&str>, Option<&str>, Option<&str>),
    after: Option<ChannelId>,
    limit: u32,
) -> Result<Vec<Pointer>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, place, digest, since, moves, held, basis,
            effect, until, decided_at, decision
        from channel
        where id > $1
          and (cast($2 as text) is null or environment = $2)
          and (cast($3 as text) is null or tag = $3)
          and (cast($4 as text) is null or service = $4)
        order by id
        limit $5";
    let rows: Vec<Row> = connection
        .query_as(SQL)
        .bind(after.map_or(0, |id| id.0))
        .bind(environment)
        .bind(tag)
        .bind(service)
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Moves a channel; the number of the move, or nothing if it was moved since whoever decided looked.
pub async fn make_move(
    tx: &mut Tx,
    new: &NewMove<'_>,
    now: Timestamp,
) -> Result<Option<(ChannelId, i64)>, Error> {
    const MOVE: &str = "
        insert into channel_move (channel_id, number, at, kind, digest, previous, repository, place,
            promotion, actor, reason, decision, position, took)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let before = find(tx, new.name).await?;
    if before.as_ref().map_or(0, |before| before.moves) != new.expected {
        return Ok(None);
    }
    let number = new.expected + 1;
    let id = point(tx, new, before.as_ref(), now).await?;
    tx.query(MOVE)
        .bind(id)
        .bind(number)
        .bind(now)
        .bind(new.kind.as_str())
        .bind(new.digest.to_string())
        .bind(before.map(|before| before.digest.to_string()))
        .bind(new.repository.as_str())
        .bind(new.place.as_str())
        .bind(new.promotion)
        .bind(new.actor)
        .bind(new.reason)
        .bind(new.decision)
        .bind(new.position)
        .bind(new.took)
        .execute()
        .await?;
    Ok(Some((id, number)))
}

/// Writes what a channel points at; what was decided about what it pointed at before is forgotten.
async fn point(
    tx: &mut Tx,
    new: &NewMove<'_>,
    before: Option<&Pointer>,
    now: Timestamp,
) -> Result<ChannelId, Error> {
    const INSERT: &str = "
        insert into channel (service, environment, tag, repository, place, digest, since, moves)
        values ($1, $2, $3, $4, $5, $6, $7, 1)
        returning id";
    const UPDATE: &str = "
        update channel
        set repository = $4, place = $5, digest = $6, since = $7, moves = moves + 1,
            basis = null, effect = null, until = null, decided_at = null, decision = null
        where service = $1 and environment = $2 and tag = $3
        returning id";
    let stays = before.filter(|before| before.digest == *new.digest);
    let query = tx.query_scalar(if before.is_some() { UPDATE } else { INSERT });
    query
        .bind(&new.name.service)
        .bind(&new.name.environment)
        .bind(&new.name.tag)
        .bind(new.repository.as_str())
        .bind(new.place.as_str())
        .bind(new.digest.to_string())
        .bind(stays.map_or(now, |before| before.since))
        .fetch_one()
        .await
}

/// The moves of a channel before the one of that number, the last first; at most `limit`.
pub async fn moves(
    connection: &mut Connection,
    id: ChannelId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Move>, Error> {
    const SQL: &str = "
        select channel_id, number, at, kind, digest, previous, repository, place, promotion, actor,
            reason, decision, position, took
        from channel_move where channel_id = $1 and number < $2
        order by number desc limit $3";
    let query = connection.query_as::<MoveRow>(SQL).bind(id).bind(before.unwrap_or(i64::MAX));
    let rows = query.bind(i64::from(limit)).fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The last move of a channel up to that time.
pub async fn move_at(
    connection: &mut Connection,
    id: ChannelId,
    at: Timestamp,
) -> Result<Option<Move>, Error> {
    const SQL: &str = "
        select channel_id, number, at, kind, digest, previous, repository, place, promotion, actor,
            reason, decision, position, took
        from channel_move where channel_id = $1 and at <= $2
        order by number desc limit 1";
    let row: Option<MoveRow> = connection.query_as(SQL).bind(id).bind(at).fetch_optional().await?;
    row.map(TryInto::try_into).transpose()
}

/// The channels that a digest of a repository is in.
pub async fn stays(
    connection: &mut Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Vec<Stay>, Error> {
    const SQL: &str = "
        select environment, tag, since from channel
        where digest = $1 and repository = $2
        order by environment, tag";
    let query = connection.query_as(SQL).bind(digest.to_string()).bind(repository.as_str());
    query.fetch_all().await
}

/// Whether a manifest of a repository is needed by the history of a channel or by a promotion that has not
/// ended.
pub async fn keeps(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (
            select 1 from repository
            join channel_move on channel_move.place = repository.name and channel_move.digest = $2
            where repository.id = $1
        ) or exists (
            select 1 from repository
            join promotion on promotion.digest = $2 and promotion.due_at is not null
                and (promotion.repository = repository.name or promotion.place = repository.name)
            where repository.id = $1
        )";
    connection.query_scalar(SQL).bind(repository).bind(digest.to_string()).fetch_one().await
}

/// Notes why nothing is promoted into a channel, or that something may be again; whether that is new.
pub async fn hold(tx: &mut Tx, id: ChannelId, why: Option<&str>) -> Result<bool, Error> {
    const SQL: &str = "
        update channel set held = $2
        where id = $1 and (held is null) <> (cast($2 as text) is null)";
    Ok(tx.query(SQL).bind(id).bind(why).execute().await? > 0)
}

/// Keeps what was decided about what a channel points at, if it still points there; whether it does.
pub async fn decided(tx: &mut Tx, pointer: &Pointer, standing: &Standing) -> Result<bool, Error> {
    const SQL: &str = "
        update channel set basis = $3, effect = $4, until = $5, decided_at = $6, decision = $7
        where id = $1 and moves = $2";
    let query = tx.query(SQL).bind(pointer.id).bind(pointer.moves).bind(&standing.basis);
    let query = query.bind(&standing.effect).bind(standing.until).bind(standing.decided_at);
    Ok(query.bind(&standing.decision).execute().await? > 0)
}

/// A channel as those see it who decide again.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Watched {
    /// The key of its row.
    pub id: ChannelId,
    /// What was decided last.
    pub effect: Option<String>,
    /// What it was decided from.
    pub basis: Option<String>,
    /// When time alone may change it.
    pub until: Option<Timestamp>,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// When the evidence about what it points at was gathered.
    pub gathered_at: Option<Timestamp>,
}

/// The channels behind `after`, with what was decided last; at most `limit`.
pub async fn watched(
    connection: &mut Connection,
    after: Option<ChannelId>,
    limit: u32,
) -> Result<Vec<Watched>, Error> {
    const SQL: &str = "
        select channel.id, channel.effect, channel.basis, channel.until, channel.decided_at,
            evidence.gathered_at
        from channel
        left join repository on repository.name = channel.repository
        left join evidence on evidence.repository_id = repository.id
            and evidence.digest = channel.digest
        where channel.id > $1
        order by channel.id
        limit $2";
    let query = connection.query_as(SQL).bind(after.map_or(0, |id| id.0));
    query.bind(i64::from(limit)).fetch_all().await
}

/// What is in force for all images, beside the document: advisories, exceptions, statements, and whom to
/// trust. It is another text whenever something of it changed.
pub async fn known_to_all(connection: &mut Connection) -> Result<String, Error> {
    const ALL: [&str; 5] = [
        "select coalesce(max(import_id), 0), count(*) from advisory_source",
        "select coalesce(max(created_at), 0), count(*) from vulnerability_exception",
        "select coalesce(max(received_at), 0), count(*) from vex_document",
        "select coalesce(max(changed_at), 0), count(*) from trust_policy",
        "select coalesce(max(changed_at), 0), count(*) from trust_root",
    ];
    let mut numbers = Vec::new();
    for sql in ALL {
        let (newest, count): (i64, i64) = connection.query_as(sql).fetch_one().await?;
        numbers.push(format!("{newest}/{count}"));
    }
    Ok(numbers.join(" "))
}

impl MoveKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Rollback => "rollback",
        }
    }
}

impl std::str::FromStr for MoveKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "promotion" => Ok(Self::Promotion),
            "rollback" => Ok(Self::Rollback),
            _ => Err("no such kind of move"),
        }
    }
}

impl TryFrom<Row> for Pointer {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let standing = |row: &Row| {
            Some(Standing {
                basis: row.basis.clone()?,
                effect: row.effect.clone()?,
                until: row.until,
                decided_at: row.decided_at?,
                decision: row.decision.clone()?,
            })
        };
        Ok(Self {
            id: row.id,
            standing: standing(&row),
            name: Name { environment: row.environment, tag: row.tag, service: row.service },
            repository: parse("channel.repository", &row.repository)?,
            place: parse("channel.place", &row.place)?,
            digest: parse("channel.digest", &row.digest)?,
            since: row.since,
            moves: row.moves,
            held: row.held,
        })
    }
}

impl TryFrom<MoveRow> for Move {
    type Error = Error;

    fn try_from(row: MoveRow) -> Result<Self, Error> {
        let previous = row.previous.as_deref().map(|text| parse("channel_move.previous", text));
        Ok(Self {
            channel: row.channel_id,
            number: row.number,
            at: row.at,
            kind: parse("channel_move.kind", &row.kind)?,
            digest: parse("channel_move.digest", &row.digest)?,
            previous: previous.transpose()?,
            repository: parse("channel_move.repository", &row.repository)?,
            place: parse("channel_move.place", &row.place)?,
            promotion: row.promotion,
            actor: row.actor,
            reason: row.reason,
            decision: row.decision,
            position: row.position,
            took: row.took,
        })
    }
}
