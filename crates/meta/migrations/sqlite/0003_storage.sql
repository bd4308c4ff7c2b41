-- What growth needs: uploads that any replica goes on with, and trees of other registries.

-- What a bucket needs to go on with an upload; when a session ended whose bytes are still to be cleaned;
-- which request works on it, and until when.
alter table upload add column parts text;
alter table upload add column ended_at bigint;
alter table upload add column claim text;
alter table upload add column claimed_until bigint;

-- Trees that another registry wrote, whose bytes are served from where they are.
create table adopted_root (
    id integer primary key,
    location text not null unique,
    state text not null,
    added_at bigint not null
);
