//! A PostgreSQL server of one's own, for a plura whose metadata is in it.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::peer::{Launcher, Process, free_port};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// PostgreSQL refuses to run as root; then it runs as nobody.
const NOBODY: u32 = 65_534;

/// A running server with an empty database; it is stopped, and its directory removed, when dropped.
pub(crate) struct Postgres {
    port: u16,
    // Fields are dropped in order: the process goes before the directory under it.
    _process: Process,
    _temporary: TempDir,
}

impl Postgres {
    /// Starts a server as it is installed, durable commits included.
    pub(crate) fn start(launcher: &Launcher) -> Result<Self> {
        let programs = programs()?;
        let temporary = launcher.temporary()?;
        let data = temporary.path().join("data");
        fs::create_dir(&data)?;
        if rustix::process::geteuid().is_root() {
            chown(temporary.path(), Some(NOBODY), Some(NOBODY))?;
            chown(&data, Some(NOBODY), Some(NOBODY))?;
        }
        let mut initialise = command(&programs, "initdb", temporary.path());
        initialise.arg("-D").arg(&data).args(["-U", "plura", "-A", "trust", "-E", "UTF8"]);
        let output = initialise.output().context("running initdb")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "initdb: {errors}");

        let port = free_port()?;
        let mut server = command(&programs, "postgres", temporary.path());
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        server.args(["-k", "", "-c", "max_connections=200"]);
        server.stdin(Stdio::null()).stderr(File::create(temporary.path().join("stderr.log"))?);
        let process = Process::spawn(&mut server)?;
        wait_until_ready(&programs, port)?;
        Ok(Self { port, _process: process, _temporary: temporary })
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://plura@127.0.0.1:{}/postgres", self.port)
    }
}

fn command(programs: &Path, name: &str, directory: &Path) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir(directory).env("LC_ALL", "C");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn wait_until_ready(programs: &Path, port: u16) -> Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        let mut command = Command::new(programs.join("pg_isready"));
        command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        if command.status()?.success() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "PostgreSQL does not start");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Debian keeps the server's programs where the search path does not lead, by version.
fn programs() -> Result<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .context("PostgreSQL is not installed (apt-get install postgresql)")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("postgres").is_file())
        .collect();
    versions.sort();
    versions.pop().context("PostgreSQL is not installed (apt-get install postgresql)")
}
