//! What the kernel says about a server process: CPU time and memory.

use std::fs;

use anyhow::{Context as _, Result};

/// CPU seconds (user and system, all threads) that a process and its children have used so far.
///
/// Children count because nginx does its work in them.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut ticks = own_ticks(pid)?;
    for child in children(pid) {
        ticks += own_ticks(child)?;
    }
    Ok(crate::as_f64(ticks) / crate::as_f64(rustix::param::clock_ticks_per_second()))
}

/// Resident memory in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmRSS:")
}

/// The highest resident memory in MiB since the start or the last [`forget_peak`].
pub(crate) fn peak_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmHWM:")
}

/// Starts a new peak from the present resident memory; false where the kernel does not let us.
pub(crate) fn forget_peak(pid: u32) -> bool {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

fn own_ticks(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    ticks_in(&stat).with_context(|| format!("no CPU times in {path}"))
}

/// The command, field 2, may hold blanks and parentheses: counting starts behind its last one.
fn ticks_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn status_mib(pid: u32, key: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse().ok())
        .with_context(|| format!("no {key} in {path}"))?;
    Ok(crate::as_f64(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_a_strange_command_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 1 2 3";
        assert_eq!(ticks_in(stat), Some(300));
    }

    #[test]
    fn memory_of_this_process_is_read() {
        let own = std::process::id();
        assert!(resident_mib(own).unwrap() > 0.0);
        assert!(peak_mib(own).unwrap() >= resident_mib(own).unwrap() / 2.0);
    }
}
