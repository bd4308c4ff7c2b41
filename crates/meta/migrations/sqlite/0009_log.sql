-- The transparency log: what governs is decided here, in the order in which it was. Rows are only ever
-- added, one after the other without a gap, in the transaction of what they are about. `subject` is what
-- is asked for: a digest, a channel of a service.
create table log_entry (
    position bigint not null primary key,
    at bigint not null,
    kind text not null,
    subject text not null,
    document blob not null
) without rowid;

create index log_entry_subject on log_entry (subject, position);

create trigger log_entry_is_not_changed before update on log_entry
begin
    select raise(abort, 'the log is append-only');
end;

create trigger log_entry_is_not_deleted before delete on log_entry
begin
    select raise(abort, 'the log is append-only');
end;

create trigger log_entry_is_not_replaced before insert on log_entry
when exists (select 1 from log_entry where position = new.position)
begin
    select raise(abort, 'the log is append-only');
end;

-- The head of the log that was signed last, at most one row: its tiles are written. `origin` is the name of
-- the log, which is kept once it was chosen.
create table log_head (
    id bigint not null primary key,
    size bigint not null,
    root text not null,
    checkpoint text not null,
    origin text not null,
    signed_at bigint not null
);

-- The public halves of the keys that heads were ever signed with, as lines that verifiers read.
create table log_key (
    verifier text not null primary key,
    created_at bigint not null
) without rowid;
