//! The login of registries, as docker does it: the registry says where its tokens are given out, a
//! password or an identity token is exchanged for one there, and the token goes with requests.

use anyhow::{Context, anyhow, bail, ensure};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;

use crate::api_client::{answer, unreachable};
use crate::exit::{Hint, SaidNo};
use crate::secret::Secret;

/// What the registry is told who asks for tokens.
const CLIENT: &str = "plura";

/// How a registry wants its clients to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Not at all: it answers everybody.
    Open,
    /// With a name and a password in every request.
    Basic,
    /// With a token that is given out at an address.
    Bearer {
        /// The address.
        realm: Url,
        /// What the token is to be for.
        service: Option<String>,
    },
}

/// What a token endpoint gave out.
pub(crate) struct Token {
    /// What goes with requests.
    pub(crate) bearer: Secret,
    /// What can be exchanged for further tokens, in place of the password.
    pub(crate) identity: Option<Secret>,
}

/// Asks a registry how it wants its clients to log in.
pub(crate) async fn challenge(http: &Client, base: &Url) -> anyhow::Result<Challenge> {
    let response = http.get(version_check(base)?).send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::UNAUTHORIZED => wanted(response.headers(), base),
        status if status.is_success() => Ok(Challenge::Open),
        _ => answer(response).await.and_then(|_| bail!("the server is no registry")),
    }
}

/// Exchanges a password for a token, and for an identity token if the registry has such.
pub(crate) async fn exchange_password(
    http: &Client,
    (realm, service): (&Url, Option<&str>),
    name: &str,
    password: &Secret,
) -> anyhow::Result<Token> {
    let mut url = realm.clone();
    // Parameters that the realm has already must stay.
    let mut query = url.query_pairs_mut();
    query.extend_pairs(service.map(|service| ("service", service)));
    query.extend_pairs([("client_id", CLIENT), ("account", name), ("offline_token", "true")]);
    drop(query);
    let request = http.get(url).basic_auth(name, Some(password.expose()));
    let response = request.send().await.map_err(unreachable)?;
    refused(&response)?;
    token(response).await
}

/// Exchanges an identity token for a token that is good for the scopes.
pub(crate) async fn exchange_identity(
    http: &Client,
    (realm, service): (&Url, Option<&str>),
    scope: &str,
    identity: &Secret,
) -> anyhow::Result<Token> {
    // The query of an address is written like a form.
    let mut form = Url::parse("form:")?;
    form.query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .extend_pairs([("grant_type", "refresh_token"), ("client_id", CLIENT)])
        .append_pair("scope", scope)
        .append_pair("refresh_token", identity.expose());
    let request = http
        .post(realm.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned());
    token(request.send().await.map_err(unreachable)?).await
}

/// Checks that the registry takes what a login ended with.
pub(crate) async fn check(
    http: &Client,
    base: &Url,
    prove: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> anyhow::Result<()> {
    let response = prove(http.get(version_check(base)?)).send().await.map_err(unreachable)?;
    refused(&response)?;
    answer(response).await.map(drop)
}

fn version_check(base: &Url) -> anyhow::Result<Url> {
    base.join("v2/").context("not an address")
}

/// A wrong password is an answer, not a failure to ask.
fn refused(response: &Response) -> anyhow::Result<()> {
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(());
    }
    Err(SaidNo("the server does not accept this name with this password or token".to_owned()))
        .hint("check the name; for a robot it is the whole name, such as `robot+apps+ci`")
}

/// The answers that docker's protocol knows: one or the other name for the same token.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

async fn token(response: Response) -> anyhow::Result<Token> {
    let answer = answer(response).await?;
    // The parser would quote the answer, and there are secrets in it.
    let given = Given::deserialize(answer).map_err(|_| anyhow!("the answer has no token"))?;
    let present = |token: &String| !token.is_empty();
    let bearer = given.token.filter(present).or(given.access_token).filter(present);
    let bearer = Secret::new(bearer.context("the answer has no token")?);
    Ok(Token { bearer, identity: given.refresh_token.filter(present).map(Secret::new) })
}

/// What the headers of a refusal ask for; a token rather than the password itself.
fn wanted(headers: &HeaderMap, base: &Url) -> anyhow::Result<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let schemes: Vec<(&str, &str)> =
        values.map(|value| value.split_once(' ').unwrap_or((value, ""))).collect();
    let of = |name: &str| {
        schemes.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, rest)| *rest)
    };
    if let Some(parameters) = of("Bearer") {
        let realm = parameter(parameters, "realm").context("the server names no token endpoint")?;
        let realm: Url = realm.parse().context("the server's token endpoint is not an address")?;
        // Otherwise whoever answers over plain HTTP in its place would be sent the password.
        ensure!(
            realm.scheme() == base.scheme(),
            "the server at {base} gives out tokens at {realm}; name it by an address that begins \
             with {}",
            realm.scheme()
        );
        let service = parameter(parameters, "service");
        return Ok(Challenge::Bearer { realm, service });
    }
    of("Basic").map(|_| Challenge::Basic).context("the server asks for a login of an unknown kind")
}

/// The value of one of `name="value", name="value"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((found, after)) = rest.split_once('=') {
        let (value, after) = value(after)?;
        if found.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// A value, quoted or not, and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(values: &[&str]) -> anyhow::Result<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_str(value).expect("a header");
            headers.append(WWW_AUTHENTICATE, value);
        }
        wanted(&headers, &"https://a.example".parse().expect("an address"))
    }

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        let realm = realm.parse().expect("an address");
        Challenge::Bearer { realm, service: service.map(str::to_owned) }
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        let url = "https://a.example/auth/token";
        for (values, expected) in [
            (
                &[r#"Bearer realm="https://a.example/auth/token",service="a.example""#][..],
                bearer(url, Some("a.example")),
            ),
            (
                &[
                    r#"bearer service=a.example, scope="a=b,c", realm="https://a.example/auth/token""#,
                ],
                bearer(url, Some("a.example")),
            ),
            (&[r#"Bearer realm="https://a.example/auth/to\ken""#], bearer(url, None)),
            (
                &["Basic realm=\"x\"", r#"Bearer realm="https://a.example/auth/token""#],
                bearer(url, None),
            ),
            (&["Basic realm=\"x\""], Challenge::Basic),
            (&["basic"], Challenge::Basic),
        ] {
            assert_eq!(asked(values).expect("a challenge"), expected, "{values:?}");
        }
    }

    #[test]
    fn challenges_that_make_no_sense_are_errors() {
        for values in [
            &[][..],
            &["Negotiate"],
            &["Bearer"],
            &["Bearer realm"],
            &["Bearer realm=\"https://a.example"],
            &["Bearer realm=\"\\"],
            &["Bearer realm=\"nowhere\""],
        ] {
            assert!(asked(values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn a_password_is_not_sent_without_the_encryption_that_was_asked_for() {
        let error = asked(&[r#"Bearer realm="http://a.example/auth/token""#]);
        let error = error.expect_err("it is plain").to_string();
        assert!(error.contains("gives out tokens at http://a.example/auth/token"), "{error}");
    }
}
