//! What an image says about itself, for people to look at: platforms, its configuration with its
//! history, the children of an index, what an artifact is called.
//!
//! Everything here was written by somebody else. It is a view: a field that is not what it should be is
//! left out and said to be, nothing decides by it, and none of it takes more memory than a few times the
//! bytes it was read from.

mod artifact;
mod attached;
mod child;
mod config;
mod json;
mod platform;

pub use artifact::{ImageKind, describe_artifact};
pub use attached::is_attached;
pub use child::ImageChild;
pub use config::{HistoryEntry, ImageConfig, ParseConfigError, RunConfig};
pub use platform::{ParsePlatformError, Platform};
