//! The document that governs: which tags may be pushed, what must be true of an image before it is in
//! a channel or is pulled, how channels follow one another, and when. What is written is checked as a
//! whole; everything that is wrong is told, with its place and what would be right.

mod canary;
mod channels;
mod compile;
mod layout;
mod problem;
mod promotion;
mod times;

use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    gate::{BaseImage, BaseImageDocument, GatesDocument},
    pull::PullDocument,
    retention::RetentionDocument,
    tags::TagRuleDocument,
};

pub use canary::{
    Baseline, Canary, CanaryDocument, CanaryFailure, Metric, MetricDocument, ParsePercentageError,
    Percentage, Step, StepDocument, Worse,
};
pub use channels::{Channel, ChannelDocument};
pub use compile::{ChannelError, Governance};
pub use layout::{Layout, LayoutDocument};
pub use problem::Problem;
pub use promotion::{Blocks, BlocksDocument, Promotion, PromotionDocument};
pub use times::{FreezeDocument, WindowDocument};

pub(crate) use channels::few;
pub(crate) use compile::twice;
pub(crate) use problem::{Place, cut, shortened};
pub(crate) use times::Freeze;

/// Base images by their names in the document.
pub(crate) type BaseImages = BTreeMap<String, BaseImage>;

/// A complete document with an explanation of every key.
pub const EXAMPLE: &str = include_str!("../example.toml");

/// The most bytes of a document.
pub const MAX_SIZE: usize = 512 * 1024;

/// The format that is written and read here.
const FORMAT: u32 = 1;

/// The document as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyDocument)]
pub struct GovernanceDocument {
    /// The format of the document: 1.
    pub format: u32,
    /// What it is for.
    pub description: Option<String>,
    /// Where services and their channels are.
    pub layout: LayoutDocument,
    /// What may be pushed under which tags.
    pub tags: Vec<TagRuleDocument>,
    /// What images may be built on, by a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub base_images: BTreeMap<String, BaseImageDocument>,
    /// Hours in which something may be done, by a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<String, WindowDocument>,
    /// Times in which nothing moves.
    pub freezes: Vec<FreezeDocument>,
    /// What must be true, by a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, GatesDocument>,
    /// How an image gets more and more of the traffic, by a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub canaries: BTreeMap<String, CanaryDocument>,
    /// How long promotions wait.
    #[serde(skip_serializing_if = "is_default")]
    pub promotion: PromotionDocument,
    /// What becomes of images that must not be run.
    #[serde(skip_serializing_if = "is_default")]
    pub blocks: BlocksDocument,
    /// The channels, and how they follow one another.
    pub channels: Vec<ChannelDocument>,
    /// What must be true of what is pulled.
    pub pulls: Vec<PullDocument>,
    /// What is kept and what goes.
    #[serde(skip_serializing_if = "is_default")]
    pub retention: RetentionDocument,
}

/// Why a document cannot govern: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.problems))]
pub struct DocumentError {
    /// What is wrong, in the order of the document.
    pub problems: Vec<Problem>,
}

impl Default for GovernanceDocument {
    /// A document that asks for nothing.
    fn default() -> Self {
        Self {
            format: FORMAT,
            description: None,
            layout: LayoutDocument::default(),
            tags: Vec::new(),
            base_images: BTreeMap::new(),
            windows: BTreeMap::new(),
            freezes: Vec::new(),
            gates: BTreeMap::new(),
            canaries: BTreeMap::new(),
            promotion: PromotionDocument::default(),
            blocks: BlocksDocument::default(),
            channels: Vec::new(),
            pulls: Vec::new(),
            retention: RetentionDocument::default(),
        }
    }
}

impl GovernanceDocument {
    /// Reads a document in TOML.
    pub fn from_toml(text: &str) -> Result<Self, DocumentError> {
        check_size(text.len())?;
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.get(..start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            unreadable(line, column, error.message())
        })
    }

    /// Reads a document in JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        check_size(bytes.len())?;
        serde_json::from_slice(bytes)
            .map_err(|error| unreadable(error.line(), error.column(), &error.to_string()))
    }

    /// Writes the document in TOML, without comments.
    pub fn to_toml(&self) -> String {
        // Keys are texts and numbers are small: nothing in it cannot be written.
        toml::to_string(self).unwrap_or_default()
    }

    /// The SHA-256 of what the document says, however it is written.
    pub fn digest(&self) -> Digest {
        Digest::sha256(self.canonical().to_string().as_bytes())
    }

    /// The document with sorted keys and without those that say nothing, so that a key that is added
    /// to the format changes no document that does not use it.
    pub(crate) fn canonical(&self) -> serde_json::Value {
        canonical(serde_json::to_value(self).unwrap_or_default())
    }
}

fn canonical(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(entries) => {
            let says = |value: &Value| !value.is_null() && *value != Value::Array(Vec::new());
            let entries: BTreeMap<String, Value> = entries.into_iter().collect();
            let entries = entries.into_iter().filter(|(_, value)| says(value));
            Value::Object(entries.map(|(key, value)| (key, canonical(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// Whether it says nothing, so that it need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn check_size(size: usize) -> Result<(), DocumentError> {
    if size <= MAX_SIZE {
        return Ok(());
    }
    let observed = format!("the document has {size} bytes");
    let fix = format!("expected at most {MAX_SIZE}");
    Err(DocumentError { problems: vec![Problem { path: String::new(), observed, fix }] })
}

fn unreadable(line: usize, column: usize, message: &str) -> DocumentError {
    let path = format!("line {line}, column {column}");
    // What stands there is quoted, and may be anything.
    let observed: String =
        message.chars().take(500).map(|c| if c == '\n' { ' ' } else { c }).collect();
    let fix = "see `plura policy example` for every key".to_owned();
    DocumentError { problems: vec![Problem { path, observed, fix }] }
}

fn told(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
