create table log_digest (
    digest text collate "C" not null,
    position bigint not null,
    primary key (digest, position)
);

insert into log_digest (digest, position)
select distinct digest, position
from (
    select position, convert_from(document, 'UTF8')::json ->> 'digest' as digest from log_entry
    union all
    select position, convert_from(document, 'UTF8')::json ->> 'previous' from log_entry
) as named
where digest is not null;

create table summary_due (
    id text collate "C" not null primary key,
    decision text collate "C" not null,
    attempts bigint not null,
    due_at bigint not null
);

create index summary_due_at on summary_due (due_at, id);

create table tag_event (
    repository_id bigint not null,
    tag text collate "C" not null,
    at bigint not null,
    digest text collate "C" not null,
    media_type text collate "C" not null,
    size bigint not null,
    deleted boolean not null,
    primary key (repository_id, tag, at)
);

insert into tag_event (repository_id, tag, at, digest, media_type, size, deleted)
select tag.repository_id, tag.name, tag.moved_at, tag.digest, manifest.media_type, manifest.size, false
from tag
join manifest on manifest.repository_id = tag.repository_id and manifest.digest = tag.digest;
