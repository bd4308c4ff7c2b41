alter table project add column redirect boolean null;

create table failed_login (
    key text collate "C" not null primary key,
    failures bigint not null,
    locked_until bigint not null,
    ends_at bigint not null
);

create index failed_login_end on failed_login (ends_at);
