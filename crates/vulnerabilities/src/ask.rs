//! Asking what an image has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plura_advisories::{
    Applied, Exception, ImageNames, Match, SuppressedBy, apply, openvex::VexDocument, report::sarif,
};
use plura_meta::{Timestamp, vulnerability};
use plura_oci::{Digest, Reference, RepositoryName, image::Platform};
use plura_registry::ImageQuery;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Error, ExceptionNotes, FoundVulnerability, ImageContents, ImageVulnerabilities, NotCovered,
    SeverityCounts, Suppression, SuppressionKind, VexNote, Vulnerabilities, answer::name_of,
    instant, package::PackageDocument, set::InForce,
};

/// Children of an index that are looked at.
const MOST_CHILDREN: usize = 64;
/// Packages that are matched with one commit.
const BATCH: u32 = 2000;

/// An index, as far as its children go.
#[derive(Default, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Child>>,
}

#[derive(Deserialize)]
struct Child {
    digest: Digest,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// What is said about vulnerabilities at a moment.
pub(crate) struct Said {
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) documents: Vec<VexDocument>,
    pub(crate) warning: jiff::SignedDuration,
    pub(crate) at: jiff::Timestamp,
}

/// What an image is, to those who ask and to those who make statements about it.
struct Asked<'a> {
    repository: &'a RepositoryName,
    /// The manifest that was asked about.
    digest: Digest,
    image: Digest,
    /// The indexes that have it.
    parents: Vec<Digest>,
}

impl Vulnerabilities {
    /// The vulnerabilities of an image, with what is said about them now. Of an index, those of all its
    /// images, unless one platform is asked for.
    pub async fn of(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<ImageVulnerabilities, Error> {
        let query = ImageQuery {
            repository: repository.clone(),
            reference: reference.clone(),
            platform: platform.cloned(),
        };
        let found = self.shared.registry.image_manifest(&query).await?;
        let digest = found.digest;
        let images = images_of(&found.bytes, digest);
        self.read_first(repository, &images).await?;
        let in_force = self.match_images(&images).await?;
        let said = self.said().await?;
        let mut notes = Notes::default();
        let mut all = HashMap::new();
        for image in &images {
            let asked = Asked {
                repository,
                digest,
                image: *image,
                parents: vulnerability::parents(&mut self.db().read().await?, repository, image)
                    .await?,
            };
            for one in self.of_image(&asked, &said, &mut notes).await? {
                merge(&mut all, one);
            }
        }
        let mut vulnerabilities: Vec<FoundVulnerability> = all.into_values().collect();
        vulnerabilities.sort_by(|left, right| left.order().cmp(&right.order()));
        Ok(ImageVulnerabilities {
            repository: repository.clone(),
            digest,
            images: self.contents(&images).await?,
            newest_advisory: in_force.newest().map(instant),
            counts: SeverityCounts::of(&vulnerabilities),
            not_covered: self.not_covered(&images, &in_force).await?,
            reports: self.second_opinions(repository, &digest, &vulnerabilities).await?,
            exceptions: notes.into(),
            vulnerabilities,
            advisories: in_force.basis,
            at: said.at,
        })
    }

    /// Lets images be read that nobody has read yet: that they were not is no answer.
    async fn read_first(
        &self,
        repository: &RepositoryName,
        images: &[Digest],
    ) -> Result<(), Error> {
        let read = vulnerability::read_images(&mut self.db().read().await?, images).await?;
        let unread = images.iter().filter(|image| read.iter().all(|read| read.digest != **image));
        for image in unread {
            self.shared.sources.contents.see_to(repository, image).await?;
        }
        Ok(())
    }

    /// Matches what of the images was not matched with the advisories in force; those that were in force.
    async fn match_images(&self, images: &[Digest]) -> Result<InForce, Error> {
        loop {
            let in_force = self.in_force().await?;
            let mut connection = self.db().read().await?;
            let packages =
                vulnerability::unmatched_of(&mut connection, images, &in_force.basis, BATCH)
                    .await?;
            drop(connection);
            if packages.is_empty() {
                return Ok(in_force);
            }
            let loaded = self.loaded().await?;
            self.match_packages(&loaded, packages).await?;
        }
    }

    async fn of_image(
        &self,
        asked: &Asked<'_>,
        said: &Said,
        notes: &mut Notes,
    ) -> Result<Vec<FoundVulnerability>, Error> {
        let rows = vulnerability::of_images(&mut self.db().read().await?, &[asked.image]).await?;
        let mut matches = Vec::with_capacity(rows.len());
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let one = read_match(&row.document)?;
            let purl = PackageDocument::read(&row.package)?.purl;
            let seen = instant(row.first_seen_at.max(row.read_at));
            found.push(FoundVulnerability::of(&one, purl, seen, asked.image));
            matches.push(one);
        }
        let mut digests = vec![asked.image, asked.digest];
        digests.extend(&asked.parents);
        let project = asked.repository.as_str().split('/').next().unwrap_or_default();
        let repository = asked.repository.as_str();
        let names = ImageNames { digests: &digests, repository, project };
        let documents = self.documents(asked.repository, &digests, said).await?;
        let applied = apply(&matches, &said.exceptions, &documents, &names, said.at, said.warning);
        mark(&matches, &applied, &mut found);
        notes.add(&applied);
        Ok(found)
    }

