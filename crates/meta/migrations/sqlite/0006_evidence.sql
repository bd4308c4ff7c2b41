-- Whose signatures count for which repositories.
create table trust_policy (
    name text not null primary key,
    document text not null,
    changed_at bigint not null
) without rowid;

-- Who is believed about identities, times and logs, if not whom plura brings along: at most one row.
create table trust_root (
    id bigint not null primary key check (id = 1),
    document text not null,
    changed_at bigint not null
) without rowid;

-- What is known of a manifest, and what it was decided from. It holds until another basis is in force,
-- until what the repository has about the manifest changes, or until `until`.
create table evidence (
    repository_id bigint not null references repository (id),
    digest text not null,
    basis text not null,
    verified bigint,
    document text not null,
    gathered_at bigint not null,
    until bigint,
    primary key (repository_id, digest)
) without rowid;

-- Manifests whose evidence is to be gathered again. `asked` counts the changes, so that one which comes
-- while it is gathered is not forgotten.
create table evidence_review (
    repository_id bigint not null,
    digest text not null,
    asked bigint not null,
    claimed_until bigint not null,
    primary key (repository_id, digest)
) without rowid;

create index evidence_review_claim on evidence_review (claimed_until);

-- How far the walk over all manifests is that follows a change of whom to trust: at most one row.
create table evidence_walk (
    id bigint not null primary key check (id = 1),
    manifest_id bigint not null
) without rowid;

-- When a signature under a tag came for the first time: the manifest that has it is another one each
-- time a signature is added.
create table signature_arrival (
    repository_id bigint not null,
    subject text not null,
    signature text not null,
    arrived_at bigint not null,
    primary key (repository_id, subject, signature)
) without rowid;

-- The builds that pushed a manifest, as their tokens named them.
create table manifest_build (
    repository_id bigint not null,
    digest text not null,
    source text not null,
    revision text not null,
    run text not null,
    pushed_at bigint not null,
    primary key (repository_id, digest, source, revision, run)
) without rowid;

-- What was pushed before is looked at once: something may be said about it.
insert into evidence_review (repository_id, digest, asked, claimed_until)
select repository_id, digest, 1, 0 from manifest;
