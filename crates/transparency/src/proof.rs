//! Proofs that an entry is part of the log.

use std::time::Duration;

use plura_tlog::Proof;
use tokio::time::Instant;

use crate::{Error, Head, Transparency};

/// How often is looked for what another process integrated.
const PAUSE: Duration = Duration::from_millis(100);

/// The proofs of some entries, all by one head.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    /// The head that signs the root; nothing before the first.
    pub head: Option<Head>,
    /// The proofs of those that are part of the tree, as they were asked for.
    pub proofs: Vec<Proof>,
}

impl Transparency {
    /// The proofs of those of the entries that are part of the tree.
    pub async fn proofs(&self, indexes: &[u64]) -> Result<Proofs, Error> {
        let Some(head) = self.head().await? else { return Ok(Proofs::default()) };
        let mut proofs = Vec::with_capacity(indexes.len());
        for index in indexes.iter().copied().filter(|index| *index < head.size) {
            proofs.push(self.proof_by(index, &head).await?);
        }
        Ok(Proofs { head: Some(head), proofs })
    }

    async fn proof_by(&self, index: u64, head: &Head) -> Result<Proof, Error> {
        let found = self.shared.tiles.read_all(Proof::resources(index, head.size)).await?;
        Ok(Proof::new(&found, index, &head.checkpoint)?)
    }

    /// The proof of an entry; nothing as long as it is not part of the tree.
    pub async fn proof(&self, index: u64) -> Result<Option<Proof>, Error> {
        let Some(head) = self.head().await?.filter(|head| index < head.size) else {
            let size = self.size().await?;
            let is_known = index < size;
            return if is_known { Ok(None) } else { Err(Error::NoSuchEntry { index, size }) };
        };
        self.proof_by(index, &head).await.map(Some)
    }

    /// The same, as soon as the entry is part of the tree, if it is within that time.
    pub async fn wait_for(&self, index: u64, time: Duration) -> Result<Option<Proof>, Error> {
        let deadline = Instant::now() + time;
        loop {
            let integrated = self.shared.integrated.notified();
            let proof = self.proof(index).await?;
            if proof.is_some() || Instant::now() >= deadline {
                return Ok(proof);
            }
            self.ask();
            let next = deadline.min(Instant::now() + PAUSE);
            let _ = tokio::time::timeout_at(next, integrated).await;
        }
    }
}
