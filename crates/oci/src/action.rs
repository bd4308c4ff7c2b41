use crate::{
    Algorithm, Digest, ErrorCode, HistoryPage, Page, Reference, RepositoryName, RequestError, Tag,
    UploadId,
};

/// A request to `/v2`, understood: what is authorised, counted and carried out is this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GET /v2/`
    Ping,
    /// `GET /v2/_catalog`
    ListRepositories(Page),
    /// `GET /v2/{name}/tags/list`
    ListTags(RepositoryName, Page),
    /// `GET` or `HEAD /v2/{name}/_oci/tag-history/{tag}`
    TagHistory(RepositoryName, Tag, HistoryPage),
    /// `GET` or `HEAD /v2/{name}/manifests/{reference}`
    GetManifest(RepositoryName, Reference),
    /// `PUT /v2/{name}/manifests/{reference}?tag=...`
    PutManifest {
        /// The repository.
        repository: RepositoryName,
        /// The tag or digest in the path.
        reference: Reference,
        /// The tags of the query.
        tags: Vec<Tag>,
    },
    /// `DELETE /v2/{name}/manifests/{reference}`
    DeleteManifest(RepositoryName, Reference),
    /// `GET /v2/{name}/referrers/{digest}`
    ListReferrers {
        /// The repository.
        repository: RepositoryName,
        /// The subject.
        subject: Digest,
        /// Only referrers of this type.
        artifact_type: Option<String>,
        /// The page; `last` is a digest.
        page: Page,
    },
    /// `GET` or `HEAD /v2/{name}/blobs/{digest}`
    GetBlob(RepositoryName, Digest),
    /// `DELETE /v2/{name}/blobs/{digest}`
    DeleteBlob(RepositoryName, Digest),
    /// `POST /v2/{name}/blobs/uploads/`
    StartUpload(RepositoryName, StartUpload),
    /// `GET /v2/{name}/blobs/uploads/{id}`
    UploadStatus(RepositoryName, UploadId),
    /// `PATCH /v2/{name}/blobs/uploads/{id}`
    AppendUpload(RepositoryName, UploadId),
    /// `PUT /v2/{name}/blobs/uploads/{id}?digest=`
    FinishUpload(RepositoryName, UploadId, Digest),
    /// `DELETE /v2/{name}/blobs/uploads/{id}`
    CancelUpload(RepositoryName, UploadId),
}

/// What a `POST` to `blobs/uploads/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartUpload {
    /// A session; the digest will be of this algorithm, if the client says so.
    Session(Algorithm),
    /// The whole blob is the body (`?digest=`).
    Whole(Digest),
    /// The blob is in the registry already (`?mount=`), perhaps in `from`.
    Mount {
        /// The blob.
        digest: Digest,
        /// The repository to mount from; without it, any that the caller may read.
        from: Option<RepositoryName>,
    },
}

