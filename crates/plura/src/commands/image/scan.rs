//! `plura image scan`: lets a scanner look at an image that speaks the open API of pluggable scanners (version
//! 1, as Harbor's do), and keeps what it says.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use plura_oci::{Digest, Reference};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::super::{answers, target::Target};
use crate::api_client::{ApiClient, Ask, body, http, listed, unreachable};
use crate::cli::{ScanArgs, WhichScanner};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::secret::Secret;
use crate::table::{cell, printable};
use crate::text_file;

const SCAN_REQUEST: &str = "application/vnd.scanner.adapter.scan.request+json; version=1.0";
/// The reports that are read, the better one first.
const REPORTS: [&str; 2] = [
    "application/vnd.security.vulnerability.report; version=1.1",
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
];
/// When a scanner says how old its data is, it does so here.
const DATABASE: &str = "harbor.scanner-adapter/vulnerability-database-updated-at";
/// How long one request may take: scanners answer at once, and are asked again.
const REQUEST: Duration = Duration::from_mins(2);
/// How long to wait between two questions, unless the scanner says so; then twice as long, to a limit.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The most bytes of a report.
const LONGEST: usize = 64 << 20;
/// The most bytes of a file with what a scanner is shown.
const LONGEST_SECRET: usize = 64 << 10;
/// The longest line about a scanner's data.
const LONGEST_DATABASE: usize = 255;

/// A scanner, and what it is shown.
struct Adapter {
    http: Client,
    base: Url,
    authorization: Option<Secret>,
}

pub(super) async fn run(args: &ScanArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let client = ApiClient::of_repository(&target.server, &target.repository).await?;
    let image = image_of(&client, &target).await?;
    let adapter = Adapter::of(args, address_of(&client, &args.scanner).await?)?;
    let metadata = adapter.metadata().await?;
    let form = form_of(&metadata)?;
    let request = json!({
        "registry": {
            "url": args.registry_url.as_ref().unwrap_or(&target.server.server).url().as_str(),
            "authorization": pull_token(&client, &target).await?,
        },
        "artifact": {
            "repository": target.repository, "digest": image["digest"],
            "mime_type": image["media_type"],
        },
        "enabled_capabilities": [{ "type": "vulnerability", "produces_mime_types": [form] }],
    });
    let scan = adapter.begin(&request).await?;
    let report = adapter.report(&scan, form, args.timeout.duration()).await?;
    let ask = Ask::api(Method::POST, ["images", "reports"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(cell(&image["digest"])))
        .query("database", database_of(&metadata))
        .content("application/json", report);
    let kept = client.ask(ask).await?;
    let (scanner, count) = (cell(&kept["scanner"]), cell(&kept["findings"]));
    let note = format_args!("{scanner} found {count} in {}", cell(&kept["digest"]));
    answers::done(&args.output, &kept, note, printer)
}

/// Where the scanner is: as was said, or as the server has it.
async fn address_of(client: &ApiClient, which: &WhichScanner) -> anyhow::Result<Url> {
    let Some(name) = &which.scanner else {
        return which.adapter.clone().context("no scanner was named");
    };
    let mut answer = client.ask(Ask::api(Method::GET, ["scanners"])).await?;
    let scanners = listed(&mut answer, "scanners")?;
    let found = scanners.iter().find(|scanner| scanner["name"] == name.as_str());
    let url = found.and_then(|scanner| scanner["url"].as_str());
    let url = url.with_context(|| format!("there is no scanner `{name}`"));
    let url = url.hint("`plura scanner list` lists them, `plura scanner add` adds one")?;
    url.parse().context("the scanner's address is none")
}

/// The digest that the reference stands for, so that scanner and report are about the same.
async fn image_of(client: &ApiClient, target: &Target) -> anyhow::Result<Value> {
    let ask = Ask::api(Method::GET, ["images"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(&target.reference));
    let image = client.ask(ask).await?;
    let digest = image["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
    let digest = digest.context("the server's answer names no digest")?;
    if let Reference::Digest(asked) = target.reference {
        ensure!(asked == digest, "the server answered with {digest} instead of {asked}");
    }
    Ok(image)
}

/// What the scanner pulls with: good for this repository, and only for minutes.
async fn pull_token(client: &ApiClient, target: &Target) -> anyhow::Result<Option<String>> {
    let scope = format!("repository:{}:pull", target.repository);
    let ask = Ask::at(Method::GET, ["auth", "token"]).query("scope", Some(scope));
    let answer = client.ask(ask).await?;
    Ok(answer["token"].as_str().map(|token| format!("Bearer {token}")))
}

/// The better one of the reports that both sides know.
fn form_of(metadata: &Value) -> anyhow::Result<&'static str> {
    let capabilities = metadata["capabilities"].as_array().into_iter().flatten();
    let made: Vec<String> = capabilities
        .flat_map(|capability| capability["produces_mime_types"].as_array().into_iter().flatten())
        .filter_map(|form| form.as_str().map(compact))
        .collect();
    let known = REPORTS.into_iter().find(|form| made.contains(&compact(form)));
    known.with_context(|| format!("the scanner makes no report that is read here: {}", REPORTS[0]))
}

/// Media types differ in blanks, which mean nothing.
fn compact(media_type: &str) -> String {
    media_type.split_whitespace().collect()
}

fn database_of(metadata: &Value) -> Option<String> {
    let updated = metadata["properties"][DATABASE].as_str()?;
    let plain = updated.len() <= LONGEST_DATABASE && !updated.contains(char::is_control);
    plain.then(|| updated.to_owned())
}

impl Adapter {
    fn of(args: &ScanArgs, base: Url) -> anyhow::Result<Self> {
        let plain = ["http", "https"].contains(&base.scheme()) && base.username().is_empty();
        ensure!(plain, "the scanner's address is one of http or https, without a user");
        let authorization = match &args.authorization_file {
            Some(path) => Some(Secret::new(text_file::read(path, LONGEST_SECRET)?.trim())),
            None => None,
        };
        Ok(Self { http: http(&base, &args.server.authority)?, base, authorization })
    }

    async fn metadata(&self) -> anyhow::Result<Value> {
        let request = self.request(Method::GET, &["metadata"])?;
        json_of(self.send(request).await?, "metadata").await
    }

    /// Begins a scan; its name.
    async fn begin(&self, request: &Value) -> anyhow::Result<String> {
        let post = self.request(Method::POST, &["scan"])?;
        let post = post.header(CONTENT_TYPE, SCAN_REQUEST).body(request.to_string());
        let answer = json_of(self.send(post).await?, "scan").await?;
        let name = answer["id"].as_str().filter(|name| !name.is_empty());
        Ok(name.context("the scanner gives the scan no name")?.to_owned())
    }

    /// What the scan found, once it is done.
    async fn report(&self, scan: &str, form: &str, timeout: Duration) -> anyhow::Result<Vec<u8>> {
        let (started, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            let get = self.request(Method::GET, &["scan", scan, "report"])?.header(ACCEPT, form);
            let response = self.send(get).await?;
            match response.status() {
                StatusCode::OK => return body(response, LONGEST).await,
                StatusCode::FOUND => {}
                _ => return Err(refusal(response, "report").await),
            }
            let pause = asked_pause(&response).unwrap_or(wait);
            if started.elapsed() + pause > timeout {
                return Err(anyhow!("the scanner is not done after {} s", timeout.as_secs()))
                    .hint("let it take longer with `--timeout`");
            }
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.base.clone();
        let mut segments = url.path_segments_mut().map_err(|()| anyhow!("not an address"))?;
        segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        drop(segments);
        let request = self.http.request(method, url).timeout(REQUEST);
        Ok(match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.expose()),
            None => request,
        })
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(unreachable).context("the scanner does not answer")
    }
}

/// How long the scanner wants not to be asked.
fn asked_pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(FIRST_WAIT, LONGEST_WAIT))
}

