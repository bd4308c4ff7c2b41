-- Every time that advisories are taken from a source. Those that no source has in force are being
-- written, or are on their way out.
create table advisory_import (
    id integer primary key,
    source text not null,
    started_at bigint not null
);

-- The advisories of an import, many in each block: lines of JSON, compressed by zstd.
create table advisory_block (
    import_id bigint not null references advisory_import (id),
    position bigint not null,
    document blob not null,
    primary key (import_id, position)
);

-- Where advisories came from, and which import of them is in force.
create table advisory_source (
    name text not null primary key,
    import_id bigint not null references advisory_import (id),
    location text not null,
    digest text not null,
    imported_at bigint not null,
    newest bigint,
    advisories bigint not null,
    document text not null
) without rowid;

-- Which vulnerabilities each package has, as of the advisories that `package.matched` names. What is
-- matched again keeps when it was first seen.
create table package_vulnerability (
    package_id bigint not null references package (id) on delete cascade,
    vulnerability text not null,
    first_seen_at bigint not null,
    severity bigint not null,
    fixed_in text,
    document text not null,
    primary key (package_id, vulnerability)
);

create index package_vulnerability_name on package_vulnerability (vulnerability, package_id);

create index package_vulnerability_seen on package_vulnerability (first_seen_at);

create index image_read on image (read_at);

-- Matches that somebody decided to live with, for a time.
create table vulnerability_exception (
    id text not null primary key,
    document text not null,
    created_at bigint not null,
    expires_at bigint not null
) without rowid;

-- What vendors say about vulnerabilities of their products, as an administrator took it over.
create table vex_document (
    digest text not null primary key,
    name text not null,
    author text not null,
    received_at bigint not null,
    document text not null
);

-- What other scanners say about manifests of repositories; of each scanner the last word.
create table scanner_report (
    repository_id bigint not null,
    digest text not null,
    scanner text not null,
    database text not null,
    received_at bigint not null,
    document text not null,
    primary key (repository_id, digest, scanner)
);
