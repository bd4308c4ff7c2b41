//! What is in channels decided about again, since other advisories are in force.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::images::{ADVISORIES_OF_A_NAME, NAMES};
use super::store::{Store, get, import};
use crate::http::Connection;
use crate::progress;
use crate::report::{Report, SUBJECT, Target};
use crate::scenario::Bench;

const PATIENCE: Duration = Duration::from_mins(2);
const MOMENT: Duration = Duration::from_millis(50);

pub(super) fn run(bench: &Bench, report: &mut Report, store: &Store) -> Result<()> {
    let mut connection = store.peer.connect()?;
    progress("waiting until all channels are decided about");
    decided(store, &mut connection, "allow")?;
    let case = format!(
        "{} channels decided about again, {} other advisories",
        store.services.len(),
        NAMES * ADVISORIES_OF_A_NAME
    );
    for round in 1..=bench.rounds {
        // The sets are in turn such that every decision is another one.
        let critical = round % 2 == 1;
        import(&mut connection, round, critical)?;
        let started = Instant::now();
        decided(store, &mut connection, if critical { "deny" } else { "allow" })?;
        report.record(&case, "s", SUBJECT, started.elapsed().as_secs_f64());
    }
    report.target(&case, "s", Target::Limit(10.0));
    report.note(
        "The clock of deciding again begins with the answer to the import and ends when every channel says \
         the opposite of what it said; waiting until the server looks, matching packages with the new \
         advisories, and writing each denial to audit and log are part of it.",
    );
    Ok(())
}

/// Waits until that is decided about all channels. The last one is asked for until then: a list of all
/// takes the server's time.
fn decided(store: &Store, connection: &mut Connection, effect: &str) -> Result<()> {
    let last = store.services.last().context("there are no services")?;
    let last = format!("/api/v1/channels?service={}", last.name);
    let started = Instant::now();
    while !are_all(&get(connection, &last)?, effect)?
        || !are_all(&get(connection, "/api/v1/channels")?, effect)?
    {
        ensure!(started.elapsed() < PATIENCE, "channels are not decided about: {effect}");
        std::thread::sleep(MOMENT);
    }
    Ok(())
}

fn are_all(answer: &Value, effect: &str) -> Result<bool> {
    let channels = answer["channels"].as_array().context("no list of channels")?;
    ensure!(!channels.is_empty(), "there are no channels");
    Ok(channels.iter().all(|one| one["standing"]["decision"]["effect"] == effect))
}
