create table policy_version (
    id bigint not null primary key,
    digest text collate "C" not null,
    document text collate "C" not null,
    author text collate "C" not null,
    reason text collate "C" not null,
    applied_at bigint not null
);

create table governance_state (
    id bigint not null primary key,
    revision bigint not null
);

create table manifest_author (
    repository_id bigint not null,
    digest text collate "C" not null,
    author text collate "C" not null,
    primary key (repository_id, digest)
);

create table approval (
    id text collate "C" not null primary key,
    repository text collate "C" not null,
    digest text collate "C" not null,
    channel text collate "C" not null,
    approver text collate "C" not null,
    roles text collate "C" not null,
    reason text collate "C" not null,
    approved_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    revoked_by text collate "C"
);

create index approval_of on approval (repository, digest);

create table posted_check (
    repository text collate "C" not null,
    digest text collate "C" not null,
    name text collate "C" not null,
    poster text collate "C" not null,
    state text collate "C" not null,
    detail text collate "C" not null,
    posted_at bigint not null,
    primary key (repository, digest, name, poster)
);

create table digest_block (
    id text collate "C" not null primary key,
    digest text collate "C" not null,
    repository text collate "C" not null,
    kind text collate "C" not null,
    reason text collate "C" not null,
    blocker text collate "C" not null,
    blocked_at bigint not null,
    lifted_at bigint,
    lifted_by text collate "C",
    lifted_because text collate "C"
);

create index digest_block_of on digest_block (digest);

create index digest_block_lifted on digest_block (lifted_at);

create table channel_freeze (
    id text collate "C" not null primary key,
    channels text collate "C" not null,
    reason text collate "C" not null,
    author text collate "C" not null,
    begins_at bigint not null,
    ends_at bigint not null,
    ended_at bigint,
    ended_by text collate "C"
);

create index channel_freeze_ends on channel_freeze (ends_at);

create table decision_facts (
    digest text collate "C" not null primary key,
    document bytea not null
);

create table decision (
    id bigint not null primary key,
    repository text collate "C" not null,
    digest text collate "C" not null,
    channel text collate "C" not null,
    effect text collate "C" not null,
    cause text collate "C" not null,
    policy text collate "C" not null,
    facts text collate "C" not null references decision_facts (digest),
    decided_at bigint not null,
    document text collate "C" not null
);

create index decision_of on decision (repository, channel, id);

create index decision_at on decision (decided_at);

create index decision_from on decision (facts);
