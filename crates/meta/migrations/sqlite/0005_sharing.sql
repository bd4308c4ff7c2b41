-- Whether clients that pull from the project are sent to the object store; null: as the settings say.
alter table project add column redirect bigint null;

-- Failed logins as all processes on one database count them; with this engine there is one process.
create table failed_login (
    key text not null primary key,
    failures bigint not null,
    locked_until bigint not null,
    ends_at bigint not null
) without rowid;

create index failed_login_end on failed_login (ends_at);
