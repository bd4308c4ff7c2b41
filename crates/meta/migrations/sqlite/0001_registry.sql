-- Instants are milliseconds since 1970 (UTC), given by the application.
-- Digests are text, `algorithm:hex`; the default collation of SQLite compares bytes, as all lists do.

create table repository (
    id integer primary key,
    name text not null unique,
    created_at bigint not null
);

-- Content that the blob store holds, once per digest, whatever the number of repositories.
create table blob (
    id integer primary key,
    digest text not null unique,
    size bigint not null,
    storage_key text not null unique,
    created_at bigint not null
);

-- Which repository a blob can be read through. A digest known is not a digest readable.
create table blob_link (
    repository_id bigint not null references repository (id),
    blob_id bigint not null references blob (id),
    linked_at bigint not null,
    primary key (repository_id, blob_id)
) without rowid;

create index blob_link_blob on blob_link (blob_id);

-- The bytes come last: what lists and joins read stands before them.
create table manifest (
    id integer primary key,
    repository_id bigint not null references repository (id),
    digest text not null,
    media_type text not null,
    artifact_type text,
    subject text,
    annotations text not null,
    size bigint not null,
    pushed_at bigint not null,
    bytes blob not null,
    unique (repository_id, digest)
);

create index manifest_subject on manifest (repository_id, subject, digest)
    where subject is not null;

-- What a manifest keeps: configuration, layers, children. The repository is repeated here so that
-- "does anything in this repository still need this digest" is one look into one index.
create table manifest_reference (
    manifest_id bigint not null references manifest (id),
    digest text not null,
    repository_id bigint not null references repository (id),
    primary key (manifest_id, digest)
) without rowid;

create index manifest_reference_digest on manifest_reference (repository_id, digest);

create table tag (
    repository_id bigint not null references repository (id),
    name text not null,
    digest text not null,
    moved_at bigint not null,
    primary key (repository_id, name)
) without rowid;

create index tag_digest on tag (repository_id, digest);

-- Upload sessions: how far they are, and the hash over exactly that much.
create table upload (
    id text not null primary key,
    repository text not null,
    byte_offset bigint not null,
    hash_state blob not null,
    started_at bigint not null,
    touched_at bigint not null
) without rowid;

create index upload_touched on upload (touched_at);

-- What the collector looks at again, and when: everything that may just have become garbage.
-- `repository_id` is 0 where the subject is not in a repository (kind `blob`).
create table review (
    kind text not null,
    repository_id bigint not null,
    digest text not null,
    due_at bigint not null,
    primary key (kind, repository_id, digest)
) without rowid;

create index review_due on review (due_at, kind, repository_id, digest);

-- Bytes that no blob row points at any more and that are still to be deleted.
create table removal (
    storage_key text not null primary key,
    digest text not null,
    size bigint not null,
    queued_at bigint not null
) without rowid;

-- Sums kept up with every change, so that no figure needs a scan.
create table total (
    name text not null primary key,
    value bigint not null
) without rowid;

insert into total (name, value) values
    ('blobs', 0), ('blob_bytes', 0), ('collected_blobs', 0), ('collected_bytes', 0);
