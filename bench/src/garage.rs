//! Garage, an S3 server of a single node: the same object store under every registry that is
//! compared, which also says how many requests each of them made.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::http::{Connection, Request};
use crate::peer::{Launcher, Process, free_port};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// Garage refuses requests that are signed for another region.
pub(crate) const REGION: &str = "garage";

/// The only key of a server that only this machine reaches for a minute, and its secret.
pub(crate) const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
pub(crate) const SECRET_KEY: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What shows the figures of that server.
const METRICS_TOKEN: &str = "figures";

/// A running Garage; it is stopped, and its directory removed, when dropped.
pub(crate) struct Garage {
    /// Where S3 is spoken, on loopback.
    pub(crate) port: u16,
    program: PathBuf,
    config: PathBuf,
    admin_port: u16,
    // Fields are dropped in order: the process goes before the directory under it.
    process: Process,
    _temporary: TempDir,
}

impl Garage {
    /// Starts a node of its own with one key.
    pub(crate) fn start(launcher: &Launcher) -> Result<Self> {
        let program = program()?;
        let temporary = launcher.temporary()?;
        let (port, rpc_port, admin_port) = (free_port()?, free_port()?, free_port()?);
        let config = temporary.path().join("garage.toml");
        fs::write(&config, configuration(temporary.path(), port, rpc_port, admin_port))?;
        // A node that others could reach would have to keep it to itself.
        fs::set_permissions(&config, Permissions::from_mode(0o600))?;
        let mut command = Command::new(&program);
        command.arg("-c").arg(&config).args(["server", "--single-node", "--default-access-key"]);
        command.env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY);
        command.env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY).env("RUST_LOG", "garage=warn");
        command.stdin(Stdio::null()).stderr(File::create(temporary.path().join("stderr.log"))?);
        let process = Process::spawn(&mut command)?;
        let garage = Self { port, program, config, admin_port, process, _temporary: temporary };
        garage.wait_until_ready()?;
        Ok(garage)
    }

    /// Makes a bucket that the key may do everything with.
    pub(crate) fn bucket(&self, name: &str) -> Result<()> {
        self.ask(&["bucket", "create", name])?;
        self.ask(&["bucket", "allow", "--read", "--write", "--owner", name, "--key", ACCESS_KEY])
    }

    /// How many requests of each kind there were so far.
    pub(crate) fn requests(&self) -> Result<BTreeMap<String, u64>> {
        let request = Request { method: "GET", target: "/metrics", ..Request::default() };
        let connection = Connection::open(self.admin_port)?;
        let token = format!("Bearer {METRICS_TOKEN}");
        let answer = connection.authorized(&token).expect(200, &request)?;
        Ok(requests_in(&String::from_utf8_lossy(&answer.body)))
    }

    /// The process id, for its share of the CPU.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        while let Err(error) = self.ask(&["key", "info", ACCESS_KEY]) {
            ensure!(Instant::now() < deadline, "Garage does not start: {error:#}");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn ask(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&self.config).args(arguments).env("RUST_LOG", "error");
        let output = command.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`garage {}`: {errors}", arguments.join(" "));
        Ok(())
    }
}

/// Built once by `scripts/install-garage`, and kept outside of the tree.
fn program() -> Result<PathBuf> {
    let tools = std::env::var_os("PLURA_TEST_TOOLS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let tools = tools.or_else(|| Some(cache.or(home)?.join("plura-test-tools")));
    let program = tools.context("HOME is not set")?.join("garage/bin/garage");
    if program.is_file() {
        return Ok(program);
    }
    bail!("{} is not there: scripts/install-garage builds it", program.display())
}

fn configuration(directory: &Path, port: u16, rpc_port: u16, admin_port: u16) -> String {
    format!(
        "metadata_dir = \"{directory}/meta\"
data_dir = \"{directory}/data\"
db_engine = \"lmdb\"
replication_factor = 1
rpc_bind_addr = \"127.0.0.1:{rpc_port}\"
rpc_public_addr = \"127.0.0.1:{rpc_port}\"
rpc_secret = \"{secret}\"

[s3_api]
s3_region = \"{REGION}\"
api_bind_addr = \"127.0.0.1:{port}\"

[admin]
api_bind_addr = \"127.0.0.1:{admin_port}\"
metrics_token = \"{METRICS_TOKEN}\"
",
        directory = directory.display(),
        secret = "5e".repeat(32),
    )
}

/// The counters of S3 requests in Garage's metrics, by the name of the request.
fn requests_in(metrics: &str) -> BTreeMap<String, u64> {
    let mut requests = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("api_s3_request_counter{")) {
        let name = line.split_once("api_endpoint=\"").and_then(|(_, rest)| rest.split('"').next());
        let count = line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok());
        if let (Some(name), Some(count)) = (name, count) {
            *requests.entry(name.to_owned()).or_default() += count;
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_name() {
        let metrics = "\
# TYPE api_s3_request_counter counter
api_s3_request_counter{api_endpoint=\"GetObject\"} 2
api_s3_request_counter{api_endpoint=\"PutObject\"} 5
api_s3_error_counter{api_endpoint=\"GetObject\",status_code=\"404\"} 1
";
        let expected = [("GetObject".to_owned(), 2), ("PutObject".to_owned(), 5)];
        assert_eq!(requests_in(metrics), BTreeMap::from(expected));
    }
}
