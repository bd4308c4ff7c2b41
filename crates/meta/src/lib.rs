//! Metadata: the only truth about what exists and who points at it.
