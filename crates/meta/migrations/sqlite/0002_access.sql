-- Who may do what, what is used, and what was done. Booleans are 0 and 1.

-- A project owns the repositories whose first path segment is its name. What is used is kept up with
-- every change, so that a quota is checked without a scan.
create table project (
    id integer primary key,
    name text not null unique,
    is_public bigint not null default 0,
    quota_bytes bigint,
    quota_tags bigint,
    used_bytes bigint not null default 0,
    used_tags bigint not null default 0,
    created_at bigint not null
);

insert into project (name, created_at)
select substr(name, 1, instr(name || '/', '/') - 1), min(created_at) from repository group by 1;

alter table repository add column project_id bigint not null default 0;

update repository set project_id = (
    select project.id from project
    where project.name = substr(repository.name, 1, instr(repository.name || '/', '/') - 1)
);

create index repository_project on repository (project_id);

-- How many repositories of a project link a blob: its bytes count once.
create table project_blob (
    project_id bigint not null references project (id),
    blob_id bigint not null references blob (id),
    links bigint not null,
    primary key (project_id, blob_id)
) without rowid;

create index project_blob_blob on project_blob (blob_id);

insert into project_blob (project_id, blob_id, links)
select repository.project_id, blob_link.blob_id, count(*)
from blob_link join repository on repository.id = blob_link.repository_id
group by 1, 2;

update project set
    used_bytes = (
        select coalesce(sum(blob.size), 0)
        from project_blob join blob on blob.id = project_blob.blob_id
        where project_blob.project_id = project.id
    ),
    used_tags = (
        select count(*) from tag join repository on repository.id = tag.repository_id
        where repository.project_id = project.id
    );

-- Whose session an upload is; nobody else can go on with it.
alter table upload add column owner text not null default '';

-- Users and robots. The id is never used again: a later account of the same name inherits nothing.
create table account (
    id text not null primary key,
    kind text not null,
    name text not null unique,
    display_name text not null,
    email text,
    password_hash text,
    administrator bigint not null,
    disabled bigint not null,
    project_id bigint references project (id),
    issuer text,
    subject text,
    groups text not null,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    unique (issuer, subject)
) without rowid;

create index account_project on account (project_id) where project_id is not null;

-- What stands for an account: API tokens, robots' secrets, refresh tokens, sessions. Only hashes.
create table credential (
    id text not null primary key,
    account_id text not null references account (id),
    kind text not null,
    name text not null,
    hash text not null unique,
    scopes text,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint
) without rowid;

create index credential_account on credential (account_id, kind, id);
create index credential_expiry on credential (expires_at) where expires_at is not null;

-- A role that somebody has; `subject` is an account's id, or what the kind says. Everywhere, where
-- there is no project.
create table membership (
    id text not null primary key,
    subject_kind text not null,
    subject text not null,
    role text not null,
    project_id bigint references project (id),
    repositories text,
    created_at bigint not null,
    created_by text not null
) without rowid;

create index membership_subject on membership (subject_kind, subject);
create index membership_project on membership (project_id, id);

-- Issuers of tokens that CI jobs and clusters bring, and what must hold of those.
create table trust (
    name text not null primary key,
    document text not null,
    created_at bigint not null
) without rowid;

-- Tokens that were exchanged and may not be again.
create table used_nonce (
    issuer text not null,
    nonce text not null,
    expires_at bigint not null,
    primary key (issuer, nonce)
) without rowid;

create index used_nonce_expiry on used_nonce (expires_at);

-- What was done and what was refused. Rows are only ever added.
create table audit (
    id integer primary key autoincrement,
    at bigint not null,
    request_id text not null,
    actor_kind text not null,
    actor text not null,
    method text not null,
    address text not null,
    action text not null,
    target text not null,
    project text not null,
    outcome text not null,
    rule text not null,
    detail text not null
);

create index audit_actor on audit (actor, id);
create index audit_target on audit (target, id);
create index audit_project on audit (project, id);

create trigger audit_is_not_changed before update on audit
begin
    select raise(abort, 'the audit is append-only');
end;

create trigger audit_is_not_deleted before delete on audit
begin
    select raise(abort, 'the audit is append-only');
end;

-- `insert or replace` deletes without asking the trigger that refuses deleting.
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where id = new.id)
begin
    select raise(abort, 'the audit is append-only');
end;
