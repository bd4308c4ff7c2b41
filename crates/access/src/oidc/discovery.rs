//! What an issuer says about itself: <https://openid.net/specs/openid-connect-discovery-1_0.html>.

use reqwest::Url;
use serde::Deserialize;

use super::fetch::Web;
use super::keys::KeySet;
use super::{FetchError, address};

/// The document, as far as we read it.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Where a login takes place.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) authorization: Option<Url>,
    pub(super) token: Option<Url>,
    /// Whether the secret of a client goes into the form, since the issuer does not take it in the
    /// `Authorization` header.
    pub(super) secret_in_form: bool,
}

/// Asks an issuer for what it is and for its keys.
pub(super) async fn fetch(web: &Web, issuer: &str) -> Result<(Endpoints, KeySet), FetchError> {
    let issuer_url = address::issuer(issuer)?;
    let url = address::discovery(&issuer_url);
    let document = parse(&url, &web.get(&url).await?)?;
    if document.issuer != issuer {
        // Otherwise one host of a shared domain could speak for another.
        let found = document.issuer.chars().take(200).collect();
        return Err(FetchError::WrongIssuer { address: url.to_string(), found });
    }
    let keys_url = address::named_by(&issuer_url, &document.jwks_uri)?;
    let keys = KeySet::parse(keys_url.as_str(), &web.get(&keys_url).await?)?;
    Ok((document.endpoints(&issuer_url)?, keys))
}

fn parse(url: &Url, bytes: &[u8]) -> Result<Document, FetchError> {
    serde_json::from_slice(bytes).map_err(|error| FetchError::malformed(url.as_str(), &error))
}

impl Document {
    fn endpoints(&self, issuer: &Url) -> Result<Endpoints, FetchError> {
        let endpoint = |text: &Option<String>| {
            text.as_deref().map(|text| address::named_by(issuer, text)).transpose()
        };
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        Ok(Endpoints {
            authorization: endpoint(&self.authorization_endpoint)?,
            token: endpoint(&self.token_endpoint)?,
            secret_in_form: has("client_secret_post") && !has("client_secret_basic"),
        })
    }
}
