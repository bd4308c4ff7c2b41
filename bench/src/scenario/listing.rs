//! One page of a long list: its cost must not depend on how long the list is.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Bench;
use crate::http::{Connection, Request};
use crate::milliseconds;
use crate::peer::Kind;
use crate::report::{Report, Target, median};
use crate::seed::{Seeded, TAGGED, repository, tag};

const PAGE: usize = 100;

/// A page takes well under a millisecond: one alone would measure the scheduler.
const REPEATED: usize = 20;

/// A list and how its entries are called.
struct List {
    name: &'static str,
    path: String,
    key: &'static str,
    entry: fn(usize) -> String,
}

/// A page, and the first entry it must have.
struct Page {
    name: &'static str,
    target: String,
    first: String,
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let large = bench.large_store()?;
    let small = Seeded::fill(&bench.launcher, Kind::Plura, bench.scale.few_stored)?;
    let peer = Seeded::fill(&bench.launcher, Kind::DockerRegistry, bench.scale.peer_stored)?;
    for list in lists() {
        for store in [&*large, &small, &peer] {
            measure(bench, report, &list, store)?;
        }
        compare(report, &list, &large, &small);
    }
    report.note(format!(
        "docker-registry has only {} tags and repositories: with more it is too slow to be filled \
         and asked. It does not page tags and sends all of them.",
        peer.stored
    ));
    Ok(())
}

fn lists() -> [List; 2] {
    [
        List { name: "tags", path: format!("/v2/{TAGGED}/tags/list"), key: "tags", entry: tag },
        List {
            name: "catalog",
            path: String::from("/v2/_catalog"),
            key: "repositories",
            entry: repository,
        },
    ]
}

impl List {
    fn pages(&self, stored: usize) -> [Page; 3] {
        let after = |name, first: usize| Page {
            name,
            target: format!("{}?n={PAGE}&last={}", self.path, (self.entry)(first - 1)),
            first: (self.entry)(first),
        };
        [
            Page {
                name: "first page",
                target: format!("{}?n={PAGE}", self.path),
                first: (self.entry)(0),
            },
            after("middle page", stored / 2),
            after("last full page", stored - PAGE),
        ]
    }

    fn case(&self, page: &Page, stored: usize) -> String {
        format!("{}, {} of {stored}", self.name, page.name)
    }
}

fn measure(bench: &Bench, report: &mut Report, list: &List, store: &Seeded) -> Result<()> {
    let peer = store.start(&bench.launcher)?;
    let mut connection = peer.connect()?;
    for page in list.pages(store.stored) {
        let case = list.case(&page, store.stored);
        check(&fetch(&mut connection, &page.target)?, list, &page, store.kind)
            .with_context(|| format!("{case} of {}", store.kind))?;
        for _ in 0..bench.rounds {
            let time = median_time(&mut connection, &page.target)?;
            report.record(&case, "ms", store.kind.name(), time);
        }
        if store.kind == Kind::Plura {
            report.target(&case, "ms", Target::Limit(5.0));
        }
    }
    Ok(())
}

fn median_time(connection: &mut Connection, target: &str) -> Result<f64> {
    let mut times = Vec::with_capacity(REPEATED);
    for _ in 0..REPEATED {
        let started = Instant::now();
        fetch(connection, target)?;
        times.push(milliseconds(started.elapsed()));
    }
    median(&times).context("nothing was fetched")
}

fn fetch(connection: &mut Connection, target: &str) -> Result<Vec<u8>> {
    let request = Request { method: "GET", target, ..Request::default() };
    Ok(connection.expect(200, &request)?.body)
}

/// A page that is fast but wrong counts for nothing.
fn check(body: &[u8], list: &List, page: &Page, kind: Kind) -> Result<()> {
    let body: Value = serde_json::from_slice(body)?;
    let entries = body[list.key].as_array().context("the answer has no list")?;
    if kind != Kind::Plura {
        return Ok(());
    }
    let first = entries.first().and_then(Value::as_str);
    ensure!(first == Some(&*page.first), "it begins with {first:?} and not {}", page.first);
    ensure!(entries.len() == PAGE, "it has {} entries and not {PAGE}", entries.len());
    Ok(())
}

/// How the time grows from the small store to the large one.
fn compare(report: &mut Report, list: &List, large: &Seeded, small: &Seeded) {
    for (long, short) in list.pages(large.stored).iter().zip(list.pages(small.stored)) {
        let value = |case: &str| {
            let row = report.rows.iter().find(|row| row.case == case)?;
            row.value(Kind::Plura.name())
        };
        let times =
            (value(&list.case(long, large.stored)), value(&list.case(&short, small.stored)));
        if let (Some(long_time), Some(short_time)) = times {
            let case =
                format!("{}, {}: {} against {}", list.name, long.name, large.stored, small.stored);
            report.record(&case, "times", Kind::Plura.name(), long_time / short_time);
        }
    }
}
