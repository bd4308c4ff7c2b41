//! From a row to what is hashed: `{"at", "document", "kind", "subject"}`, in the one way that there is to
//! write it. All that a row says is part of it, so that nothing in a row can be changed unnoticed.

use plura_meta::log::LoggedEntry;
use plura_oci::Digest;
use plura_tlog::{Entry, EntryError};
use serde_json::{Value, json};

/// The entry that a row stands for. There is one for every row: what cannot be written as an entry is
/// represented by its digest.
pub(crate) fn entry_of(row: &LoggedEntry) -> Result<Entry, EntryError> {
    let digest = hex_digest(&row.document);
    let document: Result<Value, _> = serde_json::from_slice(&row.document);
    if let Ok(document) = document {
        let mut record = json!({
            "at": row.at.0,
            "document": document,
            "kind": row.kind,
            "subject": row.subject,
        });
        if !is_canonical(&record["document"], &row.document) {
            record["document_sha256"] = digest.clone().into();
        }
        if let Ok(entry) = Entry::new(&record) {
            return Ok(entry);
        }
    }
    let (kind, subject) = (short(&row.kind), short(&row.subject));
    Entry::new(&json!({
        "at": row.at.0, "document_sha256": digest, "kind": kind, "subject": subject,
    }))
}

/// Whether the bytes follow from the value.
fn is_canonical(document: &Value, bytes: &[u8]) -> bool {
    Entry::new(document).is_ok_and(|entry| entry.as_bytes() == bytes)
}

/// A text of which much is left out is represented by its digest, too.
fn short(text: &str) -> String {
    const LONGEST: usize = 1024;
    if text.len() <= LONGEST {
        text.to_owned()
    } else {
        format!("sha256:{}", hex_digest(text.as_bytes()))
    }
}

fn hex_digest(bytes: &[u8]) -> String {
    Digest::sha256(bytes).hex()
}

#[cfg(test)]
mod tests {
    use plura_meta::Timestamp;

    use super::*;

    fn row(document: &[u8]) -> LoggedEntry {
        LoggedEntry {
            position: 0,
            at: Timestamp(1_700_000_000_000),
            kind: "exception.granted".to_owned(),
            subject: "CVE-2024-3094".to_owned(),
            document: document.to_vec(),
        }
    }

    fn text(row: &LoggedEntry) -> String {
        entry_of(row).unwrap().to_string()
    }

    #[test]
    fn an_entry_says_all_that_its_row_says() {
        assert_eq!(
            text(&row(br#"{"a":1}"#)),
            r#"{"at":1700000000000,"document":{"a":1},"kind":"exception.granted","subject":"CVE-2024-3094"}"#
        );
        let one = row(br#"{"a":1}"#);
        for other in [
            LoggedEntry { at: Timestamp(1), ..one.clone() },
            LoggedEntry { kind: "x".to_owned(), ..one.clone() },
            LoggedEntry { subject: "x".to_owned(), ..one.clone() },
            row(br#"{"a":2}"#),
            // It means the same, and is not what was written.
            row(br#"{"a": 1}"#),
            row(br#"{"a":2,"a":1}"#),
        ] {
            assert_ne!(text(&other), text(&one), "{other:?}");
        }
    }

    #[test]
    fn whatever_is_in_a_row_there_is_an_entry_of_it() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        for document in [&b""[..], b"{", b"[1.5]", b"\xff", large.as_bytes()] {
            assert!(text(&row(document)).contains("document_sha256"), "{document:?}");
        }
        let long = LoggedEntry { subject: "x".repeat(100_000), ..row(b"{}") };
        let other = LoggedEntry { subject: "x".repeat(100_001), ..row(b"{}") };
        assert_ne!(text(&long), text(&other));
    }
}
