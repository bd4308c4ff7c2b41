create table log_entry (
    position bigint not null primary key,
    at bigint not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    document bytea not null
);

create index log_entry_subject on log_entry (subject, position);

create function refuse_to_change_the_log() returns trigger
language plpgsql
as $$
begin
    raise exception 'the log is append-only';
end
$$;

create trigger log_entry_is_not_changed before update or delete or truncate on log_entry
for each statement execute function refuse_to_change_the_log();

create table log_head (
    id bigint not null primary key,
    size bigint not null,
    root text collate "C" not null,
    checkpoint text collate "C" not null,
    origin text collate "C" not null,
    signed_at bigint not null
);

create table log_key (
    verifier text collate "C" not null primary key,
    created_at bigint not null
);
