-- Which digests an entry of the log is about: what history and promotions say of one is found by it, and not
-- only by the channel. It follows from `log_entry`, and is no part of what is hashed.
create table log_digest (
    digest text not null,
    position bigint not null,
    primary key (digest, position)
) without rowid;

insert into log_digest (digest, position)
select distinct digest, position
from (
    select position, json_extract(cast(document as text), '$.digest') as digest from log_entry
    where json_valid(cast(document as text))
    union all
    select position, json_extract(cast(document as text), '$.previous') from log_entry
    where json_valid(cast(document as text))
) as named
where typeof(digest) = 'text';

-- Decisions that are to be attached to what they are about, as signed summaries. A row comes in the
-- transaction of the decision and goes when the summary is there; `due_at` is also until when somebody is at
-- it.
create table summary_due (
    id text not null primary key,
    decision text not null,
    attempts bigint not null,
    due_at bigint not null
) without rowid;

create index summary_due_at on summary_due (due_at, id);

-- What tags pointed at, and when they were deleted: an entry for each, in the transaction that moves the tag.
-- `at` is another one for each entry of a tag. An entry stays when the manifest goes, as long as there is the
-- repository.
create table tag_event (
    repository_id bigint not null,
    tag text not null,
    at bigint not null,
    digest text not null,
    media_type text not null,
    size bigint not null,
    deleted boolean not null,
    primary key (repository_id, tag, at)
) without rowid;

insert into tag_event (repository_id, tag, at, digest, media_type, size, deleted)
select tag.repository_id, tag.name, tag.moved_at, tag.digest, manifest.media_type, manifest.size, false
from tag
join manifest on manifest.repository_id = tag.repository_id and manifest.digest = tag.digest;
