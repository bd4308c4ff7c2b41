//! The machine and the versions that the figures belong to.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::Result;
use serde::Serialize;

const TMPFS: u64 = 0x0102_1994;

/// Everything that makes figures of two runs incomparable.
#[derive(Serialize)]
pub(crate) struct Host {
    /// UTC, to the second.
    pub(crate) started: String,
    pub(crate) cores: usize,
    processor: String,
    kernel: String,
    memory_mib: u64,
    /// One, five and fifteen minutes, before the run.
    load: String,
    /// Whether the directory under test is memory and not a disk.
    in_memory: bool,
    versions: BTreeMap<&'static str, String>,
}

impl Host {
    /// Looks at the machine and asks each program for its version.
    pub(crate) fn look(plura: &Path, directory: &Path) -> Result<Self> {
        let uname = rustix::system::uname();
        let versions = [
            ("plura", version(Command::new(plura).arg("--version"))),
            ("docker-registry", version(Command::new("docker-registry").arg("--version"))),
            ("nginx", version(Command::new("/usr/sbin/nginx").arg("-v"))),
            ("wrk", version(Command::new("wrk").arg("--version"))),
        ];
        Ok(Self {
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            cores: thread::available_parallelism()?.get(),
            processor: first_value("/proc/cpuinfo", "model name"),
            kernel: uname.release().to_string_lossy().into_owned(),
            memory_mib: first_value("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse::<u64>()
                .map_or(0, |kib| kib / 1024),
            load: fs::read_to_string("/proc/loadavg")?
                .split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            in_memory: u64::try_from(rustix::fs::statfs(directory)?.f_type) == Ok(TMPFS),
            versions: versions.into_iter().collect(),
        })
    }

    /// The day of the run, for file names.
    pub(crate) fn day(&self) -> &str {
        self.started.split_once('T').map_or(&*self.started, |(day, _)| day)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cores of {}, {} MiB, Linux {}, load before the run {}.",
            self.cores, self.processor, self.memory_mib, self.kernel, self.load
        )?;
        let versions: Vec<_> = self.versions.values().map(String::as_str).collect();
        writeln!(f, "Versions: {}.", versions.join("; "))?;
        if self.in_memory {
            writeln!(f, "**The data directory is in memory: figures of pushes mean nothing.**")?;
        }
        Ok(())
    }
}

/// The first line a program prints about itself, on whichever stream and with whichever status.
fn version(command: &mut Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let Ok(output) = command.output() else { return format!("{program} is not installed") };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or(&program).trim().to_owned()
}

fn first_value(file: &str, key: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map_or_else(|| String::from("unknown"), |(_, value)| value.trim().to_owned())
}
