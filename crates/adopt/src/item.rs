use std::time::SystemTime;

use plura_oci::{Digest, Manifest, RepositoryName, Tag};

use crate::Finding;

/// Something that was found. Of a repository, its blobs come first, then its manifests, then its tags.
#[derive(Clone, Debug)]
pub enum Item {
    /// A blob that a repository links.
    Blob(FoundBlob),
    /// A manifest; its digest is that of its bytes.
    Manifest(Box<FoundManifest>),
    /// A tag.
    Tag(FoundTag),
    /// A file that may have been told as a blob's turned out to be damaged.
    Damaged {
        /// What it should hold.
        digest: Digest,
        /// Its path below the root.
        path: String,
    },
    /// Something is not as it should be.
    Finding(Finding),
    /// Somebody wrote to the tree then.
    Activity(SystemTime),
    /// So many bytes were read and compared with their digest.
    Verified(u64),
}

/// A blob that a repository links.
#[derive(Clone, Debug)]
pub struct FoundBlob {
    /// The repository.
    pub repository: RepositoryName,
    /// The content.
    pub digest: Digest,
    /// Where its bytes are.
    pub place: Place,
    /// Since when it is linked.
    pub at: Option<SystemTime>,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file of its own.
    Here {
        /// Its path below the root.
        path: String,
        /// Its length in bytes.
        size: u64,
    },
    /// In the file of another digest. What it holds has to be hashed first.
    Alias {
        /// The file's path below the root.
        path: String,
        /// Its length in bytes.
        size: u64,
    },
    /// In a file that was found before, of another repository.
    Elsewhere {
        /// The path below the root of what stands for it.
        path: String,
    },
}

/// A manifest of a repository.
#[derive(Clone, Debug)]
pub struct FoundManifest {
    /// The repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// What is in it, its media type included.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Since when it is there.
    pub at: Option<SystemTime>,
}

/// A tag of a repository.
#[derive(Clone, Debug)]
pub struct FoundTag {
    /// The repository.
    pub repository: RepositoryName,
    /// Its name.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// Since when.
    pub at: Option<SystemTime>,
    /// Where that stands, below the root.
    pub path: String,
}