impl Action {
    /// Reads the method, the path as it stands in the request line, and the query.
    ///
    /// The words are read from the end of the path, since a repository name may contain each of
    /// them: `/v2/manifests/manifests/latest` is the tag `latest` of the repository `manifests`.
    pub fn parse(method: &str, path: &str, query: Option<&str>) -> Result<Self, RequestError> {
        let query = Query::parse(query.unwrap_or_default())?;
        let rest = path
            .strip_prefix("/v2")
            .and_then(|rest| if rest.is_empty() { Some("") } else { rest.strip_prefix('/') });
        let segments = rest.ok_or_else(no_such_path)?.split('/').map(decode);
        let segments = segments.collect::<Result<Vec<String>, _>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let read = matches!(method, "GET" | "HEAD");
        match segments.as_slice() {
            [""] if read => Ok(Self::Ping),
            ["_catalog"] if read => Ok(Self::ListRepositories(query.page()?)),
            ["" | "_catalog"] => Err(wrong_method("GET, HEAD")),
            [name @ .., "tags", "list"] if !name.is_empty() => {
                let repository = repository(name)?;
                if read {
                    Ok(Self::ListTags(repository, query.page()?))
                } else {
                    Err(wrong_method("GET, HEAD"))
                }
            }
            [name @ .., "_oci", "tag-history", tag] if !name.is_empty() => {
                let repository = repository(name)?;
                if !read {
                    return Err(wrong_method("GET, HEAD"));
                }
                let tag = tag.parse().map_err(|error: crate::ParseTagError| {
                    RequestError::new(ErrorCode::TagInvalid, error.to_string())
                })?;
                Ok(Self::TagHistory(repository, tag, query.history_page()?))
            }
            [name @ .., "manifests", reference] if !name.is_empty() => {
                manifest(method, repository(name)?, reference, &query)
            }
            [name @ .., "referrers", digest] if !name.is_empty() => {
                let repository = repository(name)?;
                if !read {
                    return Err(wrong_method("GET, HEAD"));
                }
                let subject = digest.parse::<Digest>()?;
                let artifact_type = query.last("artifactType").map(ToOwned::to_owned);
                Ok(Self::ListReferrers { repository, subject, artifact_type, page: query.page()? })
            }
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""]
                if !name.is_empty() =>
            {
                let repository = repository(name)?;
                if method == "POST" {
                    return Ok(Self::StartUpload(repository, query.start_upload()?));
                }
                Err(wrong_method("POST"))
            }
            [name @ .., "blobs", "uploads", id] if !name.is_empty() => {
                upload(method, repository(name)?, id, &query)
            }
            [name @ .., "blobs", digest] if !name.is_empty() => {
                let repository = repository(name)?;
                let digest = digest.parse::<Digest>()?;
                match method {
                    "GET" | "HEAD" => Ok(Self::GetBlob(repository, digest)),
                    "DELETE" => Ok(Self::DeleteBlob(repository, digest)),
                    _ => Err(wrong_method("GET, HEAD, DELETE")),
                }
            }
            _ => Err(no_such_path()),
        }
    }

    /// The name under which the action is counted and logged.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::ListRepositories(_) => "list_repositories",
            Self::ListTags(..) => "list_tags",
            Self::TagHistory(..) => "tag_history",
            Self::GetManifest(..) => "get_manifest",
            Self::PutManifest { .. } => "put_manifest",
            Self::DeleteManifest(..) => "delete_manifest",
            Self::ListReferrers { .. } => "list_referrers",
            Self::GetBlob(..) => "get_blob",
            Self::DeleteBlob(..) => "delete_blob",
            Self::StartUpload(..) => "start_upload",
            Self::UploadStatus(..) => "upload_status",
            Self::AppendUpload(..) => "append_upload",
            Self::FinishUpload(..) => "finish_upload",
            Self::CancelUpload(..) => "cancel_upload",
        }
    }

    /// The repository that the action is about, where it is about one.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Ping | Self::ListRepositories(_) => None,
            Self::ListTags(repository, _)
            | Self::TagHistory(repository, ..)
            | Self::GetManifest(repository, _)
            | Self::PutManifest { repository, .. }
            | Self::DeleteManifest(repository, _)
            | Self::ListReferrers { repository, .. }
            | Self::GetBlob(repository, _)
            | Self::DeleteBlob(repository, _)
            | Self::StartUpload(repository, _)
            | Self::UploadStatus(repository, _)
            | Self::AppendUpload(repository, _)
            | Self::FinishUpload(repository, ..)
            | Self::CancelUpload(repository, _) => Some(repository),
        }
    }
}

fn manifest(
    method: &str,
    repository: RepositoryName,
    reference: &str,
    query: &Query,
) -> Result<Action, RequestError> {
    if !matches!(method, "GET" | "HEAD" | "PUT" | "DELETE") {
        return Err(wrong_method("GET, HEAD, PUT, DELETE"));
    }
    let reference = reference.parse::<Reference>()?;
    match method {
        "PUT" => Ok(Action::PutManifest { repository, reference, tags: query.tags()? }),
        "DELETE" => Ok(Action::DeleteManifest(repository, reference)),
        _ => Ok(Action::GetManifest(repository, reference)),
    }
}

