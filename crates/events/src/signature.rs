//! What shows a receiver that it was we who sent.

use std::fmt::Write as _;

use aws_lc_rs::hmac;

/// The header of the signature.
pub(crate) const SIGNATURE: &str = "x-plura-signature-256";
/// The header of the time that is signed: seconds since 1970.
pub(crate) const TIMESTAMP: &str = "x-plura-timestamp";

/// `sha256=` and the HMAC of the time, a dot and the body. With the time in it, nobody can send later what
/// they saw today.
pub(crate) fn sign(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    context.sign().as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign(b"secret", 1_700_000_000, b"{}"),
            "sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }
}
