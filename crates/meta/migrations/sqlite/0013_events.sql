-- Where events are sent. An event is a row of the audit, which is the outbox: it is written in the
-- transaction of what it is about. What is sent where, and what signs it, is named here; secrets are not.
create table webhook (
    id integer primary key,
    project_id bigint references project (id) on delete cascade,
    name text not null,
    address text not null,
    form text not null,
    events text not null,
    signing_secret text,
    authorization_secret text,
    enabled boolean not null,
    starts_after bigint not null,
    created_at bigint not null,
    created_by text not null
);

create index webhook_project on webhook (project_id, name);

-- What is sent, was sent, and was given up. The key is the order in which it is sent.
create table webhook_delivery (
    webhook_id bigint not null references webhook (id) on delete cascade,
    audit_id bigint not null,
    state text not null,
    attempts bigint not null,
    created_at bigint not null,
    next_at bigint not null,
    ended_at bigint,
    status bigint,
    error text,
    primary key (webhook_id, audit_id)
) without rowid;

create index webhook_delivery_state on webhook_delivery (state, webhook_id, audit_id);

-- How far the audit was looked at for deliveries: one row.
create table event_cursor (
    id bigint not null primary key,
    position bigint not null
);

-- What goes on in the background, for all processes: whether it may, and how it went.
create table job (
    name text not null primary key,
    paused boolean not null,
    changed_at bigint not null,
    changed_by text not null,
    woken bigint not null,
    failed_at bigint,
    error text
) without rowid;
