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
