//! What is in images: layers read, packages matched with advisories, images asked for.

mod matching;
mod reading;

use anyhow::Result;

use super::Bench;
use crate::report::Report;

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    reading::run(bench, report)?;
    matching::run(bench, report)
}
