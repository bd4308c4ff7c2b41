use super::Band;

/// What a vendor's word means. Words that say that nobody has looked yet mean nothing.
pub(super) fn band(word: &str) -> Option<Band> {
    let word = word.trim_end_matches('*').trim().to_ascii_lowercase();
    Some(match word.as_str() {
        "critical" => Band::Critical,
        "high" | "important" => Band::High,
        "medium" | "moderate" => Band::Medium,
        "low" | "minor" => Band::Low,
        "negligible" | "unimportant" | "none" => Band::Negligible,
        _ => return None,
    })
}

/// What is built from Red Hat's sources begins its summaries with Red Hat's word: `Important: kernel
/// update`.
pub(super) fn band_of_summary(summary: &str) -> Option<Band> {
    let (word, _) = summary.split_once(':')?;
    let known = ["Critical", "Important", "Moderate", "Low"];
    known.contains(&word).then(|| band(word)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_vendors_are_understood() {
        for (word, expected) in [
            ("MODERATE", Some(Band::Medium)),
            ("Important", Some(Band::High)),
            ("unimportant", Some(Band::Negligible)),
            ("low**", Some(Band::Low)),
            ("not yet assigned", None),
            ("end-of-life", None),
            ("untriaged", None),
            ("", None),
        ] {
            assert_eq!(band(word), expected, "{word}");
        }
        assert_eq!(band_of_summary("Important: kernel security update"), Some(Band::High));
        assert_eq!(band_of_summary("High: this is another vendor's"), None);
        assert_eq!(band_of_summary("curl: buffer overflow"), None);
    }
}
