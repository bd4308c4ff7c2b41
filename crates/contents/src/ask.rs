//! Asking what is in images; what was not read yet is read then.

use plura_meta::{
    Tx,
    contents::{
        image::{self, StoredImage},
        layer, review,
    },
    repository,
};
use plura_oci::{Digest, RepositoryName};
use plura_registry::{ImageError, ImageManifest, ImageQuery};

use crate::{
    Contents, Error, ImageContents, ListedPackage, PackageList, READER, blocking, image::Document,
    instant, packing::unpack,
};

/// An image that is known.
pub(crate) struct KnownImage {
    pub(crate) manifest: ImageManifest,
    pub(crate) document: Document,
    pub(crate) read_at: jiff::Timestamp,
}

impl Contents {
    /// What is in the one image that is meant.
    pub async fn of(&self, query: &ImageQuery) -> Result<ImageContents, Error> {
        let KnownImage { manifest, document, read_at } = self.known(query).await?;
        Ok(ImageContents::of(manifest.digest, manifest.index, document, read_at))
    }

    /// What is kept of an image, where somebody read it. Nothing is read for it.
    pub async fn kept(&self, digest: &Digest) -> Result<Option<ImageContents>, Error> {
        let known = self.current(digest).await?;
        Ok(known.map(|(document, read_at)| ImageContents::of(*digest, None, document, read_at)))
    }

    /// What is in each image that is meant: of an index without a platform, in those for each platform
    /// that the repository has.
    pub async fn all_of(&self, query: &ImageQuery) -> Result<Vec<ImageContents>, Error> {
        let mut all = Vec::new();
        for manifest in self.registry().all_images(query).await? {
            let known = self.known_image(&query.repository, manifest).await?;
            let KnownImage { manifest, document, read_at } = known;
            all.push(ImageContents::of(manifest.digest, manifest.index, document, read_at));
        }
        Ok(all)
    }

    /// The packages of the one image that is meant: those of the kind, and with the text in their names.
    pub async fn packages(
        &self,
        query: &ImageQuery,
        kind: Option<&str>,
        name: Option<&str>,
    ) -> Result<PackageList, Error> {
        let KnownImage { manifest, document, .. } = self.known(query).await?;
        let Document { facts, problems, .. } = document;
        let wanted = |package: &ListedPackage| {
            kind.is_none_or(|kind| package.kind == kind)
                && name.is_none_or(|name| package.name.contains(name))
        };
        let packages =
            facts.packages.into_iter().map(|found| ListedPackage::of(found, &facts.layers));
        Ok(PackageList {
            digest: manifest.digest,
            os: facts.os.as_ref().map(Into::into),
            packages: packages.filter(wanted).collect(),
            problems,
        })
    }

    /// Lets the images that are meant be read again, from their layers. What is known of them stays
    /// until then. How many they are.
    pub async fn read_again(&self, query: &ImageQuery) -> Result<usize, Error> {
        let images = self.registry().all_images(query).await?;
        let (count, name) = (images.len(), query.repository.clone());
        let work = async move |tx: &mut Tx| {
            let Some(id) = repository::find(tx, &name).await? else { return Ok(()) };
            for image in &images {
                let layers = image.manifest.layers.iter().map(|layer| &layer.digest);
                layer::outdate(tx, layers).await?;
                image::outdate(tx, &image.digest).await?;
                review::ask(tx, id, &image.digest).await?;
            }
            Ok::<_, Error>(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.registry().ask_for_contents();
        Ok(count)
    }

    /// The one image that is meant.
    pub(crate) async fn known(&self, query: &ImageQuery) -> Result<KnownImage, Error> {
        let manifest = self.registry().single_image(query).await?;
        self.known_image(&query.repository, manifest).await
    }

    /// An image with what is known of it, read now if nobody has read it.
    pub(crate) async fn known_image(
        &self,
        repository: &RepositoryName,
        manifest: ImageManifest,
    ) -> Result<KnownImage, Error> {
        if let Some((document, read_at)) = self.current(&manifest.digest).await? {
            return Ok(KnownImage { manifest, document, read_at });
        }
        let read = self.read_image(repository, &manifest).await?;
        self.keep(repository, &read, None).await?;
        let read_at = instant(read.new.read_at);
        Ok(KnownImage { manifest, document: read.document, read_at })
    }

    /// What is known of an image, if it still holds.
    pub(crate) async fn current(
        &self,
        digest: &Digest,
    ) -> Result<Option<(Document, jiff::Timestamp)>, Error> {
        let found = image::find(&mut self.db().read().await?, digest).await?;
        let Some(found) = found.filter(is_current) else { return Ok(None) };
        let read_at = instant(found.read_at);
        // What cannot be understood is read again.
        let document = blocking(move || unpack::<Document>(&found.document)).await;
        Ok(document.map(|(document, _)| (document, read_at)))
    }
}

/// Whether what read it is no older than this.
fn is_current(image: &StoredImage) -> bool {
    image.basis.parse::<i64>().is_ok_and(|reader| reader >= READER)
}

/// Whether an error says that there is no such image.
pub(crate) fn is_no_image(error: &ImageError) -> bool {
    matches!(
        error,
        ImageError::Unknown { .. }
            | ImageError::NotAnImage(_)
            | ImageError::ChildMissing(_)
            | ImageError::PlatformNeeded { .. }
            | ImageError::NoPlatform { .. }
    )
}
