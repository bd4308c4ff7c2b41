//! Any text: names, tags, digests and upload ids are accepted exactly where the regular expressions of
//! the specification accept them, and are printed as they were read.
#![no_main]

#[path = "../../crates/oci/tests/oracle/mod.rs"]
#[expect(dead_code, reason = "requests have a target of their own")]
mod oracle;

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use plura_oci::{Digest, Reference, RepositoryName, Tag, UploadId};

fuzz_target!(|text: &str| {
    check::<RepositoryName>(text, oracle::is_name(text));
    check::<Tag>(text, oracle::is_tag(text));
    check::<Digest>(text, oracle::is_digest(text));
    check::<UploadId>(text, oracle::is_upload_id(text));
    check::<Reference>(text, oracle::is_tag(text) || oracle::is_digest(text));
    if let Ok(digest) = text.parse::<Digest>() {
        assert!(oracle::is_tag(Tag::of_referrers(&digest).as_str()));
    }
});

fn check<T: FromStr + Display>(text: &str, expected: bool) {
    let parsed = text.parse::<T>();
    assert_eq!(parsed.is_ok(), expected, "{} {text:?}", std::any::type_name::<T>());
    if let Ok(value) = parsed {
        assert_eq!(value.to_string(), text);
    }
}
