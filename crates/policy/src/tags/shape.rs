use std::{fmt, str::FromStr};

use regex::Regex;

/// What a tag must look like: text with `{semver}`, `{gitsha}`, `{date}`, `{number}` and `{word}` in it,
/// and `*` for anything. `+`, which no tag can have, is stored as `_`.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    text: Box<str>,
    expression: Regex,
}

/// The text is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected letters, digits and `._-+` with `{{semver}}`, `{{gitsha}}`, `{{date}}`, `{{number}}`, \
     `{{word}}` or `*` among them, at most {} characters",
    Shape::MAX_LENGTH
)]
pub(crate) struct ParseShapeError;

/// What stands for what. There are no tables of Unicode, so classes are written out. Versions are those
/// of semver.org, version 2.0.0, without build metadata.
const NAMES: [(&str, &str); 5] = [
    (
        "{semver}",
        "(?:0|[1-9][0-9]*)[.](?:0|[1-9][0-9]*)[.](?:0|[1-9][0-9]*)\
         (?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)\
         (?:[.](?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?",
    ),
    ("{gitsha}", "[0-9a-f]{7,40}"),
    ("{date}", "[0-9]{4}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])"),
    ("{number}", "[0-9]+"),
    ("{word}", "[a-z0-9]+(?:[._-][a-z0-9]+)*"),
];

impl Shape {
    /// The most characters of a shape.
    pub(crate) const MAX_LENGTH: usize = 128;

    /// Whether the tag, as it is stored, looks like that.
    pub(crate) fn fits(&self, tag: &str) -> bool {
        self.expression.is_match(tag)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A tag that looks like that, for those whose tag does not.
    pub(crate) fn example(&self) -> String {
        let mut example = self.text.to_string();
        for (name, shown) in [
            ("{semver}", "1.4.2"),
            ("{gitsha}", "3f9c2ab"),
            ("{date}", "20261120"),
            ("{number}", "17"),
            ("{word}", "feature-x"),
            ("*", "x"),
        ] {
            example = example.replace(name, shown);
        }
        example
    }
}

impl FromStr for Shape {
    type Err = ParseShapeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > Self::MAX_LENGTH {
            return Err(ParseShapeError);
        }
        let mut expression = String::from("^(?:");
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let name = NAMES.iter().find(|(name, _)| rest.starts_with(name));
            let (length, part) = match (first, name) {
                (_, Some((name, part))) => (name.len(), (*part).to_owned()),
                ('*', _) => (1, "[A-Za-z0-9._-]*".to_owned()),
                ('+', _) => (1, "_".to_owned()),
                ('.', _) => (1, "[.]".to_owned()),
                (c, _) if c.is_ascii_alphanumeric() || c == '_' || c == '-' => (1, c.to_string()),
                _ => return Err(ParseShapeError),
            };
            expression.push_str(&part);
            rest = &rest[length..];
        }
        expression.push_str(")$");
        let expression = Regex::new(&expression).map_err(|_| ParseShapeError)?;
        Ok(Self { text: text.into(), expression })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_shapes() {
        for (shape, tag, fits) in [
            ("{semver}", "1.4.2", true),
            ("{semver}", "1.4.2-rc.1", true),
            ("{semver}", "1.4", false),
            ("{semver}", "01.4.2", false),
            ("{semver}", "1.4.2-01", false),
            ("{semver}", "v1.4.2", false),
            ("v{semver}", "v1.4.2", true),
            ("{semver}+{gitsha}", "1.4.2_3f9c2ab", true),
            ("{semver}+{gitsha}", "1.4.2-rc.1_3f9c2ab0", true),
            ("{semver}+{gitsha}", "1.4.2_3f9c2a", false),
            ("{semver}+{gitsha}", "1.4.2-3f9c2ab", false),
            ("{semver}+{gitsha}", "1.4.2_latest!", false),
            ("pr-{number}", "pr-17", true),
            ("pr-{number}", "pr-x", false),
            ("nightly-{date}", "nightly-20261120", true),
            ("nightly-{date}", "nightly-2026-11-20", true),
            ("nightly-{date}", "nightly-20261320", false),
            ("{word}", "feature-x.y", true),
            ("{word}", "Feature", false),
            ("release*", "release", true),
            ("release*", "prerelease", false),
            ("1.4", "1x4", false),
        ] {
            assert_eq!(shape.parse::<Shape>().unwrap().fits(tag), fits, "{shape} and {tag}");
        }
    }

    #[test]
    fn the_example_of_a_shape_has_it() {
        for shape in ["{semver}+{gitsha}", "v{semver}", "pr-{number}", "{date}-{word}", "a*b"] {
            let shape: Shape = shape.parse().unwrap();
            assert!(shape.fits(&shape.example().replace('+', "_")), "{shape}");
        }
        for text in ["", "{version}", "a b", "a/b", "(a)", "é", "{semver", &"a".repeat(129)] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }
}
