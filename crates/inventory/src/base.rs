use std::collections::BTreeMap;

use plura_oci::Digest;

/// The base that an image's annotations declare (image-spec, "Pre-Defined Annotation Keys").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredBase {
    /// The reference that it was built from.
    pub name: Option<String>,
    /// The manifest that it was built from.
    pub digest: Option<Digest>,
}

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// Reads the declaration, if there is one. What is not a digest declares none.
pub fn declared_base(annotations: &BTreeMap<String, String>) -> Option<DeclaredBase> {
    let name = annotations.get(NAME).filter(|name| !name.is_empty()).cloned();
    let digest = annotations.get(DIGEST).and_then(|digest| digest.parse().ok());
    (name.is_some() || digest.is_some()).then_some(DeclaredBase { name, digest })
}

/// Which of the images that are known an image with these layers stands on: the one with the most
/// layers that are the image's first ones, and fewer than it has. Of several with the same layers it
/// is the first.
pub fn longest_known_base<'a, T>(
    layers: &[Digest],
    known: impl IntoIterator<Item = (T, &'a [Digest])>,
) -> Option<T> {
    let mut best: Option<(T, usize)> = None;
    for (image, chain) in known {
        let longer = best.as_ref().is_none_or(|(_, length)| chain.len() > *length);
        let below = !chain.is_empty() && chain.len() < layers.len() && layers.starts_with(chain);
        if longer && below {
            best = Some((image, chain.len()));
        }
    }
    best.map(|(image, _)| image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_chain_below_an_image_is_its_base() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|text| Digest::sha256(text.as_bytes()));
        let known: [(&str, &[Digest]); 6] = [
            ("empty", &[]),
            ("a", &[a]),
            ("ab", &[a, b]),
            ("ab, later", &[a, b]),
            ("other", &[b]),
            ("itself", &[a, b, c]),
        ];
        let check = |layers: &[Digest], expected| {
            assert_eq!(longest_known_base(layers, known.iter().copied()), expected);
        };
        check(&[a, b, c], Some("ab"));
        check(&[a, b, c, d], Some("itself"));
        check(&[a, c], Some("a"));
        check(&[a], None);
        check(&[d, a], None);
        check(&[], None);
    }

    #[test]
    fn a_declaration_without_a_digest_has_the_name_only() {
        let annotations = |digest: &str| {
            let pairs = [(NAME, "debian:12"), (DIGEST, digest)];
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        };
        let digest = Digest::sha256(b"base");
        assert_eq!(declared_base(&annotations(&digest.to_string())).unwrap().digest, Some(digest));
        let base = declared_base(&annotations("latest")).unwrap();
        assert_eq!((base.name.as_deref(), base.digest), (Some("debian:12"), None));
        assert_eq!(declared_base(&BTreeMap::new()), None);
    }
}
