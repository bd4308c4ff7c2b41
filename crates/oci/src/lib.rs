//! Vocabulary of the OCI distribution and image specifications: digests, names, references, manifests, /v2 requests.
