//! What is logged.

use std::fmt::{self, Display};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use super::text::{Rejected, Text, text_serde};

/// A filter in the syntax of `tracing`, known to be well written: `info`, `info,plura_http=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// The filter to install.
    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl Text for LogFilter {
    const EXPECTED: &'static str = r#""error", "warn", "info", "debug" or "trace", or levels by module such as "info,plura_http=debug""#;
}

impl FromStr for LogFilter {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        // A lone word that is no level would be taken for the name of a module, and nothing at all
        // would be logged: that is a typing error, not a wish.
        let misspelt = text.chars().all(char::is_alphanumeric) && !is_level(text);
        if misspelt || EnvFilter::try_new(text).is_err() {
            return Err(Self::reject(text));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(LogFilter);

fn is_level(word: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_rejected_rather_than_logging_nothing() {
        for text in ["info", "DEBUG", "off", "warn,plura_http=debug", "plura_registry=trace"] {
            assert!(text.parse::<LogFilter>().is_ok(), "{text}");
        }
        for text in ["inf", "verbose", "", "info,plura_http=loud", "=debug=x"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}
