//! Messages are signed as Standard Webhooks says, so that receivers have libraries for it.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a key begins with that is written in base64.
const PREFIX: &str = "whsec_";

/// What messages are signed with.
pub(crate) struct Key(hmac::Key);

impl Key {
    /// The key that a text is: bytes in base64 after `whsec_`, or else the text itself.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| format!("what follows `{PREFIX}` is not base64"))?,
            None => text.as_bytes().to_vec(),
        };
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The signature of a message with that name, sent at that second.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that libraries for Standard Webhooks are tested with.
    #[test]
    fn messages_are_signed_as_the_specification_does() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert!(Key::new("whsec_*").is_err());
    }
}
