//! Base64 as signed notes have it: RFC 4648, section 4, with its padding, and one way to write each
//! value.

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
