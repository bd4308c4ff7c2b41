//! Content-addressed bytes: a directory, upload sessions, the hashing pipeline.
