use plura_oci::{Digest, Reference, RepositoryName, image::Platform};

use crate::Error;

/// Why nothing can be told about an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The repository has no such tag or digest.
    #[error("{repository} has no {} {reference}", kind_of(reference))]
    Unknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was looked for.
        reference: Reference,
        /// Tags that may have been meant, the nearest first.
        near: Vec<String>,
    },
    /// There is nothing for that platform.
    #[error("there is nothing for {wanted}{}", listed("; there is ", available))]
    NoPlatform {
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        available: Vec<Platform>,
    },
    /// It is for several platforms, and was not asked for one.
    #[error("it is for several platforms{}", listed(": ", available))]
    PlatformNeeded {
        /// What there is.
        available: Vec<Platform>,
    },
    /// The index names a child that the repository does not have.
    #[error("the index names {0}, which is not in this repository")]
    ChildMissing(Digest),
    /// What was asked for only images have.
    #[error("it is no image but {0}")]
    NotAnImage(String),
    /// It has no configuration.
    #[error("it has no configuration")]
    NoConfiguration,
    /// The configuration has more than is read.
    #[error("the configuration has {0} bytes, more than is read")]
    ConfigurationTooLarge(u64),
    /// The repository could not be read.
    #[error(transparent)]
    Registry(#[from] Error),
}

impl ImageError {
    /// What would help, where that is known.
    pub fn fix(&self) -> Option<String> {
        match self {
            Self::Unknown { near, .. } if !near.is_empty() => {
                Some(format!("there is {}", near.join(", ")))
            }
            Self::NoPlatform { available, .. } | Self::PlatformNeeded { available } => available
                .first()
                .map(|platform| format!("ask for one of them: `--platform {platform}`")),
            Self::ChildMissing(_) => Some("push it, or ask for another platform".to_owned()),
            Self::NotAnImage(_) => Some("`plura image inspect` shows what it is".to_owned()),
            _ => None,
        }
    }
}

impl From<plura_meta::Error> for ImageError {
    fn from(error: plura_meta::Error) -> Self {
        Self::Registry(error.into())
    }
}

fn kind_of(reference: &Reference) -> &'static str {
    match reference {
        Reference::Tag(_) => "tag",
        Reference::Digest(_) => "manifest",
    }
}

/// The first few, behind words; nothing if there are none.
fn listed(words: &str, platforms: &[Platform]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = platforms.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if platforms.len() > SHOWN { ", ..." } else { "" };
    if shown.is_empty() { String::new() } else { format!("{words}{}{more}", shown.join(", ")) }
}
