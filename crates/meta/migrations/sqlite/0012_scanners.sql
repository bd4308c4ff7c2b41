-- Scanners that images may be shown to, by the open API of pluggable scanners. What one must be shown itself
-- is kept by who asks it, and not here.
create table scanner (
    name text not null primary key,
    url text not null,
    added_at bigint not null
) without rowid;
