//! What is in images: what was read from layers, images and their packages, and what is to be read.
//!
//! All of it is by digest, since contents follow from the digest alone. Whose it is to see is asked of
//! the repositories that have the manifest, by whoever calls this.

pub mod base;
pub mod image;
pub mod layer;
pub mod package;
pub mod review;
pub mod walk;

use plura_oci::media_types;

/// Whether a manifest may be of an image, as far as its types say: an artifact says another one.
pub(crate) fn may_be_image(media_type: &str, artifact_type: Option<&str>) -> bool {
    let manifests = [media_types::OCI_MANIFEST, media_types::DOCKER_MANIFEST];
    let configurations = [media_types::OCI_CONFIG, media_types::DOCKER_CONFIG];
    manifests.contains(&media_type)
        && artifact_type.is_some_and(|artifact_type| configurations.contains(&artifact_type))
}

/// Whole numbers as one parameter.
fn json_numbers(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
