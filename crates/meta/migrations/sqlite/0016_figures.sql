-- Figures are counted from indexes, whatever the rows hold beside it: what a query asks about has to be in
-- one, also where all rows of it answer alike.
drop index manifest_digest;

-- Which manifests there are of a digest, in whichever repository, and whether they are about another one.
create index manifest_digest on manifest (digest, subject);

create index image_problem on image (digest) where problem is not null;

create index evidence_verified on evidence (digest, verified) where verified = 1;

create index channel_move_kind on channel_move (kind, at, took);

create index promotion_denied on promotion (repository) where state = 'denied';

-- How much a job does at a time, and how many things in a minute; as it would by itself, where null.
alter table job add column at_a_time bigint;

alter table job add column per_minute bigint;
