//! Another document asked about what was decided.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::images::OF_A_SERVICE;
use super::store::{Store, stricter};
use crate::http::{Connection, Request};
use crate::progress;
use crate::report::{Report, SUBJECT, Target};
use crate::scenario::Bench;

pub(super) fn run(bench: &Bench, report: &mut Report, store: &Store) -> Result<()> {
    let mut connection = store.peer.connect()?;
    let wanted = bench.scale.images as u64;
    progress(&format!("deciding until there are {wanted} decisions"));
    let mut image = 0;
    while decisions(&simulate(&mut connection)?)? < wanted {
        image = (image + 1) % OF_A_SERVICE;
        ensure!(image != 0, "there are too few decisions");
        store.promote_all(image)?;
    }
    let case = format!("90 days with {wanted} decisions simulated");
    for _ in 0..bench.rounds {
        let started = Instant::now();
        let simulation = simulate(&mut connection)?;
        let elapsed = started.elapsed().as_secs_f64();
        let different = simulation["different"].as_u64().unwrap_or_default();
        ensure!(different > 0, "a stricter document decides the same: {simulation:#}");
        report.record(&case, "s", SUBJECT, elapsed);
        report.record(
            "decisions in it",
            "decisions",
            SUBJECT,
            crate::as_f64(decisions(&simulation)?),
        );
        report.record("of them decided otherwise", "decisions", SUBJECT, crate::as_f64(different));
    }
    report.target(&case, "s", Target::Limit(10.0));
    Ok(())
}

fn simulate(connection: &mut Connection) -> Result<Value> {
    let document = stricter();
    let request = Request {
        method: "POST",
        target: "/api/v1/policy/simulate?days=90",
        headers: &[("Content-Type", "application/toml")],
        body: &[document.as_bytes()],
    };
    Ok(serde_json::from_slice(&connection.expect(200, &request)?.body)?)
}

fn decisions(simulation: &Value) -> Result<u64> {
    simulation["decisions"].as_u64().context("a simulation counts its decisions")
}
