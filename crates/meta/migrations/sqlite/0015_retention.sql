-- When a manifest was last used, where that is later than its first push: pushed again, pulled (to the
-- hour), left by a tag. Rules about what was not used for some time ask it.
create table manifest_use (
    repository_id bigint not null references repository (id),
    digest text not null,
    pushed_at bigint,
    pulled_at bigint,
    untagged_at bigint,
    primary key (repository_id, digest)
) without rowid;

-- What must not be deleted, whatever rules say, for as long as it is held; with an empty repository, in
-- all of them.
create table hold (
    id text not null primary key,
    digest text not null,
    repository text not null,
    reason text not null,
    holder text not null,
    held_at bigint not null,
    until bigint,
    released_at bigint,
    released_by text,
    released_because text
) without rowid;

create index hold_digest on hold (digest) where released_at is null;

-- Plans of what rules let go, and how they were carried out. One that has no digest is still being made.
create table retention_plan (
    id integer primary key,
    digest text,
    repository text not null,
    rules text not null,
    state text not null,
    made_at bigint not null,
    made_by text not null,
    tags bigint not null,
    immutable_tags bigint not null,
    manifests bigint not null,
    bytes bigint not null,
    truncated boolean not null,
    run_by text,
    started_at bigint,
    ended_at bigint,
    deleted_tags bigint not null,
    deleted_manifests bigint not null,
    deleted_bytes bigint not null,
    refused bigint not null
);

create index retention_plan_digest on retention_plan (digest, id);

create index retention_plan_started on retention_plan (started_at, id);

-- What a plan deletes, in that order; `seen` is what it was last pushed or tagged at when it was planned.
create table retention_item (
    plan_id bigint not null references retention_plan (id),
    position bigint not null,
    repository text not null,
    tag text,
    digest text not null,
    owner text,
    rule text not null,
    reason text not null,
    bytes bigint not null,
    immutable boolean not null,
    seen bigint not null,
    state text not null,
    problem text,
    primary key (plan_id, position)
) without rowid;

create index retention_item_state on retention_item (plan_id, state, position);
