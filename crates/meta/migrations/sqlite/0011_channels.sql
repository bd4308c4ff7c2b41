-- Channels: of each service, what is where. A row comes with the first move and stays. `moves` is the number
-- of the last move, which the next one must name: so no two moves can be made from the same state.
-- `repository` is where its images come from, `place` where they can be pulled from. `held` is why nothing
-- is promoted into it, as JSON. `basis` is what the standing decision was made from.
create table channel (
    id integer primary key,
    environment text not null,
    tag text not null,
    service text not null,
    repository text not null,
    place text not null,
    digest text not null,
    since bigint not null,
    moves bigint not null,
    held text,
    basis text,
    effect text,
    until bigint,
    decided_at bigint,
    decision text,
    unique (service, environment, tag)
);

create index channel_digest on channel (digest);

create index channel_environment on channel (environment, tag, service);

create index channel_decided on channel (decided_at);

-- Every move that a channel ever made, counted from one without a gap.
create table channel_move (
    channel_id bigint not null references channel (id),
    number bigint not null,
    at bigint not null,
    kind text not null,
    digest text not null,
    previous text,
    repository text not null,
    place text not null,
    promotion text,
    actor text not null,
    reason text not null,
    decision text,
    position bigint not null,
    took bigint not null,
    primary key (channel_id, number)
) without rowid;

-- Which digests of a repository history needs.
create index channel_move_place on channel_move (place, digest);

-- Promotions, as far as they are. One that has not ended has a time at which somebody looks at it again, and
-- whoever does claims it until then. `progress` is how far its canary is, as JSON.
create table promotion (
    id text not null primary key,
    environment text not null,
    tag text not null,
    service text not null,
    repository text not null,
    digest text not null,
    place text not null,
    origin text,
    chain text not null,
    requested_at bigint not null,
    requested_by text not null,
    reason text not null,
    state text not null,
    problem text,
    step bigint not null,
    weight bigint not null,
    move bigint,
    expires_at bigint not null,
    due_at bigint,
    claimed_until bigint not null,
    changed_at bigint not null,
    version bigint not null,
    decision text,
    progress text
) without rowid;

create index promotion_due on promotion (due_at) where due_at is not null;

create index promotion_channel on promotion (service, environment, tag, id);

create index promotion_repository on promotion (repository, id);

create index promotion_digest on promotion (digest) where due_at is not null;

-- What gives the right to undo one move, once: only hashes. `move` and `expires_at` come with the move.
create table rollback_key (
    hash text not null primary key,
    promotion text not null,
    created_at bigint not null,
    channel_id bigint,
    move bigint,
    expires_at bigint,
    used_at bigint
) without rowid;

create index rollback_key_promotion on rollback_key (promotion);

create index rollback_key_expiry on rollback_key (expires_at) where expires_at is not null;

-- Requests that say who they are, so that one which is sent twice is carried out once.
create table idempotency_key (
    actor text not null,
    name text not null,
    request text not null,
    answer text not null,
    created_at bigint not null,
    primary key (actor, name)
) without rowid;

create index idempotency_key_created on idempotency_key (created_at);
