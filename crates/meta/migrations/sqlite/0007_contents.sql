-- What was read from layers, once for each content, whoever has it. `reader` is the version of what read
-- it: what an older one read is read again.
create table layer_contents (
    digest text not null primary key,
    reader bigint not null,
    document blob,
    problem text,
    read_at bigint not null
);

-- What is in an image, by the digest of its manifest, however many repositories have it. It holds as
-- long as `basis` is in force. `chain` is that of its topmost layer. The document comes last: what lists
-- and joins read stands before it.
create table image (
    id integer primary key,
    digest text not null unique,
    basis text not null,
    problem text,
    chain text not null,
    base_digest text,
    base_name text,
    packages bigint not null,
    created_at bigint,
    read_at bigint not null,
    document blob not null
);

create index image_chain on image (chain);

create index image_base on image (base_digest) where base_digest is not null;

-- The layers of an image, lowest first: `chain` is the digest of this and all below, so that what stands
-- on the same layers is found by one look.
create table image_layer (
    image_id bigint not null references image (id),
    position bigint not null,
    digest text not null,
    chain text not null,
    primary key (image_id, position)
) without rowid;

create index image_layer_chain on image_layer (chain, image_id);

create index image_layer_digest on image_layer (digest, image_id);

-- Every package that some image has, once. `matched` is the digest of the advisories that its
-- vulnerabilities are of.
create table package (
    id integer primary key,
    identity text not null unique,
    ecosystem text not null,
    name text not null,
    version text not null,
    document text not null,
    matched text
);

create index package_name on package (name, ecosystem);

create index package_matched on package (matched);

create table image_package (
    image_id bigint not null references image (id),
    package_id bigint not null references package (id),
    primary key (image_id, package_id)
) without rowid;

create index image_package_package on image_package (package_id, image_id);

-- Images whose contents are to be read. `asked` counts the changes, so that one which comes while it is
-- read is not forgotten.
create table image_review (
    digest text not null primary key,
    repository_id bigint not null,
    asked bigint not null,
    claimed_until bigint not null
) without rowid;

create index image_review_claim on image_review (claimed_until);

-- How far the walk is over the manifests that were there before, or whose images an older reader read: at
-- most one row, without a manifest once it is over.
create table contents_walk (
    id bigint not null primary key check (id = 1),
    manifest_id bigint,
    reader bigint not null
) without rowid;

-- Which manifests there are of a digest, in whichever repository.
create index manifest_digest on manifest (digest);