    async fn contents(&self, images: &[Digest]) -> Result<Vec<ImageContents>, Error> {
        let read = vulnerability::read_images(&mut self.db().read().await?, images).await?;
        let contents = |digest: &Digest| match read.iter().find(|image| image.digest == *digest) {
            Some(image) => ImageContents {
                digest: *digest,
                read_at: Some(instant(image.read_at)),
                packages: image.packages.unsigned_abs(),
                problem: image.problem.clone(),
            },
            None => ImageContents { digest: *digest, read_at: None, packages: 0, problem: None },
        };
        Ok(images.iter().map(contents).collect())
    }

    async fn not_covered(
        &self,
        images: &[Digest],
        in_force: &InForce,
    ) -> Result<Vec<NotCovered>, Error> {
        let mut covered = BTreeSet::new();
        for source in &in_force.sources {
            let counts: crate::sources::SourceCounts =
                serde_json::from_str(&source.document).unwrap_or_default();
            covered.extend(counts.ecosystems.into_keys());
        }
        let packages = vulnerability::packages_of(&mut self.db().read().await?, images).await?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for document in packages {
            let origin = PackageDocument::read(&document)?.origin();
            // Advisories without a release are about all of them.
            let family = origin.split(':').next().unwrap_or_default();
            if !covered.contains(&origin) && !covered.contains(family) {
                *counts.entry(origin).or_default() += 1;
            }
        }
        Ok(NotCovered::list(counts))
    }

    /// What is said about vulnerabilities now.
    pub(crate) async fn said(&self) -> Result<Said, Error> {
        let warning = self.shared.settings.expiry_warning;
        Ok(Said {
            exceptions: self.all_exceptions().await?,
            documents: self.all_vex().await?,
            warning: warning.try_into().unwrap_or(jiff::SignedDuration::MAX),
            at: instant(Timestamp::now()),
        })
    }
}

impl ImageVulnerabilities {
    /// The same in the Static Analysis Results Interchange Format, for the version of this program.
    pub fn sarif(&self, version: &str) -> Value {
        let name = format!("{}@{}", self.repository, self.digest);
        let last = self.repository.as_str().rsplit('/').next().unwrap_or_default();
        let digest = self.digest.to_string().replace(':', "%3A");
        let url = self.repository.as_str().replace('/', "%2F");
        let uri = format!("pkg:oci/{last}@{digest}?repository_url={url}");
        let subject = sarif::Subject { uri: &uri, name: &name, version };
        let entries = self.vulnerabilities.iter().map(|one| sarif::Entry {
            found: &one.found,
            suppressed: one.suppressed.as_ref().map(|suppressed| suppressed.reason.as_str()),
        });
        sarif::log(subject, entries)
    }
}

/// What exceptions are to be looked at, of all images that were asked about.
#[derive(Default)]
struct Notes {
    unused: BTreeMap<String, bool>,
    expired: BTreeSet<String>,
    expiring: BTreeSet<String>,
}

