//! What it costs to be governed: moving channels, deciding again, pulling through channels, replaying.

mod heads;
mod images;
mod moves;
mod pulls;
mod replay;
mod store;

use anyhow::Result;

use self::store::Store;
use super::Bench;
use crate::report::Report;

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let store = Store::fill(bench)?;
    moves::run(bench, report, &store)?;
    pulls::run(bench, report, &store)?;
    heads::run(bench, report, &store)?;
    replay::run(bench, report, &store)?;
    report.note(format!(
        "{} services, each with {} images of {} packages of which about a third has vulnerabilities, one of \
         them in `prod:stable`. The document asks for a bill of materials, labels, a user other than root, \
         a base, no secrets, no critical and no high vulnerabilities, recent advisories and a check.",
        store.services.len(),
        images::OF_A_SERVICE,
        images::PACKAGES,
    ));
    Ok(())
}
