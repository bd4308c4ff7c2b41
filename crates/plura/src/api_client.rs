//! Questions to a running server: where it is, who asks, and what its answers mean.

use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use plura_oci::RepositoryName;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Map, Value};

use crate::cli::{AuthorityArgs, ServerArgs};
use crate::docker_config::{Credentials, Logins, host_of};
use crate::exit::{Hint, SaidNo, hint_of};
use crate::secret::Secret;
use crate::table::printable;
use crate::token_endpoint::{Challenge, challenge, exchange_identity};

/// How long a server may take to accept a connection. Its answers may take longer: a collection
/// answers when it is done.
const CONNECT: Duration = Duration::from_secs(10);

/// What an answer may have at most.
const LONGEST: usize = 64 * 1024 * 1024;

/// A server, and what it is shown.
pub(crate) struct ApiClient {
    http: Client,
    base: Url,
    login: Login,
}

/// Who asks.
enum Login {
    /// Nobody in particular.
    Nobody,
    /// Nobody, because what is kept for the server cannot be read: what went wrong, and the hint.
    Unreadable(String, Option<String>),
    /// Whoever has the token that was given with the command.
    Given(Secret),
    /// Whoever logged in, by name and password.
    Password(String, Secret),
    /// Whoever logged in, by a token that was got for the identity token.
    Exchanged(Secret),
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Map<String, Value>>,
    content: Option<(String, Vec<u8>)>,
    accept: Option<&'static str>,
    header: Option<(&'static str, String)>,
}

impl Ask {
    /// A question to the API, whose path follows `/api/v1`.
    pub(crate) fn api<const N: usize>(method: Method, path: [&str; N]) -> Self {
        Self::at(method, ["api", "v1"].into_iter().chain(path))
    }

    /// A question at any path.
    pub(crate) fn at<'a>(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().map(str::to_owned).collect();
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            content: None,
            accept: None,
            header: None,
        }
    }

    /// The same by another method.
    pub(crate) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Adds a parameter, if it has a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Adds a field to the body, if it has a value.
    pub(crate) fn field(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.body([(name.to_owned(), value.into())].into_iter().collect()),
            None => self,
        }
    }

    /// Adds fields to the body.
    pub(crate) fn body(mut self, fields: Map<String, Value>) -> Self {
        self.body.get_or_insert_default().extend(fields);
        self
    }

    /// Sends bytes as they are.
    pub(crate) fn content(mut self, media_type: &str, bytes: Vec<u8>) -> Self {
        self.content = Some((media_type.to_owned(), bytes));
        self
    }

    /// Sends a header, if it has a value.
    pub(crate) fn header(self, name: &'static str, value: Option<String>) -> Self {
        Self { header: value.map(|value| (name, value)).or(self.header), ..self }
    }

    /// Says of which media type the answer may be.
    pub(crate) fn accept(mut self, media_types: &'static str) -> Self {
        self.accept = Some(media_types);
        self
    }
}

impl ApiClient {
    /// A client of the server that was named, with the login that is kept for it.
    pub(crate) async fn of(args: &ServerArgs) -> anyhow::Result<Self> {
        Self::with_scope(args, "registry:api:*").await
    }

    /// The same for somebody who also pushes to a repository.
    pub(crate) async fn of_repository(
        args: &ServerArgs,
        repository: &RepositoryName,
    ) -> anyhow::Result<Self> {
        let scope = format!("registry:api:* repository:{repository}:pull,push");
        Self::with_scope(args, &scope).await
    }

    async fn with_scope(args: &ServerArgs, scope: &str) -> anyhow::Result<Self> {
        let base = args.server.url().clone();
        let http = http(&base, &args.authority)?;
        let given = args.token.clone().filter(|token| !token.is_empty());
        let login = match given {
            Some(token) => Login::Given(token),
            None => kept(&http, &base, scope).await?,
        };
        Ok(Self { http, base, login })
    }

    /// Asks, and returns the JSON of the answer; nothing if the answer is that it was done.
    pub(crate) async fn ask(&self, ask: Ask) -> anyhow::Result<Value> {
        answer(self.send(ask).await?).await
    }

    /// Sends a file, however large it is, and returns the JSON of the answer.
    pub(crate) async fn upload(
        &self,
        ask: Ask,
        media_type: &str,
        file: fs::File,
    ) -> anyhow::Result<Value> {
        let file = tokio::fs::File::from_std(file);
        answer(self.send_with(ask, Some((media_type, file.into()))).await?).await
    }

