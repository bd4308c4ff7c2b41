//! What images stand on, and what stands on an image.
//!
//! That an image has all layers of another is seen from the layers alone; what it declares is what its
//! builder wrote, and told as that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plura_meta::contents::base::{self, Base, Place};
use plura_oci::{Digest, RepositoryName};
use plura_registry::{ImageQuery, Readable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Contents, Error, instant};

/// Images with the same layers that are looked at.
const MAX_SAME: u32 = 50;
/// Places of one image that are looked at.
const MAX_PLACES: u32 = 500;
/// Children of an index that are looked at.
const MAX_CHILDREN: u32 = 200;
/// Images on a base that are listed at a time.
const MAX_PAGE: u32 = 100;

/// What an image stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaseReport {
    /// The image.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it declares.
    pub declared: Option<DeclaredBase>,
    /// The image of this registry that it stands on.
    pub found: Option<FoundBase>,
    /// What came after it: what its name points at by now, or a later release of the same line.
    pub newer: Option<NewerBase>,
}

/// The base that an image declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeclaredBase {
    /// Its name.
    pub name: Option<String>,
    /// Its digest.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
}

/// An image of this registry that another stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundBase {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// How many of the image's layers are its; nothing where that is only declared.
    pub layers: Option<u64>,
    /// The repositories that have it, `base/debian`, and tags that point at it, `base/debian:12`.
    pub places: Vec<String>,
    /// Whether some tag points at it.
    pub tagged: bool,
    /// When it was built.
    #[schema(value_type = Option<String>)]
    pub created: Option<Timestamp>,
    /// For how many days it has been.
    pub age_days: Option<i64>,
}

/// What came after a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewerBase {
    /// The name, `base/debian:12`: the base's own, where it points at something else by now, or that of a
    /// later release.
    pub name: String,
    /// What it points at.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Since when there is one that is newer.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// Images that stand on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImagesOnBase {
    /// Some of them.
    pub images: Vec<ImageOnBase>,
    /// Behind which the next page begins, if there may be more.
    #[schema(value_type = Option<String>)]
    pub next: Option<Digest>,
}

/// An image that stands on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageOnBase {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The repositories that have it, and tags that point at it.
    pub places: Vec<String>,
}

impl Contents {
    /// What the one image that is meant stands on, as far as that is in repositories that may be read.
    pub async fn base(&self, query: &ImageQuery, readable: &Readable) -> Result<BaseReport, Error> {
        let known = self.known(query).await?;
        let (name, digest) = (known.document.base_name, known.document.base_digest);
        let found = match digest {
            Some(digest) => self.declared(digest, readable).await?,
            None => None,
        };
        let found = match found {
            Some(found) => Some(found),
            None => self.below(&known.manifest.digest, readable).await?,
        };
        let newer = match digest.or(found.as_ref().map(|(base, _)| base.digest)) {
            Some(base) => self.newer(name.as_deref(), base, readable).await?,
            None => None,
        };
        let declared =
            (name.is_some() || digest.is_some()).then_some(DeclaredBase { name, digest });
        let found = found.map(|(base, layers)| base.told(layers));
        Ok(BaseReport { digest: known.manifest.digest, declared, found, newer })
    }

    /// The images that stand on another, or on one of an index, behind `after`, as far as they are in
    /// repositories that may be read.
    pub async fn images_on_base(
        &self,
        base: &Digest,
        after: Option<&Digest>,
        readable: &Readable,
    ) -> Result<ImagesOnBase, Error> {
        let mut connection = self.db().read().await?;
        let mut bases = base::children(&mut connection, base, MAX_CHILDREN).await?;
        bases.push(*base);
        let page = base::standing_on(&mut connection, &bases, after, MAX_PAGE).await?;
        drop(connection);
        let next = page.last().copied().filter(|_| page.len() >= MAX_PAGE as usize);
        let mut images = Vec::new();
        for digest in page {
            let (places, _) = names(&self.places(digest, readable).await?);
            if !places.is_empty() {
                images.push(ImageOnBase { digest, places });
            }
        }
        Ok(ImagesOnBase { images, next })
    }

    /// A declared base, if it is here.
    async fn declared(
        &self,
        digest: Digest,
        readable: &Readable,
    ) -> Result<Option<(Seen, Option<u64>)>, Error> {
        let places = self.places(digest, readable).await?;
        if places.is_empty() {
            return Ok(None);
        }
        let created = base::created_at(&mut self.db().read().await?, &digest).await?;
        Ok(Some((Seen { digest, places, created: created.map(instant) }, None)))
    }

    /// The image with the most layers that are this one's first ones, and fewer than it has.
    async fn below(
        &self,
        image: &Digest,
        readable: &Readable,
    ) -> Result<Option<(Seen, Option<u64>)>, Error> {
        let chains = base::chains(&mut self.db().read().await?, image).await?;
        let Some((_, below)) = chains.split_last() else { return Ok(None) };
        for (number, chain) in below.iter().enumerate().rev() {
            let mut connection = self.db().read().await?;
            let same = base::of_chains(&mut connection, &[*chain], MAX_SAME).await?;
            drop(connection);
            if let Some(seen) = self.best(same, readable).await? {
                return Ok(Some((seen, Some(number as u64 + 1))));
            }
        }
        Ok(None)
    }

    /// Of images with the same layers, the first that has a tag, or else the first that may be seen.
    async fn best(&self, same: Vec<Base>, readable: &Readable) -> Result<Option<Seen>, Error> {
        let mut first = None;
        for Base { digest, created_at, .. } in same {
            let places = self.places(digest, readable).await?;
            if places.is_empty() {
                continue;
            }
            let is_tagged = places.iter().any(|place| place.tag.is_some());
            let seen = Seen { digest, places, created: created_at.map(instant) };
            if is_tagged {
                return Ok(Some(seen));
            }
            first.get_or_insert(seen);
        }
        Ok(first)
    }

    pub(crate) async fn places(
        &self,
        digest: Digest,
        readable: &Readable,
    ) -> Result<Vec<Place>, Error> {
        let mut connection = self.db().read().await?;
        let mut places = base::places(&mut connection, &[digest], MAX_PLACES).await?;
        places.retain(|place| readable.contains(&place.repository));
        Ok(places)
    }
}

/// A base that may be seen.
struct Seen {
    digest: Digest,
    places: Vec<Place>,
    created: Option<Timestamp>,
}

impl Seen {
    fn told(self, layers: Option<u64>) -> FoundBase {
        let (places, tagged) = names(&self.places);
        let age = |created: Timestamp| Timestamp::now().duration_since(created).as_hours() / 24;
        let age_days = self.created.map(age);
        FoundBase { digest: self.digest, layers, places, tagged, created: self.created, age_days }
    }
}

/// Tags by their whole names, repositories without one by theirs; and whether there is a tag.
fn names(places: &[Place]) -> (Vec<String>, bool) {
    let mut by_repository = BTreeMap::<&RepositoryName, BTreeSet<&str>>::new();
    for place in places {
        by_repository.entry(&place.repository).or_default().extend(place.tag.as_deref());
    }
    let mut names = Vec::new();
    for (repository, tags) in &by_repository {
        if tags.is_empty() {
            names.push(repository.to_string());
        }
        names.extend(tags.iter().map(|tag| format!("{repository}:{tag}")));
    }
    (names, by_repository.values().any(|tags| !tags.is_empty()))
}
