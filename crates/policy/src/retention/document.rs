use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept and what goes, as an operator writes it. Times are texts such as `180d`; patterns have
/// stars, each of which stands for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyRetention)]
pub struct RetentionDocument {
    /// For how long an image that a channel has left can be returned to. The first that covers a channel
    /// counts; a channel that none covers keeps its whole history.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelWindow>,
    /// What is kept, whatever else is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<KeepRule>,
    /// What goes if nothing keeps it. What no rule names is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expire: Vec<ExpireRule>,
}

/// How long the history of channels is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyRetentionWindow)]
pub struct ChannelWindow {
    /// Which channels: `prod:stable`, or `stg` for all of an environment; with stars for any characters.
    pub channel: String,
    /// How long after the channel has left an image.
    pub window: String,
}

/// Something that is kept. Without a condition, always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyRetentionKeep)]
pub struct KeepRule {
    /// What reports call the rule.
    pub name: String,
    /// Patterns of the repositories that it is about; none for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Patterns of those of them that it is not about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_repositories: Vec<String>,
    /// Patterns of the tags that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Patterns of those of them that it is not about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_tags: Vec<String>,
    /// Whether it is about untagged images, too.
    #[serde(skip_serializing_if = "is_false")]
    pub untagged: bool,
    /// The newest so many images of each pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<u32>,
    /// Which are the newest; by their push unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What was pushed or tagged within that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_within: Option<String>,
    /// What was pulled within that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled_within: Option<String>,
    /// What was pushed, tagged or pulled within that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_within: Option<String>,
}

/// What makes an image newer than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PolicyRetentionOrder)]
pub enum Order {
    /// The version in its tag; tags without one are older than all that have one.
    Version,
    /// When it was pushed or tagged.
    #[default]
    Pushed,
    /// When it was last pulled.
    Pulled,
    /// When it was last pushed, tagged or pulled.
    Active,
}

/// Something that goes if nothing keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyRetentionExpire)]
pub struct ExpireRule {
    /// What reports call the rule.
    pub name: String,
    /// Patterns of the repositories that it is about; none for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Patterns of those of them that it is not about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_repositories: Vec<String>,
    /// Patterns of the tags that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Patterns of those of them that it is not about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_tags: Vec<String>,
    /// Whether it is about untagged images, too.
    #[serde(skip_serializing_if = "is_false")]
    pub untagged: bool,
    /// What was pushed or tagged, or lost its last tag, longer ago than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<String>,
    /// What was neither pushed nor tagged nor pulled for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
    /// Everything that no rule keeps, however new it is. For rules without a time, so that nobody
    /// deletes everything by leaving one out.
    #[serde(skip_serializing_if = "is_false")]
    pub unless_kept: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

impl RetentionDocument {
    /// What most installations want: histories of channels as long as an audit asks for them, and images
    /// of branches and experiments gone a week after the last use.
    pub fn recommended() -> Self {
        let window = |channel: &str, window: &str| ChannelWindow {
            channel: channel.to_owned(),
            window: window.to_owned(),
        };
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
        Self {
            channels: vec![
                window("prod:stable", "180d"),
                window("prod:candidate", "30d"),
                window("stg", "30d"),
                window("dev", "14d"),
            ],
            keep: vec![KeepRule {
                name: "releases".to_owned(),
                tags: texts(&["v*", "*.*.*"]),
                newest: Some(20),
                order: Some(Order::Version),
                ..KeepRule::default()
            }],
            expire: vec![
                ExpireRule {
                    name: "branches-and-experiments".to_owned(),
                    tags: texts(&["branch-*", "pr-*", "experiment-*"]),
                    idle: Some("7d".to_owned()),
                    ..ExpireRule::default()
                },
                ExpireRule {
                    name: "untagged".to_owned(),
                    untagged: true,
                    idle: Some("7d".to_owned()),
                    ..ExpireRule::default()
                },
            ],
        }
    }
}