    /// Asks for something that is no answer of the API, but content: its bytes.
    pub(crate) async fn bytes(&self, ask: Ask) -> anyhow::Result<Vec<u8>> {
        let response = self.send(ask).await?;
        if response.status().is_success() {
            return body(response, LONGEST).await;
        }
        answer(response).await?;
        bail!("the answer is neither content nor a refusal")
    }

    /// Asks, and returns the answer as it is, unless it is that the server wants another login.
    pub(crate) async fn send(&self, ask: Ask) -> anyhow::Result<Response> {
        self.send_with(ask, None).await
    }

    async fn send_with(
        &self,
        ask: Ask,
        large: Option<(&str, reqwest::Body)>,
    ) -> anyhow::Result<Response> {
        let Ask { method, path, query, body, content, accept, header } = ask;
        let mut url = self.base.clone();
        append(&mut url, &path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.authenticated(self.http.request(method, url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some((media_type, bytes)) = content {
            request = request.header(CONTENT_TYPE, media_type).body(bytes);
        }
        if let Some((media_type, body)) = large {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        if let Some(media_types) = accept {
            request = request.header(ACCEPT, media_types);
        }
        let response = request.send().await.map_err(unreachable)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(self.unauthorized(response).await);
        }
        Ok(response)
    }

    /// The items of a list that the server gives out in pages.
    pub(crate) async fn all(&self, name: &str, ask: Ask) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut page = self.ask(ask.clone().query("after", after.as_ref())).await?;
            items.extend(listed(&mut page, name)?);
            let next = page["next"].as_str().map(str::to_owned);
            match next {
                // A server that repeats itself must not keep us for ever.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(items),
            }
        }
    }

    fn authenticated(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Login::Nobody | Login::Unreadable(..) => request,
            Login::Given(token) | Login::Exchanged(token) => request.bearer_auth(token.expose()),
            Login::Password(name, password) => request.basic_auth(name, Some(password.expose())),
        }
    }

    /// The server wants to know who asks, or does not believe it.
    async fn unauthorized(&self, response: Response) -> anyhow::Error {
        let narrow = is_too_narrow(response.headers());
        let said = answer(response).await.err().unwrap_or_else(|| anyhow!("no reason given"));
        if narrow {
            let hinted: anyhow::Result<()> = Err(SaidNo(format!("{said:#}"))).hint(
                "the token is limited to scopes that leave this out; make another with `plura token \
                 create`, or leave it out to use your login",
            );
            return hinted.err().unwrap_or_else(|| anyhow!("the token is too narrow"));
        }
        let login = login_command(&self.base);
        let hinted: anyhow::Result<()> = match &self.login {
            Login::Nobody => Err(said).hint(format!("log in: {login}")),
            Login::Unreadable(message, hint) => {
                let hint = hint.clone().unwrap_or_else(|| format!("log in: {login}"));
                Err(said.context(message.clone())).hint(hint)
            }
            Login::Given(_) => Err(said).hint(
                "the token of `PLURA_TOKEN` or `--token` is not accepted; make another with `plura \
                 token create`, or leave it out to use your login",
            ),
            Login::Password(..) | Login::Exchanged(_) => {
                Err(said).hint(format!("the login that is kept is not accepted; again: {login}"))
            }
        };
        hinted.err().unwrap_or_else(|| anyhow!("the server wants a login"))
    }
}

/// Whether whoever asks could, with a token that is not limited (RFC 6750, 3.1).
fn is_too_narrow(headers: &HeaderMap) -> bool {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.any(|value| value.to_str().is_ok_and(|text| text.contains("insufficient_scope")))
}

/// The command that logs in to a server.
pub(crate) fn login_command(base: &Url) -> String {
    format!("plura login {}", base.as_str().trim_end_matches('/'))
}

/// The items under `name` in an answer.
pub(crate) fn listed(answer: &mut Value, name: &str) -> anyhow::Result<Vec<Value>> {
    match answer.get_mut(name).map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!("the answer has no list of {name}"),
    }
}

