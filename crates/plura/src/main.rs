//! plura: an OCI registry that governs the whole life of a container image.

fn main() {}
