use std::fmt;

/// How much of a layer is read, and how much of what was read is kept.
///
/// Layers come from whoever may push. Reading one costs at most these numbers, whatever it claims: of
/// memory, a few mebibytes, [`Self::held_file_bytes`], [`Self::archive_expanded_bytes`] and
/// [`Self::kept_bytes`] at worst, and a few mebibytes for what is usual.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Entries of the archive.
    pub entries: u64,
    /// Length of a path or of the target of a link.
    pub path_bytes: u64,
    /// Bytes of the archive, uncompressed.
    pub expanded_bytes: u64,
    /// Uncompressed bytes for each compressed one, once `ratio_from` bytes came out.
    pub ratio: u64,
    /// Small layers may compress as well as they like.
    pub ratio_from: u64,
    /// Size of the headers that describe one entry beyond its block: pax records, long names.
    pub extension_bytes: u64,
    /// The window that a zstd frame may ask for, as a power of two.
    pub zstd_window_log: u32,
    /// Whiteouts and opaque directories.
    pub whiteouts: u64,
    /// A file that must be held whole to be read: a database or a Java archive. What is
    /// larger is noted and not read.
    pub held_file_bytes: u64,
    /// A text or JSON file that says what is installed. What is larger is noted and not read.
    pub text_file_bytes: u64,
    /// A file that is searched for secrets. What is larger is not.
    pub searched_file_bytes: u64,
    /// Java archives inside Java archives.
    pub archive_depth: u32,
    /// Entries of a Java archive.
    pub archive_entries: u64,
    /// Bytes inflated from one Java archive and all that it contains.
    pub archive_expanded_bytes: u64,
    /// Packages of a layer.
    pub packages: u64,
    /// Bytes of names, versions, paths and licenses kept of a layer.
    pub kept_bytes: u64,
    /// Secrets reported of a layer; that there are more is noted.
    pub findings: usize,
    /// Notes kept of a layer.
    pub notes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            entries: 2_000_000,
            path_bytes: 4096,
            expanded_bytes: 64 << 30,
            ratio: 250,
            ratio_from: 256 * MIB,
            extension_bytes: MIB,
            zstd_window_log: 25,
            whiteouts: 200_000,
            held_file_bytes: 128 * MIB,
            text_file_bytes: 32 * MIB,
            searched_file_bytes: 256 << 10,
            archive_depth: 4,
            archive_entries: 200_000,
            archive_expanded_bytes: 128 * MIB,
            packages: 200_000,
            kept_bytes: 64 * MIB,
            findings: 1000,
            notes: 200,
        }
    }
}

/// Which of the [`Limits`] stopped the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::entries`]
    Entries,
    /// [`Limits::path_bytes`], by a name
    Path,
    /// [`Limits::path_bytes`], by the target of a link
    LinkTarget,
    /// [`Limits::expanded_bytes`]
    ExpandedBytes,
    /// [`Limits::ratio`]
    Ratio,
    /// [`Limits::extension_bytes`]
    Extension,
    /// [`Limits::zstd_window_log`]
    ZstdWindow,
    /// [`Limits::whiteouts`]
    Whiteouts,
    /// [`Limits::packages`]
    Packages,
    /// [`Limits::kept_bytes`]
    KeptBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::Path => "bytes of a path",
            Self::LinkTarget => "bytes of a link's target",
            Self::ExpandedBytes => "uncompressed bytes",
            Self::Ratio => "uncompressed bytes for each compressed one",
            Self::Extension => "bytes of headers for one entry",
            Self::ZstdWindow => "as the power of two of a zstd window",
            Self::Whiteouts => "whiteouts",
            Self::Packages => "packages",
            Self::KeptBytes => "bytes of names, versions and licenses",
        })
    }
}