/// A client for the server at this address.
pub(crate) fn http(base: &Url, authority: &AuthorityArgs) -> anyhow::Result<Client> {
    // Credentials go where they were meant to go: a redirect is answered, not followed.
    let builder = Client::builder()
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .user_agent(concat!("plura/", env!("CARGO_PKG_VERSION")));
    let builder = match &authority.ca_file {
        Some(path) => {
            let failed = || format!("cannot read certificates from `{}`", path.display());
            let hint = "name a PEM file with `--ca-file` or `PLURA_CA_FILE`";
            let pem = fs::read(path).with_context(failed).hint(hint)?;
            let certificates =
                Certificate::from_pem_bundle(&pem).with_context(failed).hint(hint)?;
            let empty = || anyhow!("there is no certificate in `{}`", path.display());
            certificates.first().ok_or_else(empty).hint(hint)?;
            builder.tls_certs_only(certificates)
        }
        // Reading the system's certificates takes time, and fails where there are none.
        None if base.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    builder
        .build()
        .context("cannot prepare encrypted connections")
        .hint("name the server's certificate authority with `--ca-file FILE` or `PLURA_CA_FILE`")
}

/// The login that is kept for a server. One that cannot be read is only missed once the server asks
/// for it: many a machine has a broken login for another registry, and servers that need none.
async fn kept(http: &Client, base: &Url, scope: &str) -> anyhow::Result<Login> {
    let found = Logins::from_environment().and_then(|logins| logins.find(&host_of(base)));
    Ok(match found {
        Ok(None) => Login::Nobody,
        Ok(Some(Credentials::Password { name, password })) => Login::Password(name, password),
        Ok(Some(Credentials::IdentityToken { token, .. })) => {
            exchanged(http, base, scope, &token).await?
        }
        Err(error) => Login::Unreadable(format!("{error:#}"), hint_of(&error).map(str::to_owned)),
    })
}

async fn exchanged(
    http: &Client,
    base: &Url,
    scope: &str,
    identity: &Secret,
) -> anyhow::Result<Login> {
    let Challenge::Bearer { realm, service } = challenge(http, base).await? else {
        return Ok(Login::Nobody);
    };
    let token = exchange_identity(http, (&realm, service.as_deref()), scope, identity)
        .await
        .context("the login that is kept is not accepted")
        .hint(format!("log in again: {}", login_command(base)))?;
    Ok(Login::Exchanged(token.bearer))
}

/// Appends segments, each of which stays one whatever is in it.
fn append(url: &mut Url, path: &[String]) -> anyhow::Result<()> {
    for segment in path {
        let moves = matches!(segment.as_str(), "" | "." | "..");
        ensure!(!moves, "{segment:?} is not a name");
    }
    let mut segments = url.path_segments_mut().map_err(|()| anyhow!("not an address"))?;
    segments.pop_if_empty().extend(path);
    Ok(())
}

/// The server did not answer.
pub(crate) fn unreachable(error: reqwest::Error) -> anyhow::Error {
    let text = format!("{:#}", anyhow!(error.without_url()));
    let hint = if text.contains("certificate") {
        "is it the right server? name its certificate authority with `--ca-file FILE` or \
         `PLURA_CA_FILE`"
    } else {
        "is the server running? name it with `--server URL` or `PLURA_SERVER`"
    };
    let result: anyhow::Result<()> = Err(anyhow!(text)).hint(hint);
    result.err().unwrap_or_else(|| anyhow!("no answer"))
}

/// The JSON of an answer, or what the server says against it.
pub(crate) async fn answer(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location").and_then(|to| to.to_str().ok());
        let to = printable(to.unwrap_or("nowhere"));
        return Err(anyhow!("the server answered {status}: it points to {to}"))
            .hint("name the server by its own address with `--server URL` or `PLURA_SERVER`");
    }
    let body = body(response, LONGEST).await?;
    if status.is_success() {
        let empty = body.is_empty();
        let json = if empty { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        return json.map_err(|_| anyhow!("the answer is not JSON"));
    }
    let errors: Value = serde_json::from_slice(&body).unwrap_or_default();
    refusal(status, &errors)
}

/// The body of an answer, which has at most so many bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
        ensure!(body.len() + chunk.len() <= limit, "the answer is too long");
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the server said, with what would help if it said that, too.
fn refusal(status: StatusCode, answer: &Value) -> anyhow::Result<Value> {
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let messages: Vec<&str> = errors.iter().filter_map(|e| e["message"].as_str()).collect();
    let reason =
        if messages.is_empty() { "no reason given".to_owned() } else { messages.join("; ") };
    let text = format!("the server answered {status}: {}", printable(&reason));
    let error = if is_answer(status) { SaidNo(text).into() } else { anyhow!(text) };
    match errors.iter().find_map(|error| error["detail"]["fix"].as_str()) {
        Some(fix) => Err(error).hint(printable(fix)),
        None => Err(error),
    }
}

/// Whether a refusal is about what was asked for: not allowed, not there, in the way of something.
fn is_answer(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::CONFLICT)
}
