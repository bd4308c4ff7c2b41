//! Reads everything that a repository has about a manifest.

use std::collections::BTreeMap;

use plura_meta::{
    Connection, RepositoryId, Timestamp,
    build::{self, Build},
    evidence::{self, Attached},
    manifest,
};
use plura_oci::{AttachmentKind, Digest, Reference, RepositoryName};
use plura_registry::{Registry, SmallBlob};
use plura_trust::{
    MAX_SIGNATURES, PredicateKind, Presented, Reason, Refusal, Statement, annotations,
    signature_identity,
};

use crate::{
    Error,
    readings::{Form, sbom_type},
    view::{Described, View},
};

/// The most manifests about one that are looked at, oldest first: what comes later cannot push out what
/// was there.
const MAX_MANIFESTS: usize = 1024;
/// The most of their layers that are noted.
const MAX_CANDIDATES: usize = 8 * 1024;
/// How many of them are read at a time.
const PAGE: u32 = 16;
/// The most bytes that are read about one manifest.
const MAX_BYTES: u64 = 96 * 1024 * 1024;
/// The most bytes of an image's configuration.
const MAX_CONFIGURATION: u64 = 4 * 1024 * 1024;
/// The most builds that may have pushed it and are compared.
const MAX_BUILDS: u32 = 64;
/// The most indexes that a manifest is looked for in.
pub(crate) const MAX_INDEXES: u32 = 16;

const REVISION: &str = "org.opencontainers.image.revision";

/// Everything that a repository has about a manifest, in the order it came in.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The children, where it is an index.
    pub(crate) children: Vec<Digest>,
    /// The indexes of the repository that it is a child of.
    pub(crate) indexes: Vec<Digest>,
    /// Whether it is itself something about another manifest.
    pub(crate) is_attached: bool,
    /// Signatures, and what should be some.
    pub(crate) presented: Vec<Presented>,
    /// Statements that nobody signed.
    pub(crate) bare: Vec<Bare>,
    /// The commit that the image says it was built from.
    pub(crate) revision: Option<String>,
    /// The builds that pushed it.
    pub(crate) builds: Vec<Build>,
}

impl Gathered {
    fn tells_of_a_build(&self) -> bool {
        let signed =
            self.presented.iter().filter_map(|presented| presented.signature.as_ref().ok());
        let signed = signed.filter_map(|signature| signature.content.statement());
        let bare = self.bare.iter().filter_map(|bare| match &bare.what {
            Said::Statement(statement) => Some(&**statement),
            Said::Of(_) => None,
        });
        signed.chain(bare).any(|statement| statement.kind() == PredicateKind::Provenance)
    }
}

/// A statement that nobody signed.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) place: String,
    pub(crate) what: Said,
}

#[derive(Debug)]
pub(crate) enum Said {
    /// A statement.
    Statement(Box<Statement>),
    /// Something of that type, which was not read.
    Of(&'static str),
}

struct Gathering<'a> {
    registry: &'a Registry,
    repository: &'a RepositoryName,
    id: RepositoryId,
    subject: Digest,
    budget: u64,
    arrivals: BTreeMap<Digest, Timestamp>,
    candidates: Vec<Candidate>,
    /// The subject itself.
    view: View,
    found: Gathered,
}

/// A layer that is worth reading.
struct Candidate {
    form: Form,
    place: String,
    arrived: Timestamp,
    layer: Described,
}

/// Everything that the repository has about the manifest.
pub(crate) async fn gather(
    registry: &Registry,
    (id, repository): (RepositoryId, &RepositoryName),
    subject: Digest,
) -> Result<Gathered, Error> {
    let mut all = Gathering {
        registry,
        repository,
        id,
        subject,
        budget: MAX_BYTES,
        arrivals: BTreeMap::new(),
        candidates: Vec::new(),
        view: View::default(),
        found: Gathered::default(),
    };
    let mut connection = registry.database().read().await?;
    all.own(&mut connection).await?;
    all.tagged(&mut connection).await?;
    all.referrers(&mut connection).await?;
    let indexes = all.indexes(&mut connection).await?;
    drop(connection);
    all.read().await?;
    for index in &indexes {
        all.attestations_in(index).await?;
    }
    all.builds().await?;
    Ok(all.found)
}

