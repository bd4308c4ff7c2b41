//! Looking at promotions.

use plura_meta::promotion::{self as stored, Filter};
use plura_registry::Readable;
use serde::Serialize;
use utoipa::ToSchema;

use super::Promotion;
use crate::{Error, Governance, refusal::Refusal};

/// Which promotions; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct PromotionFilter {
    /// Into channels of this environment.
    pub environment: Option<String>,
    /// Into channels with this tag.
    pub tag: Option<String>,
    /// Of this service.
    pub service: Option<String>,
    /// Only those that have not ended.
    pub running: bool,
    /// Asked for before the one with this key.
    pub after: Option<String>,
    /// The most that are listed.
    pub limit: u32,
}

/// Some of the promotions, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PromotionPage {
    /// The promotions.
    pub promotions: Vec<Promotion>,
    /// What the next page begins behind.
    pub next: Option<String>,
}

impl Governance {
    /// The promotion of that key.
    pub async fn promotion(&self, id: &str) -> Result<Promotion, Error> {
        let found = stored::find(&mut self.db().read().await?, id).await?;
        Promotion::of(&found.ok_or_else(|| Refusal::NoPromotion(id.to_owned()))?)
    }

    /// The promotions that the filter lets through and whose images somebody may read.
    pub async fn promotions(
        &self,
        filter: &PromotionFilter,
        readable: &Readable,
    ) -> Result<PromotionPage, Error> {
        let PromotionFilter { environment, tag, service, running, after, limit } = filter.clone();
        let mut filter = Filter { environment, tag, service, running, before: after };
        let mut connection = self.db().read().await?;
        let mut promotions = Vec::new();
        loop {
            let page = stored::list(&mut connection, &filter, limit).await?;
            let is_last = page.len() < limit as usize;
            filter.before = page.last().map(|row| row.id.clone());
            for row in page.iter().filter(|row| readable.contains(&row.repository)) {
                if promotions.len() == limit as usize {
                    let next = promotions.last().map(|last: &Promotion| last.id.clone());
                    return Ok(PromotionPage { promotions, next });
                }
                promotions.push(Promotion::of(row)?);
            }
            if is_last {
                return Ok(PromotionPage { promotions, next: None });
            }
        }
    }
}
