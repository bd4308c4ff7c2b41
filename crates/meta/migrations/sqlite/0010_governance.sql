-- Every version of the document that governs, as it was written. The highest is in force; rows are only
-- ever added.
create table policy_version (
    id bigint not null primary key,
    digest text not null,
    document text not null,
    author text not null,
    reason text not null,
    applied_at bigint not null
);

-- A number that becomes another whenever the document, a block or a freeze does: what is remembered of
-- them is right as long as it is the same. At most one row.
create table governance_state (
    id bigint not null primary key,
    revision bigint not null
);

-- Who pushed a manifest first: nobody approves what is their own.
create table manifest_author (
    repository_id bigint not null,
    digest text not null,
    author text not null,
    primary key (repository_id, digest)
) without rowid;

-- Approvals of a digest for a channel. They outlive the manifest: what was approved stays so.
create table approval (
    id text not null primary key,
    repository text not null,
    digest text not null,
    channel text not null,
    approver text not null,
    roles text not null,
    reason text not null,
    approved_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    revoked_by text
) without rowid;

create index approval_of on approval (repository, digest);

-- What was found out elsewhere about a digest: the last result of each check, by each who posts it.
create table posted_check (
    repository text not null,
    digest text not null,
    name text not null,
    poster text not null,
    state text not null,
    detail text not null,
    posted_at bigint not null,
    primary key (repository, digest, name, poster)
) without rowid;

-- Digests that must not be run: in one repository, or everywhere where that is empty.
create table digest_block (
    id text not null primary key,
    digest text not null,
    repository text not null,
    kind text not null,
    reason text not null,
    blocker text not null,
    blocked_at bigint not null,
    lifted_at bigint,
    lifted_by text,
    lifted_because text
) without rowid;

create index digest_block_of on digest_block (digest);

create index digest_block_lifted on digest_block (lifted_at);

-- Times in which nothing moves into channels, beside those of the document.
create table channel_freeze (
    id text not null primary key,
    channels text not null,
    reason text not null,
    author text not null,
    begins_at bigint not null,
    ends_at bigint not null,
    ended_at bigint,
    ended_by text
) without rowid;

create index channel_freeze_ends on channel_freeze (ends_at);

-- What was decided of promotions, with what it was decided from: as JSON compressed by zstd, once.
create table decision_facts (
    digest text not null primary key,
    document blob not null
) without rowid;

create table decision (
    id bigint not null primary key,
    repository text not null,
    digest text not null,
    channel text not null,
    effect text not null,
    cause text not null,
    policy text not null,
    facts text not null references decision_facts (digest),
    decided_at bigint not null,
    document text not null
);

create index decision_of on decision (repository, channel, id);

create index decision_at on decision (decided_at);

create index decision_from on decision (facts);
