//! Scanners that images may be shown to, by name. Who lets one look at an image asks it: the server calls
//! nobody, and keeps nothing that a scanner must be shown.

use jiff::Timestamp;
use plura_meta::{
    audit::{self, Event, Origin},
    scanner::{self, StoredScanner},
};
use serde::Serialize;

use crate::{Error, Vulnerabilities, instant};

/// The longest name of a scanner, and the longest address.
const LONGEST_NAME: usize = 64;
const LONGEST_URL: usize = 1000;

/// A scanner that images may be shown to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AddedScanner {
    /// Its name.
    pub name: String,
    /// What `/api/v1/metadata` follows.
    pub url: String,
    /// When it was added.
    #[schema(value_type = String)]
    pub added_at: Timestamp,
}

impl Vulnerabilities {
    /// The scanners that were added, by name.
    pub async fn scanners(&self) -> Result<Vec<AddedScanner>, Error> {
        let stored = scanner::list(&mut self.db().read().await?).await?;
        Ok(stored.into_iter().map(AddedScanner::of).collect())
    }

    /// Adds a scanner.
    pub async fn add_scanner(
        &self,
        origin: &Origin,
        name: &str,
        url: &str,
    ) -> Result<AddedScanner, Error> {
        check(name, url)?;
        let added_at = plura_meta::Timestamp::now();
        let stored = StoredScanner { name: name.to_owned(), url: url.to_owned(), added_at };
        let event = Event::done("scanner.add", format!("scanner:{name}"));
        let event = Event { detail: serde_json::json!({ "url": url }).to_string(), ..event };
        let (origin, added) = (origin.clone(), stored.clone());
        let work = async move |tx: &mut plura_meta::Tx| {
            if !scanner::add(tx, &stored).await? {
                return Err(Error::ScannerExists(stored.name));
            }
            audit::record(tx, &origin, &event, added_at).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(AddedScanner::of(added))
    }

    /// Forgets a scanner. What it said stays.
    pub async fn remove_scanner(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        let (origin, name) = (origin.clone(), name.to_owned());
        let work = async move |tx: &mut plura_meta::Tx| {
            if name.contains('\0') || !scanner::remove(tx, &name).await? {
                return Err(Error::ScannerUnknown(name));
            }
            let event = Event::done("scanner.remove", format!("scanner:{name}"));
            audit::record(tx, &origin, &event, plura_meta::Timestamp::now()).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}

impl AddedScanner {
    fn of(stored: StoredScanner) -> Self {
        let StoredScanner { name, url, added_at } = stored;
        Self { name, url, added_at: instant(added_at) }
    }
}

/// Names stand in addresses and in the audit. An address with a user would be a secret for everybody to see.
fn check(name: &str, url: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !begins || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
        return Err(Error::ScannerName(name.chars().take(LONGEST_NAME).collect()));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_address = |rest: &str| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\"<>\\".contains(&byte))
    };
    if url.len() > LONGEST_URL || !rest.is_some_and(is_address) {
        return Err(Error::ScannerUrl(url.chars().take(LONGEST_NAME).collect()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_have_plain_names_and_addresses_without_users() {
        let good = "https://scanner.example.com:8080/trivy";
        assert!(check("trivy", good).is_ok() && check("a.b-c_1", "http://[::1]:80").is_ok());
        for name in ["", "-a", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(matches!(check(name, good), Err(Error::ScannerName(_))), "{name}");
        }
        let long = format!("https://{}", "a".repeat(1000));
        for url in ["", "ftp://a", "https://", "https://u:p@a", "https://a?b", "https://a b", &long]
        {
            assert!(matches!(check("a", url), Err(Error::ScannerUrl(_))), "{url}");
        }
    }
}
