//! `METHOD PATH[?QUERY]`: what is understood holds only valid values, and is understood the same way
//! once it is printed.
#![no_main]

#[path = "../../crates/oci/tests/oracle/mod.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;
use plura_oci::{Action, Digest, Reference, StartUpload};

fuzz_target!(|input: &str| {
    let Some((method, target)) = input.split_once(' ') else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    match Action::parse(method, path, query) {
        Ok(action) => understood(&action),
        Err(error) => assert!(!error.message.is_empty()),
    }
});

fn understood(action: &Action) {
    if let Some(repository) = action.repository() {
        assert!(oracle::is_name(repository.as_str()), "{action:?}");
    }
    check_parts(action);
    let request = oracle::request(action);
    assert_eq!(request.parse().as_ref(), Ok(action), "printed as {request:?}");
}

fn check_parts(action: &Action) {
    match action {
        Action::Ping | Action::ListRepositories(_) | Action::ListTags(..) => {}
        Action::GetManifest(_, reference) | Action::DeleteManifest(_, reference) => {
            check_reference(reference);
        }
        Action::TagHistory(_, tag, page) => {
            assert!(oracle::is_tag(tag.as_str()));
            page.digest.iter().for_each(check_digest);
        }
        Action::PutManifest { reference, tags, .. } => {
            check_reference(reference);
            assert!(tags.iter().all(|tag| oracle::is_tag(tag.as_str())));
        }
        Action::ListReferrers { subject: digest, .. }
        | Action::GetBlob(_, digest)
        | Action::DeleteBlob(_, digest) => check_digest(digest),
        Action::StartUpload(_, start) => check_start(start),
        Action::UploadStatus(_, id) | Action::AppendUpload(_, id) | Action::CancelUpload(_, id) => {
            assert!(oracle::is_upload_id(id.as_str()));
        }
        Action::FinishUpload(_, id, digest) => {
            assert!(oracle::is_upload_id(id.as_str()));
            check_digest(digest);
        }
    }
}

fn check_reference(reference: &Reference) {
    match reference {
        Reference::Tag(tag) => assert!(oracle::is_tag(tag.as_str())),
        Reference::Digest(digest) => check_digest(digest),
    }
}

fn check_digest(digest: &Digest) {
    assert!(oracle::is_digest(&digest.to_string()));
}

fn check_start(start: &StartUpload) {
    match start {
        StartUpload::Session(_) => {}
        StartUpload::Whole(digest) => check_digest(digest),
        StartUpload::Mount { digest, from } => {
            check_digest(digest);
            assert!(from.iter().all(|from| oracle::is_name(from.as_str())));
        }
    }
}
