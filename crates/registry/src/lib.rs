//! Use cases of the distribution API over blobs and metadata.
