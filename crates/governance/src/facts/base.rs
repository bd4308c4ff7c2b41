use plura_contents::{BaseReport, Error as ContentsError, FoundBase, Readable};
use plura_meta::{contents::base, repository, tag};
use plura_oci::{Digest, Reference, RepositoryName, Tag};
use plura_policy::facts::{BaseFacts, Known, NewerBase};
use plura_registry::ImageQuery;

use super::{Subject, not_now};
use crate::{Error, Governance, instant};

/// Children of a base that is an index.
const MOST_CHILDREN: u32 = 200;
/// Repositories in which a base's signatures are looked for.
const MOST_PLACES: usize = 4;

impl Governance {
    /// What an image was built on.
    pub(super) async fn base_facts(&self, subject: &Subject<'_>) -> Known<BaseFacts> {
        let query = ImageQuery {
            repository: subject.repository.clone(),
            reference: Reference::Digest(subject.digest),
            platform: None,
        };
        let report = match self.shared.sources.contents.base(&query, &Readable::Everything).await {
            Ok(report) => report,
            Err(ContentsError::Image(error)) => return Known::Absent(error.to_string()),
            Err(error) => return not_now("what it was built on", &error),
        };
        match self.base_of(report).await {
            Ok(Some(base)) => Known::Known(base),
            Ok(None) => Known::Absent("it declares no base, and none was recognised".to_owned()),
            Err(error) => not_now("what it was built on", &error),
        }
    }

    async fn base_of(&self, report: BaseReport) -> Result<Option<BaseFacts>, Error> {
        let BaseReport { digest: image, declared, found, newer } = report;
        if declared.is_none() && found.is_none() {
            return Ok(None);
        }
        let declared =
            declared.unwrap_or(plura_contents::DeclaredBase { name: None, digest: None });
        let digest = found.as_ref().map(|found| found.digest).or(declared.digest);
        let matched = match &found {
            // Told from the layers, or only declared.
            Some(found) => found.layers.is_some() || self.is_below(&found.digest, &image).await?,
            None => false,
        };
        let since = match newer {
            Some(newer) => self.newer(&newer.name).await?,
            None => None,
        };
        let name =
            declared.name.or_else(|| found.as_ref().and_then(|one| one.places.first().cloned()));
        let verified = match &found {
            Some(found) => self.is_base_verified(found).await,
            None => false,
        };
        let created = found.and_then(|found| found.created);
        Ok(Some(BaseFacts { name, digest, matched, verified, created, newer: since }))
    }

    /// Whether the layers of a base, or of one of its platforms, are the image's lowest.
    async fn is_below(&self, base: &Digest, image: &Digest) -> Result<bool, Error> {
        let mut connection = self.db().read().await?;
        let chains = base::chains(&mut connection, image).await?;
        let mut bases = base::children(&mut connection, base, MOST_CHILDREN).await?;
        bases.push(*base);
        for one in &bases {
            let own = base::chains(&mut connection, one).await?;
            if own.last().is_some_and(|own| chains.contains(own)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a name points at by now, and since when.
    async fn newer(&self, name: &str) -> Result<Option<NewerBase>, Error> {
        let Some((repository, tag)) = name.rsplit_once(':') else { return Ok(None) };
        let (Ok(repository), Ok(tag)) = (repository.parse::<RepositoryName>(), tag.parse::<Tag>())
        else {
            return Ok(None);
        };
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, &repository).await? else {
            return Ok(None);
        };
        let found = tag::find_moved(&mut connection, id, &tag).await?;
        Ok(found.map(|(digest, moved)| NewerBase { digest, since: instant(moved) }))
    }

    /// Whether some repository has the base with signatures of those whom its trust policies name.
    async fn is_base_verified(&self, found: &FoundBase) -> bool {
        let repository = |place: &String| place.split(':').next()?.parse::<RepositoryName>().ok();
        let mut repositories: Vec<RepositoryName> =
            found.places.iter().filter_map(repository).collect();
        repositories.dedup();
        let reference = Reference::Digest(found.digest);
        for repository in repositories.iter().take(MOST_PLACES) {
            let evidence = self.shared.sources.evidence.of(repository, &reference).await;
            if evidence.is_ok_and(|evidence| evidence.verified == Some(true)) {
                return true;
            }
        }
        false
    }
}