impl Notes {
    fn add(&mut self, applied: &Applied<'_>) {
        let name = |exception: &&Exception| exception.terms().id.to_string();
        for unused in applied.unused.iter().map(name) {
            self.unused.entry(unused).or_insert(true);
        }
        for suppressed in &applied.suppressed {
            if let SuppressedBy::Exception(exception) = suppressed.by {
                self.unused.insert(exception.terms().id.to_string(), false);
            }
        }
        self.expired.extend(applied.expired.iter().map(name));
        self.expiring.extend(applied.expiring.iter().map(name));
    }
}

impl From<Notes> for ExceptionNotes {
    fn from(notes: Notes) -> Self {
        let unused = notes.unused.into_iter().filter(|(_, unused)| *unused);
        Self {
            unused: unused.map(|(name, _)| name).collect(),
            expired: notes.expired.into_iter().collect(),
            expiring: notes.expiring.into_iter().collect(),
        }
    }
}

/// The images that a manifest stands for: its children, without what is only about them; else itself.
fn images_of(manifest: &[u8], digest: Digest) -> Vec<Digest> {
    let index: Index = serde_json::from_slice(manifest).unwrap_or_default();
    let Some(children) = index.manifests else { return vec![digest] };
    let is_image = |child: &Child| {
        let annotations = child.annotations.iter().flatten();
        !annotations.into_iter().any(|(name, _)| name == "vnd.docker.reference.type")
    };
    let mut images: Vec<Digest> =
        children.iter().filter(|child| is_image(child)).map(|child| child.digest).collect();
    images.dedup();
    images.truncate(MOST_CHILDREN);
    images
}

pub(crate) fn read_match(document: &str) -> Result<Match, Error> {
    serde_json::from_str(document).map_err(|error| {
        plura_meta::Error::Corrupt(format!("package_vulnerability.document: {error}")).into()
    })
}

/// Notes what was said about each of the matches; `found` are the same in the same order.
fn mark(matches: &[Match], applied: &Applied<'_>, found: &mut [FoundVulnerability]) {
    let places: HashMap<*const Match, usize> =
        matches.iter().enumerate().map(|(place, one)| (std::ptr::from_ref(one), place)).collect();
    let place = |one: &Match| places.get(&std::ptr::from_ref(one)).copied();
    for suppressed in &applied.suppressed {
        if let Some(one) = place(suppressed.found).and_then(|place| found.get_mut(place)) {
            one.suppressed = Some(suppression(suppressed.by));
        }
    }
    for noted in &applied.noted {
        if let Some(one) = place(noted.found).and_then(|place| found.get_mut(place)) {
            one.note = Some(VexNote::of(noted.statement));
        }
    }
}

fn suppression(by: SuppressedBy<'_>) -> Suppression {
    match by {
        SuppressedBy::Exception(exception) => {
            let terms = exception.terms();
            Suppression {
                by: SuppressionKind::Exception,
                name: terms.id.to_string(),
                reason: terms.reason.to_string(),
                until: Some(terms.expires_at),
                signers: Vec::new(),
            }
        }
        SuppressedBy::Vex(statement, document) => {
            let justification = statement.justification.as_ref().map(name_of);
            let words = statement.impact_statement.as_deref().map(ToOwned::to_owned);
            Suppression {
                by: SuppressionKind::Vex,
                name: name_of(&statement.status),
                reason: words.or(justification).unwrap_or_default(),
                until: None,
                signers: document.signers.iter().map(ToString::to_string).collect(),
            }
        }
    }
}

/// What two images have is one entry, which counts if it counts in one of them.
fn merge(
    all: &mut HashMap<(String, crate::VulnerablePackage), FoundVulnerability>,
    one: FoundVulnerability,
) {
    let key = (one.id.clone(), one.package.clone());
    let Some(known) = all.get_mut(&key) else {
        all.insert(key, one);
        return;
    };
    for image in &one.images {
        if !known.images.contains(image) {
            known.images.push(*image);
        }
    }
    known.first_seen_at = known.first_seen_at.min(one.first_seen_at);
    if one.suppressed.is_none() {
        known.suppressed = None;
    }
    known.note = known.note.take().or(one.note);
}
