create table scanner (
    name text collate "C" not null primary key,
    url text collate "C" not null,
    added_at bigint not null
);
