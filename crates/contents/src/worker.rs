//! Reads images as they arrive, without being asked to wait.

use std::time::Duration;

use plura_meta::{
    Timestamp, Tx,
    contents::{
        review::{self, Review},
        walk,
    },
    repository,
};
use plura_oci::Reference;
use plura_registry::{ImageQuery, did, work_when_asked};
use tracing::{debug, error, warn};

use crate::{Contents, Error, READER, ask::is_no_image};

/// What is taken at a time.
const BATCH: u32 = 8;
/// Manifests that the walk looks at with one commit.
const STEP: u32 = 1000;
/// How long what was taken is left to who took it: large images take their time.
const CLAIM: Duration = Duration::from_mins(15);
/// After how long what failed is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// How long, and how often, uploads are let go first: a registry that is never idle is read, too.
const MOMENT: Duration = Duration::from_millis(20);
const GIVEN_WAY: u32 = 10;

impl Contents {
    /// Reads images as they are asked for, for ever.
    pub async fn watch(&self) {
        // Whoever asks for a certain image does not wait for this.
        let failed = |error: Error| error!(%error, "images cannot be read; trying again");
        work_when_asked(|| self.work(), || self.registry().contents_asked(), failed).await;
    }

    /// Reads some of the images that are asked for, one after the other; whether there may be more.
    pub async fn work(&self) -> Result<bool, Error> {
        let reviews = self.take().await?;
        if reviews.is_empty() {
            return self.walk().await;
        }
        for review in reviews {
            self.make_way().await;
            if let Err(error) = self.settle(review).await {
                warn!(%error, digest = %review.digest, "an image cannot be read now");
                self.postpone(review).await?;
            }
            did(1).await;
        }
        Ok(true)
    }

    /// How many images wait to be read.
    pub async fn waiting(&self) -> Result<u64, Error> {
        Ok(review::count_waiting(&mut self.db().read().await?).await?)
    }

    async fn take(&self) -> Result<Vec<Review>, Error> {
        let now = Timestamp::now();
        if !self.db().is_shared() {
            return Ok(review::waiting(&mut self.db().read().await?, now, BATCH).await?);
        }
        if self.waiting().await? == 0 {
            return Ok(Vec::new());
        }
        let work = async move |tx: &mut Tx| review::take(tx, now, now.after(CLAIM), BATCH).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    /// Does what a review asks for, and ends it.
    async fn settle(&self, review: Review) -> Result<(), Error> {
        let Some(query) = self.query(review).await? else { return self.finish(review).await };
        let manifest = match self.registry().single_image(&query).await {
            Ok(manifest) if manifest.digest == review.digest => manifest,
            Ok(_) => return self.finish(review).await,
            Err(error) if is_no_image(&error) => return self.finish(review).await,
            Err(error) => return Err(error.into()),
        };
        let repository = &query.repository;
        if self.shared.settings.attach_sbom.is_some() {
            let known = self.known_image(repository, manifest).await?;
            self.attach(repository, &known).await;
            return self.finish(review).await;
        }
        if self.current(&review.digest).await?.is_some() {
            return self.finish(review).await;
        }
        let read = self.read_image(repository, &manifest).await?;
        debug!(digest = %review.digest, packages = read.packages.len(), "an image was read");
        self.keep(repository, &read, Some(review)).await
    }

    /// Where the image is: in the repository that asked, or else in any that has it.
    async fn query(&self, review: Review) -> Result<Option<ImageQuery>, Error> {
        let mut connection = self.db().read().await?;
        let holder = review::holder(&mut connection, &review).await?;
        let Some(holder) = holder else { return Ok(None) };
        let Some(repository) = repository::name(&mut connection, holder).await? else {
            return Ok(None);
        };
        let reference = Reference::Digest(review.digest);
        Ok(Some(ImageQuery { repository, reference, platform: None }))
    }

    /// Lets uploads that are under way go first, for a while: nobody waits for what is read here.
    async fn make_way(&self) {
        for _ in 0..GIVEN_WAY {
            if self.registry().active_uploads() == 0 {
                return;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    async fn postpone(&self, review: Review) -> Result<(), Error> {
        let until = Timestamp::now().after(AGAIN);
        let work = async move |tx: &mut Tx| review::postpone(tx, &review, until).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    /// Takes the next step of the walk over what was there before; whether there may be more.
    async fn walk(&self) -> Result<bool, Error> {
        if walk::is_over(&mut self.db().read().await?, READER).await? {
            return Ok(false);
        }
        let work = async move |tx: &mut Tx| walk::step(tx, READER, STEP).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }
}
