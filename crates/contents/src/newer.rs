//! What came after a base: what its name points at by now, or the next release beside it.

use std::cmp::Reverse;

use plura_meta::{
    contents::base::{self, MovedTag, Place},
    repository, tag,
};
use plura_oci::{Digest, RepositoryName, Tag};
use plura_registry::Readable;

use crate::{
    Contents, Error, NewerBase, instant,
    release::{Release, narrowness},
};

/// Tags of a repository that are looked at for a later release.
const MAX_TAGS: u32 = 5000;
/// Indexes with the base as a child, and tags that were its name, that are looked at.
const MAX_MOVED: u32 = 100;

/// What is known of the name that an image declares for its base.
enum Named {
    /// No repository here has it.
    Elsewhere,
    /// It still is the base.
    Same,
    /// It is another image by now.
    Newer(NewerBase),
}

impl Contents {
    /// What came after a base, as far as that may be read: what the declared name points at, if that is
    /// here. Otherwise what another of its tags points at since, or the latest release of its line.
    pub(crate) async fn newer(
        &self,
        declared: Option<&str>,
        base: Digest,
        readable: &Readable,
    ) -> Result<Option<NewerBase>, Error> {
        let places = self.places(base, readable).await?;
        if let Some(name) = declared {
            match self.declared_name(name, base, &places, readable).await? {
                Named::Elsewhere => {}
                Named::Same => return Ok(None),
                Named::Newer(newer) => return Ok(Some(newer)),
            }
        }
        if let Some(newer) = self.moved_on(base, readable).await? {
            return Ok(Some(newer));
        }
        self.later_release(&places).await
    }

    async fn declared_name(
        &self,
        name: &str,
        base: Digest,
        places: &[Place],
        readable: &Readable,
    ) -> Result<Named, Error> {
        for (repository, tag) in named(name) {
            if !readable.contains(&repository) {
                continue;
            }
            let mut connection = self.db().read().await?;
            let Some(id) = repository::find(&mut connection, &repository).await? else { continue };
            let Some((digest, moved_at)) = tag::find_moved(&mut connection, id, &tag).await? else {
                continue;
            };
            drop(connection);
            let is_base = |place: &Place| {
                place.repository == repository && place.tag.as_deref() == Some(tag.as_str())
            };
            if digest == base || places.iter().any(is_base) {
                return Ok(Named::Same);
            }
            let moved = self.tags_moved_on(base, readable).await?;
            let left =
                moved.iter().find(|moved| moved.repository == repository && moved.tag == tag);
            let since = instant(left.map_or(moved_at, |moved| moved.since));
            let name = format!("{repository}:{tag}");
            return Ok(Named::Newer(NewerBase { name, digest, since }));
        }
        Ok(Named::Elsewhere)
    }

    /// What a tag points at that once pointed at the base: of several, the narrowest.
    async fn moved_on(
        &self,
        base: Digest,
        readable: &Readable,
    ) -> Result<Option<NewerBase>, Error> {
        let moved = self.tags_moved_on(base, readable).await?;
        let narrowest = moved.into_iter().min_by_key(|moved| {
            let tag = moved.tag.as_str();
            (tag == "latest", Reverse(narrowness(tag)), tag.to_owned())
        });
        Ok(narrowest.map(|MovedTag { repository, tag, digest, since }| NewerBase {
            name: format!("{repository}:{tag}"),
            digest,
            since: instant(since),
        }))
    }

    async fn tags_moved_on(
        &self,
        base: Digest,
        readable: &Readable,
    ) -> Result<Vec<MovedTag>, Error> {
        let mut connection = self.db().read().await?;
        let mut called = base::parents(&mut connection, &base, MAX_MOVED).await?;
        called.push(base);
        let mut moved = base::moved_on(&mut connection, &called, MAX_MOVED).await?;
        moved.retain(|moved| readable.contains(&moved.repository));
        Ok(moved)
    }

    /// The latest release of the line that one of the base's tags names.
    async fn later_release(&self, places: &[Place]) -> Result<Option<NewerBase>, Error> {
        let tagged = places.iter().filter_map(|place| {
            let tag = place.tag.as_deref()?;
            Some((&place.repository, Release::of(tag)?))
        });
        for (repository, own) in tagged {
            let mut connection = self.db().read().await?;
            let Some(id) = repository::find(&mut connection, repository).await? else { continue };
            let tags = tag::list(&mut connection, id, None, MAX_TAGS).await?;
            let releases = tags.iter().filter_map(|tag| Some((tag, Release::of(tag)?)));
            let mut later: Vec<_> = releases.filter(|(_, release)| release.follows(&own)).collect();
            later.sort_by(|(_, a), (_, b)| a.order().cmp(b.order()));
            let (Some((first, _)), Some((last, _))) = (later.first(), later.last()) else {
                continue;
            };
            let [first, last] = [first, last].map(|tag| tag.parse::<Tag>());
            let (Ok(first), Ok(last)) = (first, last) else { continue };
            let since = tag::find_moved(&mut connection, id, &first).await?;
            let newest = tag::find_moved(&mut connection, id, &last).await?;
            if let (Some((_, since)), Some((digest, _))) = (since, newest) {
                let name = format!("{repository}:{last}");
                return Ok(Some(NewerBase { name, digest, since: instant(since) }));
            }
        }
        Ok(None)
    }
}

/// What a reference may mean here: with the host of this registry in front, or without.
fn named(name: &str) -> Vec<(RepositoryName, Tag)> {
    let name = name.split('@').next().unwrap_or_default();
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let Ok(tag) = tag.parse::<Tag>() else { return Vec::new() };
    let without_host =
        path.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost");
    let paths = [Some(path), without_host.map(|(_, path)| path)];
    let repositories = paths.into_iter().flatten().filter_map(|path| path.parse().ok());
    repositories.map(|repository| (repository, tag.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_repository_here_with_or_without_a_host() {
        let check = |name: &str, expected: &[&str]| {
            let found: Vec<_> =
                named(name).iter().map(|(repository, tag)| format!("{repository}:{tag}")).collect();
            assert_eq!(found, expected, "{name}");
        };
        check("base/debian:12", &["base/debian:12"]);
        check("localhost:5000/base/debian", &["base/debian:latest"]);
        check(
            "registry.example/base/debian:12@sha256:00",
            &["registry.example/base/debian:12", "base/debian:12"],
        );
        check("debian:", &[]);
        check("", &[]);
    }
}
