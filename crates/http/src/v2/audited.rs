//! What is refused, as the audit has it: under the name that it would have if it had been done.

use plura_access::{Event, Outcome};
use plura_oci::{Action, Reference, RepositoryName, StartUpload};
use plura_policy::ProjectName;
use serde_json::json;

/// An action, and what it is about.
pub(super) fn event(action: &Action) -> Event {
    match action {
        Action::Ping => Event::done("login", ""),
        Action::ListRepositories(_) => Event::done("repository.list", ""),
        Action::ListTags(name, _) => about("tag.list", name, None),
        Action::TagHistory(name, tag, _) => about("tag.history", name, Some(tag.to_string())),
        Action::GetManifest(name, reference) => {
            about("manifest.pull", name, Some(reference.to_string()))
        }
        Action::PutManifest { repository, reference, .. } => {
            about("manifest.push", repository, Some(reference.to_string()))
        }
        Action::DeleteManifest(name, reference @ Reference::Tag(_)) => {
            about("tag.delete", name, Some(reference.to_string()))
        }
        Action::DeleteManifest(name, reference) => {
            about("manifest.delete", name, Some(reference.to_string()))
        }
        Action::ListReferrers { repository, subject, .. } => {
            about("referrer.list", repository, Some(subject.to_string()))
        }
        Action::GetBlob(name, digest) => about("blob.pull", name, Some(digest.to_string())),
        Action::DeleteBlob(name, digest) => about("blob.delete", name, Some(digest.to_string())),
        Action::StartUpload(name, StartUpload::Mount { digest, .. }) => {
            about("blob.mount", name, Some(digest.to_string()))
        }
        Action::StartUpload(name, StartUpload::Whole(digest))
        | Action::FinishUpload(name, _, digest) => {
            about("blob.push", name, Some(digest.to_string()))
        }
        Action::StartUpload(name, StartUpload::Session(_))
        | Action::UploadStatus(name, _)
        | Action::AppendUpload(name, _)
        | Action::CancelUpload(name, _) => about("blob.push", name, None),
    }
}

/// A mount, as something about the repository that the blob would come from.
pub(super) fn mount_from(action: &Action, from: &RepositoryName) -> Event {
    match action {
        Action::StartUpload(_, StartUpload::Mount { digest, .. }) => {
            about("blob.mount", from, Some(digest.to_string()))
        }
        other => event(other),
    }
}

/// Something in a repository.
fn about(action: &'static str, name: &RepositoryName, reference: Option<String>) -> Event {
    match reference {
        Some(reference) => Event::in_repository(action, name.as_str(), &reference),
        None => Event::done(action, name.as_str()).of_project(ProjectName::text_of(name)),
    }
}

/// The same, refused.
pub(super) fn denied(event: Event, rule: &str, reason: &str) -> Event {
    Event {
        outcome: Outcome::Denied,
        rule: rule.to_owned(),
        detail: json!({ "reason": reason }).to_string(),
        ..event
    }
}
