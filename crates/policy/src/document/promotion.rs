use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChannelName, document::problem::Place, glob::Glob, time_span::TimeSpan};

/// How long promotions wait, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyPromotion)]
pub struct PromotionDocument {
    /// How long a promotion waits for what gates wait for; a day, if nothing is said.
    pub patience: Option<String>,
    /// For how long the key counts that undoes a promotion; seven days, if nothing is said.
    pub rollback_key_life: Option<String>,
    /// How long figures may be missing before a step fails; ten minutes, if nothing is said.
    pub data_patience: Option<String>,
}

/// How long promotions wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// How long a promotion waits for what gates wait for.
    pub patience: TimeSpan,
    /// For how long the key counts that undoes a promotion.
    pub rollback_key_life: TimeSpan,
    /// How long figures may be missing before a step fails.
    pub data_patience: TimeSpan,
}

/// What becomes of images that must not be run, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyBlocks)]
pub struct BlocksDocument {
    /// Whether tags that point at them are left out of lists; they are, if nothing is said.
    pub hide_tags: Option<bool>,
    /// Whether they cannot be pulled; they cannot, if nothing is said.
    pub refuse_pulls: Option<bool>,
    /// Patterns of the channels that go back by themselves when what they point at may not be there any
    /// more; none, if there are none.
    pub roll_back: Vec<String>,
}

/// What becomes of images that must not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Whether tags that point at them are left out of lists.
    pub hide_tags: bool,
    /// Whether they cannot be pulled.
    pub refuse_pulls: bool,
    roll_back: Vec<Glob>,
}

impl Default for Promotion {
    fn default() -> Self {
        Self {
            patience: TimeSpan::from_seconds(24 * 60 * 60),
            rollback_key_life: TimeSpan::from_seconds(7 * 24 * 60 * 60),
            data_patience: TimeSpan::from_seconds(10 * 60),
        }
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self { hide_tags: true, refuse_pulls: true, roll_back: Vec::new() }
    }
}

impl Blocks {
    /// Whether the channel goes back by itself when what it points at may not be there any more.
    pub fn rolls_back(&self, channel: &ChannelName) -> bool {
        let channel = channel.to_string();
        self.roll_back.iter().any(|glob| glob.covers(&channel))
    }
}

impl PromotionDocument {
    pub(super) fn compile(&self, place: &mut Place<'_>) -> Promotion {
        let default = Promotion::default();
        let mut span = |key, text: &Option<String>| place.span(key, text.as_ref());
        Promotion {
            patience: span("patience", &self.patience).unwrap_or(default.patience),
            rollback_key_life: span("rollback_key_life", &self.rollback_key_life)
                .unwrap_or(default.rollback_key_life),
            data_patience: span("data_patience", &self.data_patience)
                .unwrap_or(default.data_patience),
        }
    }
}

impl BlocksDocument {
    pub(super) fn compile(&self, place: &mut Place<'_>) -> Blocks {
        let default = Blocks::default();
        let mut at = place.at("roll_back");
        let roll_back = match super::few(&self.roll_back, &mut at) {
            Some(()) => at.parse_all(&self.roll_back),
            None => Vec::new(),
        };
        Blocks {
            hide_tags: self.hide_tags.unwrap_or(default.hide_tags),
            refuse_pulls: self.refuse_pulls.unwrap_or(default.refuse_pulls),
            roll_back,
        }
    }
}
