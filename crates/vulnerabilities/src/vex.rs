//! What vendors say: OpenVEX documents that an administrator took over. Whoever may push could otherwise
//! talk vulnerabilities away, so that a document that is only attached to an image is not believed.

use std::io::{Read, Seek};

use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;
use plura_advisories::openvex::VexDocument;
use plura_meta::{
    audit::{self, Event, Origin},
    vulnerability_statement::{self, StoredVex},
};
use plura_oci::Digest;
use serde::Serialize;

use crate::{Error, Vulnerabilities, instant};

/// A VEX document that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReceivedVex {
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// What it calls itself.
    pub id: String,
    /// Who says it.
    pub author: String,
    /// When it was taken over.
    #[schema(value_type = String)]
    pub received_at: Timestamp,
}

impl Vulnerabilities {
    /// Takes over an OpenVEX document.
    pub async fn add_vex(
        &self,
        origin: &Origin,
        sent: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    ) -> Result<ReceivedVex, Error> {
        let bytes = self.whole(sent, VexDocument::MAX_BYTES).await?;
        let document = VexDocument::parse(&bytes)?;
        let stored = StoredVex {
            digest: Digest::sha256(&bytes).to_string(),
            name: document.id.replace('\0', ""),
            author: document.author.replace('\0', ""),
            received_at: plura_meta::Timestamp::now(),
            // What parses as JSON is UTF-8.
            document: String::from_utf8_lossy(&bytes).into_owned(),
        };
        let received = ReceivedVex::of(&stored);
        let event = Event::done("vex.add", format!("vex:{}", stored.digest));
        let detail = serde_json::json!({ "id": stored.name, "author": stored.author });
        let event = Event { detail: detail.to_string(), ..event };
        let origin = origin.clone();
        let work = async move |tx: &mut plura_meta::Tx| {
            if vulnerability_statement::add_vex(tx, &stored).await? {
                audit::record(tx, &origin, &event, stored.received_at).await?;
            }
            Ok::<_, Error>(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(received)
    }

    /// The VEX documents that were taken over, the oldest first.
    pub async fn vex(&self) -> Result<Vec<ReceivedVex>, Error> {
        let stored = vulnerability_statement::vex_documents(&mut self.db().read().await?).await?;
        Ok(stored.iter().map(ReceivedVex::of).collect())
    }

    /// Forgets a VEX document.
    pub async fn remove_vex(&self, origin: &Origin, digest: &Digest) -> Result<(), Error> {
        let (origin, digest) = (origin.clone(), *digest);
        let work = async move |tx: &mut plura_meta::Tx| {
            if !vulnerability_statement::remove_vex(tx, &digest).await? {
                return Err(Error::VexUnknown(digest));
            }
            let event = Event::done("vex.remove", format!("vex:{digest}"));
            audit::record(tx, &origin, &event, plura_meta::Timestamp::now()).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    pub(crate) async fn all_vex(&self) -> Result<Vec<VexDocument>, Error> {
        let stored = vulnerability_statement::vex_documents(&mut self.db().read().await?).await?;
        let document = |stored: &StoredVex| {
            VexDocument::parse(stored.document.as_bytes()).map_err(|error| {
                let text = format!("vex_document of {}: {error}", stored.digest);
                plura_meta::Error::Corrupt(text).into()
            })
        };
        stored.iter().map(document).collect()
    }

    /// All that is sent, in memory.
    pub(crate) async fn whole(
        &self,
        sent: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut file = self.spool(sent, most as u64).await?;
        crate::blocking(move || {
            let mut bytes = Vec::new();
            file.rewind().map_err(Error::Spool)?;
            file.read_to_end(&mut bytes).map_err(Error::Spool)?;
            Ok(bytes)
        })
        .await
    }
}

impl ReceivedVex {
    fn of(stored: &StoredVex) -> Self {
        Self {
            digest: stored.digest.clone(),
            id: stored.name.clone(),
            author: stored.author.clone(),
            received_at: instant(stored.received_at),
        }
    }
}
