//! "Did you mean": the known name closest to one that is not known.

/// The candidate `typed` was most likely meant to be, if one is close enough to be worth saying.
pub(crate) fn closest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    // One slip in three letters is a slip; more is another word.
    let tolerance = (typed.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["registry.sparse", "registry.delete", "server.listen"];
        for (typed, expected) in [
            ("registry.sprase", Some("registry.sparse")),
            ("Registry.Sparse", Some("registry.sparse")),
            ("server.lissten", Some("server.listen")),
            ("storage.bucket", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, known), expected, "{typed}");
        }
    }
}