fn upload(
    method: &str,
    repository: RepositoryName,
    id: &str,
    query: &Query,
) -> Result<Action, RequestError> {
    if !matches!(method, "GET" | "HEAD" | "PATCH" | "PUT" | "DELETE") {
        return Err(wrong_method("GET, HEAD, PATCH, PUT, DELETE"));
    }
    let id = id.parse::<UploadId>()?;
    match method {
        "PATCH" => Ok(Action::AppendUpload(repository, id)),
        "PUT" => Ok(Action::FinishUpload(repository, id, query.required_digest()?)),
        "DELETE" => Ok(Action::CancelUpload(repository, id)),
        _ => Ok(Action::UploadStatus(repository, id)),
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, RequestError> {
    // A slash that was written `%2F` is part of a component, where it is not allowed.
    if segments.iter().any(|segment| segment.contains('/')) {
        return Err(crate::ParseNameError::Malformed.into());
    }
    Ok(segments.join("/").parse::<RepositoryName>()?)
}

fn no_such_path() -> RequestError {
    RequestError::new(
        ErrorCode::Unsupported,
        "no such path; expected /v2/, /v2/_catalog, or /v2/NAME/ followed by manifests/REFERENCE, \
         blobs/DIGEST, blobs/uploads/, tags/list, referrers/DIGEST or _oci/tag-history/TAG",
    )
}

fn wrong_method(allow: &'static str) -> RequestError {
    RequestError {
        code: ErrorCode::Unsupported,
        message: format!("this path allows {allow}"),
        allow: Some(allow),
    }
}

/// The parameters of a query, decoded, in their order.
struct Query(Vec<(String, String)>);

impl Query {
    /// A `+` stays a plus: no parameter of `/v2` can hold a space, and `artifactType` values end in
    /// `+json`, which people write as it is.
    fn parse(query: &str) -> Result<Self, RequestError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, RequestError>>()?))
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn last(&self, key: &str) -> Option<&str> {
        self.all(key).last().filter(|value| !value.is_empty())
    }

    fn page(&self) -> Result<Page, RequestError> {
        let after = self.last("last").map(ToOwned::to_owned);
        Ok(Page { limit: self.limit()?, after })
    }

    fn history_page(&self) -> Result<HistoryPage, RequestError> {
        Ok(HistoryPage {
            limit: self.limit()?,
            before: self.time("before")?,
            since: self.time("since")?,
            digest: self.digest("digest")?,
        })
    }

    fn time(&self, key: &str) -> Result<Option<jiff::Timestamp>, RequestError> {
        let read = self.last(key).map(|time| {
            time.parse().map_err(|_| {
                RequestError::new(
                    ErrorCode::PaginationNumberInvalid,
                    format!("`{key}` must be a time such as 2026-04-03T02:01:00Z (RFC 3339)"),
                )
            })
        });
        read.transpose()
    }

    fn limit(&self) -> Result<Option<u32>, RequestError> {
        let limit = self.last("n").map(|n| {
            // Anything larger than a page is a page; only what is no number is wrong.
            if n.bytes().all(|b| b.is_ascii_digit()) {
                return Ok(n.parse().unwrap_or(u32::MAX));
            }
            Err(RequestError::new(
                ErrorCode::PaginationNumberInvalid,
                format!("`n` must be a number from 0 up, not `{n}`"),
            ))
        });
        limit.transpose()
    }

    fn tags(&self) -> Result<Vec<Tag>, RequestError> {
        let tags = self.all("tag").flat_map(|value| value.split(',')).map(|tag| {
            tag.parse().map_err(|error| {
                RequestError::new(ErrorCode::TagInvalid, format!("`tag={tag}`: {error}"))
            })
        });
        tags.collect()
    }

    fn digest(&self, key: &str) -> Result<Option<Digest>, RequestError> {
        Ok(self.last(key).map(str::parse).transpose()?)
    }

    fn required_digest(&self) -> Result<Digest, RequestError> {
        self.digest("digest")?.ok_or_else(|| {
            RequestError::new(
                ErrorCode::DigestInvalid,
                "to finish an upload, add `?digest=` with the digest of the whole blob",
            )
        })
    }

    fn start_upload(&self) -> Result<StartUpload, RequestError> {
        if let Some(digest) = self.digest("mount")? {
            let Ok(from) = self.last("from").map(str::parse).transpose() else {
                // No repository has such a name. As for any that lacks the blob, a session follows.
                return Ok(StartUpload::Session(digest.algorithm()));
            };
            return Ok(StartUpload::Mount { digest, from });
        }
        if let Some(digest) = self.digest("digest")? {
            return Ok(StartUpload::Whole(digest));
        }
        let algorithm = self.last("digest-algorithm").map(str::parse).transpose()?;
        Ok(StartUpload::Session(algorithm.unwrap_or_default()))
    }
}