async fn json_of(response: Response, what: &str) -> anyhow::Result<Value> {
    if !response.status().is_success() {
        return Err(refusal(response, what).await);
    }
    let bytes = body(response, LONGEST).await?;
    serde_json::from_slice(&bytes).map_err(|_| anyhow!("the scanner's {what} is not JSON"))
}

async fn refusal(response: Response, what: &str) -> anyhow::Error {
    let status = response.status();
    let said = match body(response, LONGEST).await {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).unwrap_or_default(),
        Err(_) => Value::Null,
    };
    let words = said["error"]["message"].as_str().or(said["errors"][0]["message"].as_str());
    let words = words.map(|words| format!(": {}", printable(words))).unwrap_or_default();
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "show it who you are with `--authorization-file FILE`"
        }
        _ => "the address of a scanner is what `/api/v1/metadata` follows",
    };
    let refused: anyhow::Result<()> = refuse(&format!("{status} to {what}{words}")).hint(hint);
    refused.err().unwrap_or_else(|| anyhow!("no answer"))
}

fn refuse(what: &str) -> anyhow::Result<()> {
    bail!("the scanner answers {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_report_that_both_sides_know_is_asked_for() {
        let making = |forms: &[&str]| json!({ "capabilities": [{ "produces_mime_types": forms }] });
        let old = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";
        let tight = "application/vnd.security.vulnerability.report;version=1.1";
        assert_eq!(form_of(&making(&[old, tight])).unwrap(), REPORTS[0]);
        assert_eq!(form_of(&making(&[old])).unwrap(), REPORTS[1]);
        assert!(form_of(&making(&["application/json"])).is_err());
        assert!(form_of(&json!({})).is_err());
    }

    #[test]
    fn how_old_a_scanner_s_data_is_is_a_line() {
        let said = |text: &str| json!({ "properties": { DATABASE: text } });
        assert_eq!(database_of(&said("2026-01-02")).as_deref(), Some("2026-01-02"));
        assert_eq!(database_of(&said("a\nb")), None);
        assert_eq!(database_of(&said(&"x".repeat(300))), None);
        assert_eq!(database_of(&json!({})), None);
    }
}
