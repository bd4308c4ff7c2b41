-- What an object store needs so that any process can go on with an upload: multipart upload, parts,
-- what is kept of the rest (JSON). On a directory it stays empty.
alter table upload add column parts text null;

-- A session that ended, whose bytes are still to be removed from the object store.
alter table upload add column ended_at bigint null;

-- The request that writes to the session, where several processes share the database.
alter table upload add column claim text null;
alter table upload add column claimed_until bigint null;

-- Trees of other registries whose bytes stay where they are; keys below one begin with `~<id>/`.
create table adopted_root (
    id integer primary key,
    location text not null unique,
    state text not null,
    added_at bigint not null
);
