-- What several processes on one database agree on.

create table lease (
    name text collate "C" not null primary key,
    holder text collate "C" not null,
    until bigint not null
);

create table signing_key (
    kid text collate "C" not null primary key,
    public_key text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null
);

create index signing_key_expiry on signing_key (expires_at);
