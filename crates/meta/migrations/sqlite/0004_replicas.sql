-- What several processes on one database agree on. With this engine there is one process; the tables
-- are here so that an installation can be moved as it is.

-- Who does what only one may do at a time, and until when unless it says so again.
create table lease (
    name text not null primary key,
    holder text not null,
    until bigint not null
) without rowid;

-- What the processes sign tokens with: the public half only, so that each can verify the tokens of all.
create table signing_key (
    kid text not null primary key,
    public_key text not null,
    created_at bigint not null,
    expires_at bigint not null
) without rowid;

create index signing_key_expiry on signing_key (expires_at);
