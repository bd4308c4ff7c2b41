//! What the grammar should say, written down a second time: the property tests and the fuzz targets
//! compare the crate with this.

use std::sync::LazyLock;

use plura_oci::{Action, Algorithm, Page, StartUpload, location};
use regex::Regex;

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("the pattern is right")
}

/// distribution-spec, "Pulling manifests"; clients cut at 255 characters.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*";
    whole(&format!("{part}(/{part})*"))
});
static TAG: LazyLock<Regex> = LazyLock::new(|| whole("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"));
/// image-spec, "Digests": the two registered algorithms that plura verifies.
static DIGEST: LazyLock<Regex> =
    LazyLock::new(|| whole("sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"));
static UPLOAD: LazyLock<Regex> = LazyLock::new(|| whole("[a-z0-9][a-z0-9-]{0,63}"));

/// `$` of a regular expression would also match before a final line feed in other engines; here the
/// line feed itself is in no class.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 255 && NAME.is_match(text)
}

pub(crate) fn is_tag(text: &str) -> bool {
    TAG.is_match(text)
}

pub(crate) fn is_digest(text: &str) -> bool {
    DIGEST.is_match(text)
}

pub(crate) fn is_upload_id(text: &str) -> bool {
    UPLOAD.is_match(text)
}

/// A request, as it stands in the request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
}

impl Request {
    pub(crate) fn parse(&self) -> Result<Action, plura_oci::RequestError> {
        Action::parse(self.method, &self.path, self.query.as_deref())
    }
}

/// The request that asks for `action`; where plura prints such a path in a `Location`, it is that one.
pub(crate) fn request(action: &Action) -> Request {
    let get = |path: String| Request { method: "GET", path, query: None };
    match action {
        Action::Ping => get("/v2/".into()),
        Action::ListRepositories(page) => {
            Request { query: page_query(page, None), ..get("/v2/_catalog".into()) }
        }
        Action::ListTags(repository, page) => {
            Request { query: page_query(page, None), ..get(format!("/v2/{repository}/tags/list")) }
        }
        Action::TagHistory(repository, tag, page) => Request {
            query: Some(page.to_query()).filter(|query| !query.is_empty()),
            ..get(format!("/v2/{repository}/_oci/tag-history/{tag}"))
        },
        Action::GetManifest(repository, reference) => get(manifest(repository, reference)),
        Action::PutManifest { repository, reference, tags } => {
            let tags = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
            Request { method: "PUT", path: manifest(repository, reference), query: Some(tags) }
        }
        Action::DeleteManifest(repository, reference) => {
            Request { method: "DELETE", ..get(manifest(repository, reference)) }
        }
        Action::ListReferrers { repository, subject, artifact_type, page } => Request {
            query: page_query(page, artifact_type.as_deref()),
            ..get(format!("/v2/{repository}/referrers/{subject}"))
        },
        Action::GetBlob(repository, digest) => get(location::blob(repository, digest)),
        Action::DeleteBlob(repository, digest) => {
            Request { method: "DELETE", ..get(location::blob(repository, digest)) }
        }
        Action::StartUpload(repository, start) => Request {
            method: "POST",
            path: format!("/v2/{repository}/blobs/uploads/"),
            query: start_query(start),
        },
        Action::UploadStatus(repository, id) => get(location::upload(repository, id)),
        Action::AppendUpload(repository, id) => {
            Request { method: "PATCH", ..get(location::upload(repository, id)) }
        }
        Action::FinishUpload(repository, id, digest) => Request {
            method: "PUT",
            path: location::upload(repository, id),
            query: Some(format!("digest={digest}")),
        },
        Action::CancelUpload(repository, id) => {
            Request { method: "DELETE", ..get(location::upload(repository, id)) }
        }
    }
}

fn manifest(repository: &plura_oci::RepositoryName, reference: &plura_oci::Reference) -> String {
    match reference {
        plura_oci::Reference::Digest(digest) => location::manifest(repository, digest),
        plura_oci::Reference::Tag(tag) => format!("/v2/{repository}/manifests/{tag}"),
    }
}

fn page_query(page: &Page, artifact_type: Option<&str>) -> Option<String> {
    let mut pairs = Vec::new();
    pairs.extend(page.limit.map(|limit| format!("n={limit}")));
    pairs.extend(page.after.as_deref().map(|after| format!("last={}", escape(after))));
    pairs.extend(artifact_type.map(|text| format!("artifactType={}", escape(text))));
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

fn start_query(start: &StartUpload) -> Option<String> {
    match start {
        StartUpload::Session(Algorithm::Sha256) => None,
        StartUpload::Session(algorithm) => Some(format!("digest-algorithm={algorithm}")),
        StartUpload::Whole(digest) => Some(format!("digest={digest}")),
        StartUpload::Mount { digest, from: None } => Some(format!("mount={digest}")),
        StartUpload::Mount { digest, from: Some(from) } => {
            Some(format!("mount={digest}&from={from}"))
        }
    }
}

/// Escapes every byte that is not an unreserved character (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(["%", &format!("{byte:02X}")]);
        }
    }
    escaped
}
