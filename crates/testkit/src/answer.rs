//! What a registry answered, with the assertions tests make about it.

use bytes::Bytes;
use reqwest::Version;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request it answers, such as `GET /v2/`: failures show it.
    pub request: String,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty for `HEAD`.
    pub body: Bytes,
}

impl Answer {
    /// Panics unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        self.expect_one_of(&[status])
    }

    /// Panics unless the status is one of these: for where the specification leaves a choice.
    #[track_caller]
    pub fn expect_one_of(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "expected {statuses:?}, got {}", self.describe());
        self
    }

    /// Panics unless this is an error in the format of the specification, of this code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        self.expect_error_of(&[status], &[code])
    }

    /// [`Self::expect_error`] where there is a choice. The answer to a `HEAD` has no body, so of it
    /// only the status is compared.
    #[track_caller]
    pub fn expect_error_of(self, statuses: &[u16], codes: &[&str]) -> Self {
        let answer = self.expect_one_of(statuses);
        if answer.request.starts_with("HEAD ") {
            return answer;
        }
        assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
        let found = answer.error_codes();
        assert!(
            found.iter().any(|code| codes.contains(&code.as_str())),
            "expected an error {codes:?}, got {}",
            answer.describe()
        );
        assert!(!answer.error_message().is_empty(), "an error without a message: {answer:?}");
        answer
    }

    /// The value of a header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.header_if_any(name).unwrap_or_else(|| panic!("no {name} in {}", self.describe()))
    }

    /// The value of a header that may be missing.
    pub fn header_if_any(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("header values are ASCII"))
    }

    /// All values of a header that may be sent several times or as a comma-separated list.
    pub fn header_list(&self, name: &str) -> Vec<String> {
        let name: HeaderName = name.parse().expect("a header name");
        let values = self.headers.get_all(name).iter();
        values
            .flat_map(|value| value.to_str().expect("header values are ASCII").split(','))
            .map(|value| value.trim().to_owned())
            .collect()
    }

    /// Panics unless the header has this value.
    #[track_caller]
    pub fn expect_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.header(name), value, "{name} in {}", self.describe());
        self
    }

    /// Panics if the header is there.
    #[track_caller]
    pub fn expect_no_header(self, name: &str) -> Self {
        assert_eq!(self.header_if_any(name), None, "{name} in {}", self.describe());
        self
    }

    /// Panics unless these are the bytes of the body.
    #[track_caller]
    pub fn expect_body(self, body: &[u8]) -> Self {
        // Comparing before asserting keeps megabytes of blob out of the failure message.
        let same = self.body == body;
        assert!(same, "expected another body of {} bytes, got {}", body.len(), self.describe());
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.describe()))
    }

    /// The codes in the error body.
    #[track_caller]
    pub fn error_codes(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("no errors in {}", self.describe()));
        errors.iter().map(|error| error["code"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The message of the first error.
    #[track_caller]
    pub fn error_message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The target of the `Link` header whose relation is `next`, if there is one.
    #[track_caller]
    pub fn next_page(&self) -> Option<String> {
        let link = self.header_if_any("link")?;
        let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
        assert!(parameters.contains(r#"rel="next""#), "{link}");
        Some(target.to_owned())
    }

    /// The request, status, headers and the beginning of the body, for messages.
    pub fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(1000)]);
        let Self { request, status, headers, .. } = self;
        format!("{status} to {request}\n{headers:#?}\n{} bytes: {body}", self.body.len())
    }
}
