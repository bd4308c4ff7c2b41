//! Ends of multipart uploads, and a list of them, which the library has no function for.

use object_store::{
    aws::AwsAuthorizer,
    client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody},
    multipart::{MultipartStore, PartId},
};
use tracing::debug;

use super::{
    Bucket, code_of, failed, named::NamedConnector, options::BucketOptions, parts::Multipart,
    stored,
};
use crate::{BlobKey, Error};

/// A client for requests that are built here.
pub(super) fn connect(options: &BucketOptions) -> Result<HttpClient, Error> {
    let connected = NamedConnector.connect(&options.client_options()?);
    connected.map_err(|error| Error::Options(error.to_string()))
}

/// More pages than any number of uploads under way needs.
const MOST_PAGES: usize = 100;

impl Bucket {
    /// Puts the parts together.
    ///
    /// That the answer was an error does not say that it was not done: an object of the right length
    /// under a key that nobody else writes to does.
    pub(super) async fn complete(
        &self,
        multipart: &Multipart,
        size: u64,
    ) -> Result<BlobKey, Error> {
        let key = stored(&multipart.key)?;
        plura_fault::point("bucket.complete").map_err(Error::io("complete", key.as_str()))?;
        let ids = multipart.parts.iter().map(|(id, _)| PartId { content_id: id.clone() });
        let completed =
            self.0.store.complete_multipart(&self.path(&key), &multipart.id, ids.collect()).await;
        let Err(error) = completed else { return Ok(key) };
        if let Ok(Some(found)) = self.size_of(&key).await
            && found == size
        {
            debug!(%key, %error, "completed, although the answer was an error");
            return Ok(key);
        }
        match code_of(&error).as_deref() {
            Some(
                code @ ("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "NoSuchUpload"),
            ) => {
                let detail = format!("the object store has lost parts of it ({code})");
                Err(Error::Corrupt { path: key.as_str().into(), detail })
            }
            _ => Err(failed("complete", key.as_str(), error)),
        }
    }

    /// Multipart uploads under keys that begin so; nothing, where the object store cannot list them.
    pub(super) async fn multiparts(
        &self,
        begin: &str,
    ) -> Result<Option<Vec<(BlobKey, String)>>, Error> {
        let root = format!("{}/", self.below("blobs"));
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..MOST_PAGES {
            let Some(page) = self.page_of_multiparts(&format!("{root}{begin}"), marker).await?
            else {
                return Ok(None);
            };
            for upload in elements(&page, "Upload") {
                let (Some(key), Some(id)) = (element(upload, "Key"), element(upload, "UploadId"))
                else {
                    continue;
                };
                let key = unescape(key).strip_prefix(&root).map(ToOwned::to_owned);
                if let Some(key) = key.and_then(BlobKey::from_stored) {
                    found.push((key, unescape(id)));
                }
            }
            let next = (element(&page, "NextKeyMarker"), element(&page, "NextUploadIdMarker"));
            marker = match (element(&page, "IsTruncated"), next) {
                (Some("true"), (Some(key), id)) => {
                    Some((unescape(key), unescape(id.unwrap_or_default())))
                }
                _ => return Ok(Some(found)),
            };
        }
        Ok(Some(found))
    }

    /// `ListMultipartUploads`; nothing, where the object store has no such request, or not for us.
    async fn page_of_multiparts(
        &self,
        prefix: &str,
        marker: Option<(String, String)>,
    ) -> Result<Option<String>, Error> {
        let refused = |text: String| Error::Store {
            action: "list multipart uploads of",
            key: prefix.to_owned(),
            missing: false,
            source: text.into(),
        };
        let mut query = String::new();
        if let Some((key, id)) = marker {
            query = format!("key-marker={}&", escape(&key));
            if !id.is_empty() {
                query = format!("{query}upload-id-marker={}&", escape(&id));
            }
        }
        let query = format!("{query}prefix={}&uploads=", escape(prefix));
        let address = format!("{}?{query}", self.0.options.address());
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = address.parse().map_err(|_| refused("no such address".to_owned()))?;
        let credentials = self.0.store.credentials().get_credential().await;
        let credentials = credentials.map_err(|error| refused(error.to_string()))?;
        AwsAuthorizer::new(&credentials, "s3", &self.0.options.region)
            .try_authorize(&mut request, None)
            .map_err(|error| refused(error.to_string()))?;
        let answer = self.0.http.execute(request).await;
        let answer = answer.map_err(|error| refused(error.to_string()))?;
        let status = answer.status().as_u16();
        let text = answer.into_body().bytes().await.map_err(|error| refused(error.to_string()))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        match status {
            200 => Ok(Some(text)),
            // Not allowed, or not known.
            403 | 405 | 501 => Ok(None),
            _ => Err(refused(format!("{status}: {text}"))),
        }
    }
}

/// The contents of all elements of that name, one after the other.
fn elements<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = &'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, inside) = rest.split_once(&open)?;
        let (content, behind) = inside.split_once(&close)?;
        rest = behind;
        Some(content)
    })
}

fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    elements(xml, name).next().map(str::trim)
}

fn unescape(text: &str) -> String {
    const ENTITIES: [(&str, &str); 5] =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    ENTITIES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// As a query of a signed request is written: everything but unreserved characters is escaped.
fn escape(text: &str) -> String {
    use std::fmt::Write;

    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uploads_is_read() {
        let xml = "<?xml version=\"1.0\"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
                   <Upload><Key>p/blobs/ab/1.2</Key><UploadId>a&amp;lt;b</UploadId></Upload>\
                   <Upload><Key>other</Key></Upload></ListMultipartUploadsResult>";
        let uploads: Vec<&str> = elements(xml, "Upload").collect();
        assert_eq!(uploads.len(), 2);
        assert_eq!(element(uploads[0], "Key"), Some("p/blobs/ab/1.2"));
        assert_eq!(element(uploads[0], "UploadId").map(unescape).as_deref(), Some("a&lt;b"));
        assert_eq!(element(uploads[1], "UploadId"), None);
        assert_eq!(element("<Key>cut", "Key"), None);
    }

    #[test]
    fn a_query_is_escaped_as_it_is_signed() {
        assert_eq!(escape("a/b+c~1.é"), "a%2Fb%2Bc~1.%C3%A9");
    }
}