impl Gathering<'_> {
    async fn connection(&self) -> Result<Connection, Error> {
        Ok(self.registry.database().read().await?)
    }

    /// What the manifest says itself.
    async fn own(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let reference = Reference::Digest(self.subject);
        let stored = manifest::find(connection, self.repository, &reference).await?;
        let stored = stored.ok_or(Error::ManifestUnknown(reference))?;
        let view = View::of(&stored.bytes);
        self.found.children = view.manifests().iter().map(|child| child.digest).collect();
        self.found.is_attached = view.subject.is_some() || Form::of_referrer(None, &view).is_some();
        self.view = view;
        Ok(())
    }

    /// What is known of the build otherwise: asked only where something is said about it, since most
    /// images are pushed without, and their configuration need not be read.
    async fn builds(&mut self) -> Result<(), Error> {
        if !self.found.tells_of_a_build() {
            return Ok(());
        }
        self.found.revision = self.revision().await?;
        let mut connection = self.connection().await?;
        self.found.builds =
            build::list(&mut connection, self.id, &self.subject, MAX_BUILDS).await?;
        Ok(())
    }

    async fn revision(&self) -> Result<Option<String>, Error> {
        let view = &self.view;
        if let Some(revision) = view.annotation(REVISION) {
            return Ok(Some(revision.to_owned()));
        }
        let Some(configuration) = &view.config else { return Ok(None) };
        if !configuration.media_type.contains(".image.") {
            return Ok(None);
        }
        let digest = &configuration.digest;
        let read = self.registry.small_blob(self.repository, digest, MAX_CONFIGURATION).await?;
        let SmallBlob::Bytes(bytes) = read else { return Ok(None) };
        Ok(revision_label(&bytes))
    }

    /// What stands under the tags of the manifest's name.
    async fn tagged(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let attached = evidence::attached(connection, self.id, &self.subject).await?;
        if attached.is_empty() {
            return Ok(());
        }
        let arrivals = evidence::arrivals(connection, self.id, &self.subject).await?;
        self.arrivals = arrivals.into_iter().collect();
        for (tag, attached) in &attached {
            let Some(attachment) = tag.attachment() else { continue };
            let form = match attachment.kind {
                AttachmentKind::Signatures => Form::SimpleSigning,
                AttachmentKind::Attestations => Form::Attestations,
                AttachmentKind::Sbom => Form::Sbom,
            };
            self.note(form, tag.as_str(), attached);
        }
        Ok(())
    }

    /// What names the manifest as its subject.
    async fn referrers(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let (mut after, mut seen) = (0, 0);
        loop {
            let page = evidence::referrers(connection, self.id, &self.subject, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for attached in &page {
                let view = View::of(&attached.bytes);
                let form = Form::of_referrer(attached.artifact_type.as_deref(), &view);
                if let Some(form) = form {
                    self.note(form, &attached.digest.to_string(), attached);
                }
            }
            seen += page.len();
            if seen >= MAX_MANIFESTS || self.candidates.len() >= MAX_CANDIDATES {
                self.too_much(last);
                return Ok(());
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// The indexes that it is a child of.
    async fn indexes(&mut self, connection: &mut Connection) -> Result<Vec<View>, Error> {
        let digests =
            manifest::referencing(connection, self.id, &self.subject, MAX_INDEXES).await?;
        let mut indexes = Vec::new();
        for digest in digests {
            let reference = Reference::Digest(digest);
            let found = manifest::find(connection, self.repository, &reference).await?;
            let Some(found) = found else { continue };
            let view = View::of(&found.bytes);
            if view.manifests().iter().any(|child| child.digest == self.subject) {
                self.found.indexes.push(digest);
                indexes.push(view);
            }
        }
        Ok(indexes)
    }

    /// The statements that `BuildKit` puts beside an image in its index.
    async fn attestations_in(&mut self, index: &View) -> Result<(), Error> {
        let subject = self.subject;
        for child in index.manifests().iter().filter(|child| child.attested() == Some(subject)) {
            let reference = Reference::Digest(child.digest);
            let found =
                manifest::find(&mut self.connection().await?, self.repository, &reference).await?;
            let Some(found) = found else { continue };
            let (place, view) = (child.digest.to_string(), View::of(&found.bytes));
            for (number, layer) in view.layers().iter().enumerate() {
                if Form::BareStatements.wants(layer)
                    && let Ok(bytes) = self.bytes(layer).await?
                {
                    self.bare(Form::BareStatements, format!("{place}#{number}"), &bytes);
                }
            }
        }
        Ok(())
    }

    /// Notes what a manifest has about the subject.
    fn note(&mut self, form: Form, place: &str, attached: &Attached) {
        let view = View::of(&attached.bytes);
        for (number, layer) in view.into_layers().into_iter().enumerate() {
            if form.wants(&layer) {
                let arrived = self.arrived(&layer, attached);
                let place = format!("{place}#{number}");
                self.candidates.push(Candidate { form, place, arrived, layer });
            }
        }
    }

    /// Reads what was noted. What came first counts first, whichever form it has.
    async fn read(&mut self) -> Result<(), Error> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_by_key(|candidate| candidate.arrived);
        for candidate in candidates {
            if let Some(predicate_type) = sbom_type(&candidate.layer.media_type) {
                let (place, what) = (candidate.place, Said::Of(predicate_type));
                self.found.bare.push(Bare { place, what });
            // The first of the signatures that are not looked at is there to say so.
            } else if self.found.presented.len() <= MAX_SIGNATURES {
                self.read_one(candidate).await?;
            }
        }
        Ok(())
    }

    async fn read_one(&mut self, candidate: Candidate) -> Result<(), Error> {
        let Candidate { form, place, arrived, layer } = candidate;
        let arrived = instant(arrived);
        match self.bytes(&layer).await? {
            Ok(bytes) => {
                for signature in form.signatures(&layer, &bytes) {
                    let place = place.clone();
                    self.found.presented.push(Presented { place, arrived, signature });
                }
                self.bare(form, place, &bytes);
            }
            Err(refusal) => {
                let signature = Err(refusal);
                self.found.presented.push(Presented { place, arrived, signature });
            }
        }
        Ok(())
    }

    /// When a signature came: the manifest under a tag is another one with each signature that is
    /// added, so its own time says nothing about those that were there.
    fn arrived(&self, layer: &Described, attached: &Attached) -> Timestamp {
        let signature = layer.annotation(annotations::SIGNATURE).unwrap_or_default();
        let identity = signature_identity(&layer.digest.to_string(), signature);
        self.arrivals.get(&identity).copied().unwrap_or(attached.pushed_at)
    }

    fn bare(&mut self, form: Form, place: String, bytes: &[u8]) {
        if let Some(Ok(statement)) = form.bare_statement(bytes)
            && statement.is_about(&self.subject)
        {
            self.found.bare.push(Bare { place, what: Said::Statement(Box::new(statement)) });
        }
    }

    /// The bytes of a layer, or why they are not looked at.
    async fn bytes(&mut self, layer: &Described) -> Result<Result<bytes::Bytes, Refusal>, Error> {
        let read = self.registry.small_blob(self.repository, &layer.digest, self.budget).await?;
        Ok(match read {
            SmallBlob::Bytes(bytes) => {
                self.budget = self.budget.saturating_sub(bytes.len() as u64);
                Ok(bytes)
            }
            SmallBlob::TooLarge(size) => {
                let observed = format!("{size} bytes, with {} left to read", self.budget);
                Err(Refusal::new(Reason::TooLarge, observed)
                    .requiring(format!("at most {MAX_BYTES} bytes about one manifest")))
            }
            SmallBlob::Unknown => {
                let observed = format!("{} is not in the repository", layer.digest);
                Err(Refusal::new(Reason::Malformed, observed).requiring("the layer's bytes"))
            }
        })
    }

    /// Notes that there is more, which is not looked at.
    fn too_much(&mut self, last: &Attached) {
        let observed = format!("more than {MAX_MANIFESTS} manifests about one");
        let refusal = Refusal::new(Reason::TooManySignatures, observed)
            .requiring("those that came first are looked at");
        let (place, arrived) = (last.digest.to_string(), instant(last.pushed_at));
        self.found.presented.push(Presented { place, arrived, signature: Err(refusal) });
    }
}

/// A time of the database.
pub(crate) fn instant(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::MAX)
}

/// The commit that an image's configuration names among its labels.
fn revision_label(configuration: &[u8]) -> Option<String> {
    let configuration: serde_json::Value = serde_json::from_slice(configuration).ok()?;
    configuration["config"]["Labels"][REVISION].as_str().map(str::to_owned)
}
