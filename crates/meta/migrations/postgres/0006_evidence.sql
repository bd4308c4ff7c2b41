create table trust_policy (
    name text collate "C" not null primary key,
    document text collate "C" not null,
    changed_at bigint not null
);

create table trust_root (
    id bigint not null primary key check (id = 1),
    document text collate "C" not null,
    changed_at bigint not null
);

create table evidence (
    repository_id bigint not null references repository (id),
    digest text collate "C" not null,
    basis text collate "C" not null,
    verified bigint,
    document text collate "C" not null,
    gathered_at bigint not null,
    until bigint,
    primary key (repository_id, digest)
);

create table evidence_review (
    repository_id bigint not null,
    digest text collate "C" not null,
    asked bigint not null,
    claimed_until bigint not null,
    primary key (repository_id, digest)
);

create index evidence_review_claim on evidence_review (claimed_until);

create table evidence_walk (
    id bigint not null primary key check (id = 1),
    manifest_id bigint not null
);

create table signature_arrival (
    repository_id bigint not null,
    subject text collate "C" not null,
    signature text collate "C" not null,
    arrived_at bigint not null,
    primary key (repository_id, subject, signature)
);

create table manifest_build (
    repository_id bigint not null,
    digest text collate "C" not null,
    source text collate "C" not null,
    revision text collate "C" not null,
    run text collate "C" not null,
    pushed_at bigint not null,
    primary key (repository_id, digest, source, revision, run)
);

insert into evidence_review (repository_id, digest, asked, claimed_until)
select repository_id, digest, 1, 0 from manifest;
