//! Vocabulary of the OCI distribution and image specifications.
//!
//! Everything that enters plura by `/v2` is parsed here, once, into a type that cannot hold a wrong
//! value, and everything that leaves is printed by the same type. This crate is pure: no async, no
//! I/O, no HTTP library.

mod action;
mod algorithm;
mod digest;
mod error;
mod history_page;
pub mod image;
mod manifest;
mod media_type;
mod name;
mod page;
mod path;
mod range;
mod reference;
mod upload_id;

pub use action::{Action, StartUpload};
pub use algorithm::{Algorithm, Hasher, SavedHash};
pub use digest::{Digest, ParseDigestError};
pub use error::{ErrorCode, RequestError};
pub use history_page::HistoryPage;
pub use manifest::{Descriptor, Manifest, ManifestError, ManifestKind};
pub use media_type::{MediaType, ParseMediaTypeError};
pub use name::{ParseNameError, RepositoryName};
pub use page::Page;
pub use range::{ByteRange, ContentRange, RangeError};
pub use reference::{Attachment, AttachmentKind, ParseTagError, Reference, Tag};
pub use upload_id::UploadId;

pub mod media_types {
    //! The media types that plura knows by name.
    pub use crate::media_type::known::*;
}

pub mod location {
    //! Paths of `/v2`, printed; the other direction of [`crate::Action::parse`].
    pub use crate::path::*;
}
