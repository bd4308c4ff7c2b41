//! `plura health`: whether a server is ready, for health checks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use crate::api_client::http;
use crate::cli::HealthArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::Settings;

/// Whoever does not answer within this time is not ready.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &HealthArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (client, base) = match &args.server {
        Some(base) => (http(base.url(), &args.authority)?, base.url().clone()),
        None => here(args)?,
    };
    let answer = runtime()?.block_on(ask(&client, base))?;
    let ready = answer["ready"] == Value::Bool(true);
    if args.output.json {
        printer.json(&answer)?;
    } else if ready {
        printer.data("ready\n")?;
    } else {
        let problem = answer["problem"].as_str().unwrap_or("it does not say why");
        printer.data(format!("not ready: {problem}\n"))?;
    }
    Ok(if ready { ExitStatus::Done } else { ExitStatus::No })
}

/// The server that the settings here describe.
fn here(args: &HealthArgs) -> anyhow::Result<(Client, Url)> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let base = own_address(&settings)?;
    let client = Client::builder().tls_danger_accept_invalid_certs(true).tls_certs_only([]);
    Ok((client.build().context("cannot prepare a connection")?, base))
}

fn own_address(settings: &Settings) -> anyhow::Result<Url> {
    let scheme = if settings.server.tls.files().is_some() { "https" } else { "http" };
    let address = reachable(settings.server.listen.socket());
    Url::parse(&format!("{scheme}://{address}")).context("the address is none of a URL")
}

/// Where a server that listens on `address` can be reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(client: &Client, base: Url) -> anyhow::Result<Value> {
    let asked = base.join("/readyz").context("the address is none of a server")?;
    let answer = client.get(asked).timeout(PATIENCE).send().await;
    let answer = answer
        .with_context(|| format!("{base} does not answer"))
        .hint("is the server running? name another address: `plura health URL`")?;
    let status = answer.status();
    let body = answer.json::<Value>().await.ok().filter(|body| body["ready"].is_boolean());
    match body {
        Some(body) if status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE => {
            Ok(body)
        }
        _ => Err(anyhow::anyhow!("{base} answers {status}, which no plura does"))
            .hint("name the address of a plura server: `plura health URL`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_stands_for_all_is_reached_over_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:5000", "127.0.0.1:5000"),
            ("[::]:5000", "[::1]:5000"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
