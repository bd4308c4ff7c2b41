//! What is in a repository, and what must not go from it, read in pages.

use std::collections::BTreeMap;

use plura_meta::{Connection, RepositoryId, Timestamp, channel, hold, retention};
use plura_oci::{Digest, RepositoryName};
use plura_policy::retention::{History, Inventory, ManifestFacts, Root, RootKind, Roots, TagFacts};

use crate::{Error, InForce, rollback::target};

/// Rows that are read at once.
const PAGE: u32 = 1000;
/// Moves of a channel among which the one is looked for that it would be rolled back to.
const MOVES: u32 = 100;

/// What plans are made from.
pub(super) struct Snapshot {
    pub(super) inventory: Inventory,
    pub(super) roots: Roots,
    /// When each manifest was last pushed.
    pub(super) pushed: BTreeMap<Digest, Timestamp>,
}

/// Reads what is in a repository. What changes meanwhile may be seen or not: whoever deletes by it looks again.
pub(super) async fn read(
    connection: &mut Connection,
    (id, name): (RepositoryId, &RepositoryName),
    in_force: &InForce,
    now: Timestamp,
) -> Result<Snapshot, Error> {
    let mut inventory = Inventory::new(name.clone());
    let pushed = read_manifests(connection, id, &mut inventory).await?;
    read_tags(connection, id, in_force, &mut inventory).await?;
    let roots = read_roots(connection, name, in_force, now).await?;
    Ok(Snapshot { inventory, roots, pushed })
}

async fn read_manifests(
    connection: &mut Connection,
    id: RepositoryId,
    inventory: &mut Inventory,
) -> Result<BTreeMap<Digest, Timestamp>, Error> {
    let mut children: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|last: &retention::InventoriedManifest| last.digest);
        let page = retention::manifests(connection, id, after.as_ref(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        let digests: Vec<Digest> = page.iter().map(|manifest| manifest.digest).collect();
        for (parent, child) in retention::parents(connection, id, &digests).await? {
            children.entry(parent).or_default().push(child);
        }
        found.extend(page);
    }
    let mut pushed = BTreeMap::new();
    for manifest in found {
        pushed.insert(manifest.digest, manifest.pushed_at);
        inventory.add_manifest(ManifestFacts {
            digest: manifest.digest,
            // Which blobs nothing else needs is known when it is known what goes.
            bytes: 0,
            pushed_at: manifest.pushed_at.0,
            pulled_at: manifest.pulled_at.map(|at| at.0),
            untagged_at: manifest.untagged_at.map(|at| at.0),
            subject: manifest.subject,
            children: children.remove(&manifest.digest).unwrap_or_default(),
        });
    }
    Ok(pushed)
}

async fn read_tags(
    connection: &mut Connection,
    id: RepositoryId,
    in_force: &InForce,
    inventory: &mut Inventory,
) -> Result<(), Error> {
    let name = inventory.repository().clone();
    let rules = &in_force.governance.tags;
    let governed = rules.cover(&name);
    let mut after = None;
    loop {
        let page = retention::tags(connection, id, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.tag.clone());
        for found in page {
            let immutable = governed && rules.immutable_by(&name, &found.tag).next().is_some();
            inventory.add_tag(TagFacts {
                tag: found.tag,
                digest: found.digest,
                tagged_at: found.moved_at.0,
                pulled_at: None,
                immutable,
            });
        }
    }
}

async fn read_roots(
    connection: &mut Connection,
    name: &RepositoryName,
    in_force: &InForce,
    now: Timestamp,
) -> Result<Roots, Error> {
    let stays = retention::stays(connection, name, None).await?;
    let history = stays.into_iter().map(|stay| History {
        channel: stay.channel,
        digest: stay.digest,
        until: stay.until.map(|until| until.0),
    });
    let mut roots = Roots { history: history.collect(), needed: Vec::new() };
    for (promotion, digest) in retention::promoted(connection, name, None).await? {
        roots.needed.push(Root { digest, kind: RootKind::Promotion, detail: promotion });
    }
    for hold in hold::of_repository(connection, name, now).await? {
        let digest = hold.digest.parse().map_err(|_| crate::in_force::corrupt("hold.digest"))?;
        let detail = format!("{}, by {}", hold.reason, hold.holder);
        roots.needed.push(Root { digest, kind: RootKind::Hold, detail });
    }
    for id in retention::channels(connection, name).await? {
        let Some(pointer) = channel::of(connection, id).await? else { continue };
        let moves = channel::moves(connection, id, None, MOVES).await?;
        let targets = target::candidates(&moves, &pointer.digest);
        let target = targets.into_iter().find(|target| {
            target.place == *name && in_force.block(&target.repository, &target.digest).is_none()
        });
        roots.needed.extend(target.map(|target| Root {
            digest: target.digest,
            kind: RootKind::Rollback,
            detail: format!("{}:{}", pointer.name.environment, pointer.name.tag),
        }));
    }
    Ok(roots)
}
