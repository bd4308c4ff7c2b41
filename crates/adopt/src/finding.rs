use serde::Serialize;

/// Something in a tree that is not as it should be, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Where, below the root.
    pub path: String,
    /// What exactly.
    pub detail: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of something that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was understood all the same: nothing is missing.
    Mended,
    /// It was left out, and nothing that could be pulled needs it.
    LeftOut,
    /// Something that the tree names cannot be pulled.
    Lost,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A repository whose name is none.
    BadName,
    /// A tag whose name is none.
    BadTag,
    /// A directory or file that is named after a digest, and the name is none.
    BadPath,
    /// A digest of an algorithm that plura does not compute.
    UnsupportedDigest,
    /// A link file that is empty, or holds no digest.
    BadLink,
    /// A link file that names another digest than its place does.
    WrongLink,
    /// A link to a blob whose bytes are not there.
    DanglingLink,
    /// A tag without a link that says what it points at.
    MissingTagLink,
    /// A tag that points at a manifest that is not there.
    DanglingTag,
    /// A tag that an index names twice.
    DuplicateTag,
    /// A tag that was moved here since, and stays.
    KeptTag,
    /// A manifest that a tag points at and that its repository does not link.
    MissingRevision,
    /// A manifest whose bytes are not there.
    MissingManifest,
    /// Bytes that are not those of their digest.
    WrongDigest,
    /// What is no manifest.
    BadManifest,
    /// A Docker manifest of the first schema.
    SchemaOne,
    /// A manifest needs a blob that is not there, or is damaged.
    MissingBlob,
    /// A manifest needs a blob that is there, but that its repository does not link.
    UnlinkedBlob,
    /// An index contains a manifest that its repository does not have.
    MissingChild,
    /// A blob by a second digest, which needs a copy of its own.
    Alias,
    /// The index of an OCI layout that cannot be read.
    BadIndex,
    /// A file or directory that cannot be read.
    Unreadable,
    /// Uploads that were under way.
    Uploads,
}

impl FindingKind {
    /// The kind as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadName => "bad_name",
            Self::BadTag => "bad_tag",
            Self::BadPath => "bad_path",
            Self::UnsupportedDigest => "unsupported_digest",
            Self::BadLink => "bad_link",
            Self::WrongLink => "wrong_link",
            Self::DanglingLink => "dangling_link",
            Self::MissingTagLink => "missing_tag_link",
            Self::DanglingTag => "dangling_tag",
            Self::DuplicateTag => "duplicate_tag",
            Self::KeptTag => "kept_tag",
            Self::MissingRevision => "missing_revision",
            Self::MissingManifest => "missing_manifest",
            Self::WrongDigest => "wrong_digest",
            Self::BadManifest => "bad_manifest",
            Self::SchemaOne => "schema_one",
            Self::MissingBlob => "missing_blob",
            Self::UnlinkedBlob => "unlinked_blob",
            Self::MissingChild => "missing_child",
            Self::Alias => "alias",
            Self::BadIndex => "bad_index",
            Self::Unreadable => "unreadable",
            Self::Uploads => "uploads",
        }
    }
}

impl Outcome {
    /// The outcome as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mended => "mended",
            Self::LeftOut => "left out",
            Self::Lost => "LOST",
        }
    }
}

impl Finding {
    /// Something that was understood all the same.
    pub fn mended(kind: FindingKind, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, path: path.into(), detail: detail.into(), outcome: Outcome::Mended }
    }

    /// Something that was left out and that nothing needs.
    pub fn left_out(kind: FindingKind, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, path: path.into(), detail: detail.into(), outcome: Outcome::LeftOut }
    }

    /// Something that cannot be pulled.
    pub fn lost(kind: FindingKind, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, path: path.into(), detail: detail.into(), outcome: Outcome::Lost }
    }
}
