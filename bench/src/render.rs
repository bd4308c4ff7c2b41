//! The readable form of the results: Markdown tables that are also aligned as plain text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::host::Host;
use crate::report::{ONE_REPLICA, Report, Row, SUBJECT, Verdict, WITHOUT_LOGIN, number};

/// The order of columns; peers that were not measured have none.
const COLUMNS: [&str; 7] =
    [SUBJECT, WITHOUT_LOGIN, ONE_REPLICA, "docker-registry", "nginx", "disk", "machine"];

/// The whole document.
pub(crate) fn document(host: &Host, settings: &str, reports: &[Report]) -> String {
    let mut text = format!("# Measured {}\n\n{host}\n{settings}\n", host.started);
    for report in reports {
        text.push('\n');
        text.push_str(&section(report));
    }
    text.push('\n');
    text.push_str(&summary(reports));
    text
}

/// One scenario.
pub(crate) fn section(report: &Report) -> String {
    let mut text = format!("## {}\n", report.title);
    if !report.rows.is_empty() {
        text.push('\n');
        text.push_str(&table(report));
    }
    if let Some(failure) = &report.failure {
        let _ = write!(text, "\n**Failed:** {failure}\n");
    }
    for note in &report.notes {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

fn summary(reports: &[Report]) -> String {
    let verdicts: Vec<_> = reports
        .iter()
        .flat_map(|report| report.rows.iter().flat_map(Row::verdicts))
        .map(|verdict| verdict.met)
        .collect();
    let met = verdicts.iter().filter(|met| **met).count();
    let failed = reports.iter().filter(|report| report.failure.is_some()).count();
    format!("Targets met: {met} of {}. Scenarios failed: {failed}.\n", verdicts.len())
}

fn table(report: &Report) -> String {
    let measured: BTreeSet<_> = report.rows.iter().flat_map(|row| row.samples.keys()).collect();
    let peers: Vec<_> = COLUMNS.into_iter().filter(|peer| measured.contains(peer)).collect();
    let mut lines = vec![heading(&peers)];
    for row in &report.rows {
        lines.extend(row_lines(row, &peers));
    }
    aligned(&lines)
}

fn heading(peers: &[&str]) -> Vec<String> {
    let mut cells = vec![String::from("measure"), String::from("unit")];
    cells.extend(peers.iter().map(|peer| (*peer).to_owned()));
    cells.extend(["target", "observed", "verdict"].map(String::from));
    cells
}

/// The values, and a further line for every further target.
fn row_lines(row: &Row, peers: &[&str]) -> Vec<Vec<String>> {
    let mut cells = vec![row.case.clone(), row.unit.to_owned()];
    cells.extend(peers.iter().map(|peer| row.value(peer).map_or(String::new(), number)));
    let verdicts = row.verdicts();
    let Some((first, others)) = verdicts.split_first() else {
        cells.extend([const { String::new() }; 3]);
        return vec![cells];
    };
    let blank = vec![String::new(); cells.len()];
    cells.extend(verdict_cells(first));
    let mut lines = vec![cells];
    lines.extend(others.iter().map(|verdict| {
        let mut cells = blank.clone();
        cells.extend(verdict_cells(verdict));
        cells
    }));
    lines
}

fn verdict_cells(verdict: &Verdict) -> [String; 3] {
    let observed = match verdict.spread {
        Some((low, high)) => {
            format!("{}x ({}..{})", number(verdict.observed), number(low), number(high))
        }
        None => number(verdict.observed),
    };
    let met = if verdict.met { "met" } else { "MISSED" };
    [verdict.target.clone(), observed, met.to_owned()]
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<_> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Target;

    #[test]
    fn a_table_has_a_column_per_measured_peer_and_a_line_per_target() {
        let mut report = Report::new("blob-get", "Blob GET");
        report.record("1 connection", "MB/s", "plura", 3000.0);
        report.record("1 connection", "MB/s", "nginx", 2000.0);
        report.target("1 connection", "MB/s", Target::AtLeast { peer: "nginx", factor: 1.0 });
        report.target("1 connection", "MB/s", Target::Limit(10.0));
        report.record("8 connections", "MB/s", "plura", 0.5);
        let expected = "\
## Blob GET

| measure       | unit | plura | nginx | target      | observed        | verdict |
|---------------|------|-------|-------|-------------|-----------------|---------|
| 1 connection  | MB/s | 3000  | 2000  | >= 1x nginx | 1.5x (1.5..1.5) | met     |
|               |      |       |       | <= 10 MB/s  | 3000            | MISSED  |
| 8 connections | MB/s | 0.5   |       |             |                 |         |
";
        assert_eq!(section(&report), expected);
    }
}
