//! What it costs to know who asks: manifests read with a login, against the same without.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Bench, rotated};
use crate::http::Request;
use crate::image::Image;
use crate::peer::{Kind, Peer};
use crate::registry;
use crate::report::{Report, SUBJECT, Target, WITHOUT_LOGIN};
use crate::wrk::{self, Load};

const REPOSITORY: &str = "bench/access";

/// The only user there is, on a server that only this machine reaches for a minute.
const NAME: &str = "admin";
const PASSWORD: &str = "measure-what-a-login-costs";

/// How a request says who sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Not at all, and the server does not ask.
    Nothing,
    /// A token of `/auth/token`, as container clients do.
    Bearer,
    /// Name and password in every request.
    Basic,
}

const SHOWN: [Shown; 3] = [Shown::Nothing, Shown::Bearer, Shown::Basic];

/// What is measured, and the least part of the requests per second without login.
const CASES: [(Shown, &str, f64); 2] =
    [(Shown::Bearer, "bearer token", 0.95), (Shown::Basic, "Basic", 0.9)];

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    wrk::require()?;
    let open = bench.launcher.start(Kind::Plura)?;
    let closed = bench.launcher.start_with_login(NAME, PASSWORD)?;
    let image = Image::unique(4096);
    registry::push_image(&mut open.connect()?, REPOSITORY, &image)?;
    registry::push_image(&mut closed.connect()?.authorized(&basic()), REPOSITORY, &image)?;
    refuses_strangers(&closed, &image)?;

    let target = format!("/v2/{REPOSITORY}/manifests/{}", image.tag);
    for round in 0..bench.rounds {
        for shown in rotated(&SHOWN, round) {
            let peer = if *shown == Shown::Nothing { &open } else { &closed };
            let authorization = shown.authorization(peer)?;
            let load = wrk::run(peer, &target, authorization.as_deref(), bench.scale.wrk_seconds)?;
            record(report, *shown, &load);
        }
    }
    for (_, case, factor) in CASES {
        let peer = WITHOUT_LOGIN;
        report.target(case, "requests/s", Target::AtLeast { peer, factor });
    }
    Ok(())
}

impl Shown {
    /// The header; a token is a new one each time, so that a long run does not outlive it.
    fn authorization(self, peer: &Peer) -> Result<Option<String>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Bearer => Some(format!("Bearer {}", token(peer)?)),
            Self::Basic => Some(basic()),
        })
    }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{NAME}:{PASSWORD}")))
}

/// A token for a pull, from where container clients get theirs.
fn token(peer: &Peer) -> Result<String> {
    let target = format!("/auth/token?scope=repository:{REPOSITORY}:pull");
    let request = Request { method: "GET", target: &target, ..Request::default() };
    let answer = peer.connect()?.authorized(&basic()).expect(200, &request)?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    Ok(answer["token"].as_str().context("the answer has no token")?.to_owned())
}

/// Without this, a server that forgot to look would come out best.
fn refuses_strangers(peer: &Peer, image: &Image) -> Result<()> {
    let target = format!("/v2/{REPOSITORY}/manifests/{}", image.tag);
    let request = Request { method: "GET", target: &target, ..Request::default() };
    peer.connect()?.expect(401, &request).map(drop)
}

/// What is measured without login stands beside each of the others.
fn record(report: &mut Report, shown: Shown, load: &Load) {
    for (of, case, _) in CASES {
        let column = match shown {
            Shown::Nothing => WITHOUT_LOGIN,
            _ if shown == of => SUBJECT,
            _ => continue,
        };
        report.record(case, "requests/s", column, load.requests_per_second);
        report.record(&format!("{case}, p50"), "ms", column, load.p50);
        report.record(&format!("{case}, p99"), "ms", column, load.p99);
    }
}