/// Decodes percent escapes (RFC 3986, section 2.1).
fn decode(text: &str) -> Result<String, RequestError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let malformed = || {
        RequestError::new(
            ErrorCode::NameInvalid,
            "a percent escape in the path or query is malformed",
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit =
            || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(malformed);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| malformed())?);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn check(request: &str) -> Result<Action, (ErrorCode, Option<&'static str>)> {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        Action::parse(method, path, query).map_err(|error| (error.code, error.allow))
    }

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn words_of_the_grammar_may_be_part_of_a_name() {
        let tag = |text: &str| Reference::Tag(text.parse().unwrap());
        let digest: Digest = DIGEST.parse().unwrap();
        let upload: UploadId = "0a-1".parse().unwrap();
        let cases = [
            ("GET /v2/", Action::Ping),
            ("GET /v2", Action::Ping),
            ("GET /v2/manifests/manifests/a", Action::GetManifest(name("manifests"), tag("a"))),
            ("HEAD /v2/tags/list/tags/list", Action::ListTags(name("tags/list"), Page::default())),
            (
                "GET /v2/blobs/uploads/manifests/x",
                Action::GetManifest(name("blobs/uploads"), tag("x")),
            ),
            ("GET /v2/a/blobs/uploads/0a-1", Action::UploadStatus(name("a"), upload)),
            (
                "GET /v2/a/blobs/sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                Action::GetBlob(name("a"), digest),
            ),
            (
                "POST /v2/a/blobs/uploads",
                Action::StartUpload(name("a"), StartUpload::Session(Algorithm::Sha256)),
            ),
            (
                "POST /v2/a/blobs/uploads/?digest-algorithm=sha512",
                Action::StartUpload(name("a"), StartUpload::Session(Algorithm::Sha512)),
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(check(request), Ok(expected), "{request}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let mount = format!("POST /v2/a/blobs/uploads/?mount={DIGEST}&from=b%2Fc");
        let digest = DIGEST.parse().unwrap();
        let expected = StartUpload::Mount { digest, from: Some(name("b/c")) };
        assert_eq!(check(&mount), Ok(Action::StartUpload(name("a"), expected)));

        let Ok(Action::PutManifest { tags, .. }) = check("PUT /v2/a/manifests/t?tag=x&tag=y,z")
        else {
            panic!()
        };
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["x", "y", "z"]);

        let Ok(Action::ListReferrers { artifact_type, .. }) =
            check(&format!("GET /v2/a/referrers/{DIGEST}?artifactType=application/x+json"))
        else {
            panic!()
        };
        assert_eq!(artifact_type.as_deref(), Some("application/x+json"));
    }

    #[test]
    fn a_mount_from_what_is_no_name_becomes_a_session() {
        for from in ["UPPER", "../up", "a//b", "a%00b", "a%20b"] {
            let mount = format!("POST /v2/a/blobs/uploads/?mount={DIGEST}&from={from}");
            let session = StartUpload::Session(Algorithm::Sha256);
            assert_eq!(check(&mount), Ok(Action::StartUpload(name("a"), session)), "{from}");
        }
    }

    #[test]
    fn what_is_not_understood_says_why() {
        let cases = [
            ("GET /v2/a", ErrorCode::Unsupported, None),
            ("GET /v2/a/tags", ErrorCode::Unsupported, None),
            ("GET /v2//tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/A/tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/a/../b/tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/a%2fb/tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/a%zz/tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/a%ff/tags/list", ErrorCode::NameInvalid, None),
            ("GET /v2/a/tags/list?n=x", ErrorCode::PaginationNumberInvalid, None),
            ("GET /v2/a/tags/list?n=-1", ErrorCode::PaginationNumberInvalid, None),
            ("GET /v2/a/manifests/+", ErrorCode::TagInvalid, None),
            ("GET /v2/a/manifests/sha256:no", ErrorCode::DigestInvalid, None),
            ("PUT /v2/a/manifests/x?tag=", ErrorCode::TagInvalid, None),
            ("PUT /v2/a/blobs/uploads/1", ErrorCode::DigestInvalid, None),
            ("PATCH /v2/a/blobs/uploads/..", ErrorCode::BlobUploadUnknown, None),
            ("POST /v2/a/blobs/uploads/?digest-algorithm=md5", ErrorCode::DigestInvalid, None),
            ("PUT /v2/", ErrorCode::Unsupported, Some("GET, HEAD")),
            ("POST /v2/a/manifests/x", ErrorCode::Unsupported, Some("GET, HEAD, PUT, DELETE")),
            ("GET /v2/a/blobs/uploads/", ErrorCode::Unsupported, Some("POST")),
        ];
        for (request, code, allow) in cases {
            assert_eq!(check(request), Err((code, allow)), "{request}");
        }
    }
}
