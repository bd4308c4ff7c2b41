use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a channel: an environment and what stands there, `prod:stable`. The environment alone,
/// `stg`, is its stable channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName {
    environment: Box<str>,
    tag: Box<str>,
}

/// The text is not a name of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `ENVIRONMENT:NAME` such as `prod:stable`, or the environment alone for its stable \
     channel; both of lower-case letters and digits with `-` between them, at most 63 each"
)]
pub struct ParseChannelError;

impl ChannelName {
    /// What an environment's channel is called if nothing is said.
    pub const STABLE: &str = "stable";

    /// Where it is: `prod`.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The tag that stands for it: `stable`.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// A label of the DNS, so that it is a path component, a tag and a namespace as well.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inside = text.bytes().all(|byte| plain(byte) || byte == b'-');
    let single = !text.contains("--");
    let ends = [text.bytes().next(), text.bytes().last()];
    inside && single && text.len() <= 63 && ends.into_iter().all(|end| end.is_some_and(plain))
}

impl FromStr for ChannelName {
    type Err = ParseChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (environment, tag) = text.split_once(':').unwrap_or((text, Self::STABLE));
        if !is_label(environment) || !is_label(tag) {
            return Err(ParseChannelError);
        }
        Ok(Self { environment: environment.into(), tag: tag.into() })
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.environment, self.tag)
    }
}

impl Serialize for ChannelName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChannelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_alone_is_its_stable_channel() {
        for (text, written) in [
            ("prod:stable", Some("prod:stable")),
            ("prod", Some("prod:stable")),
            ("prod:candidate", Some("prod:candidate")),
            ("eu-1:blue", Some("eu-1:blue")),
            ("", None),
            (":stable", None),
            ("prod:", None),
            ("Prod", None),
            ("a--b", None),
            ("-a", None),
            ("a:b:c", None),
            ("a/b", None),
        ] {
            let channel = text.parse::<ChannelName>().ok().map(|channel| channel.to_string());
            assert_eq!(channel.as_deref(), written, "{text}");
        }
        assert!("a".repeat(64).parse::<ChannelName>().is_err());
    }
}
