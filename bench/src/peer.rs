//! The servers that are compared: how each is started, recognised as ready, and stopped.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::garage::{ACCESS_KEY, Garage, REGION, SECRET_KEY};
use crate::http::{Connection, Request};

const START_DEADLINE: Duration = Duration::from_mins(1);
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Plura,
    DockerRegistry,
    /// Serves the same bytes as static files with sendfile.
    Nginx,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plura => "plura",
            Self::DockerRegistry => "docker-registry",
            Self::Nginx => "nginx",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two registries that every scenario of pushes compares.
pub(crate) const REGISTRIES: [Kind; 2] = [Kind::Plura, Kind::DockerRegistry];

/// Where a registry keeps its bytes.
#[derive(Clone, Copy)]
pub(crate) enum Storage<'a> {
    /// In its own data directory.
    Directory,
    /// In a bucket that it has for itself.
    Bucket(&'a Garage, &'a str),
}

/// Knows where programs and data are.
pub(crate) struct Launcher {
    pub(crate) plura: PathBuf,
    /// Another program in plura's place, to try the scenarios themselves.
    pub(crate) stand_in: Option<Kind>,
    pub(crate) directory: PathBuf,
}

/// A running server; it is stopped, and its temporary directory removed, when dropped.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    /// From the start of the process to the first answer.
    pub(crate) ready_after: Duration,
    /// Where the server keeps its data, or finds the files it serves.
    pub(crate) data: PathBuf,
    // Fields are dropped in order: the process goes before the directory under it.
    process: Process,
    _temporary: Option<TempDir>,
}

impl Launcher {
    /// A directory on the disk under test, removed when dropped.
    pub(crate) fn temporary(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix("plura-bench-")
            .tempdir_in(&self.directory)
            .with_context(|| format!("making a directory in {}", self.directory.display()))
    }

    /// Starts a server on an empty directory of its own.
    pub(crate) fn start(&self, kind: Kind) -> Result<Peer> {
        let temporary = self.temporary()?;
        let directory = temporary.path().to_owned();
        self.launch(kind, &directory, Storage::Directory, &[], Some(temporary))
    }

    /// Starts a registry that keeps its bytes in a bucket, with extra environment variables.
    pub(crate) fn start_on_bucket(
        &self,
        kind: Kind,
        (garage, bucket): (&Garage, &str),
        environment: &[(&str, &str)],
    ) -> Result<Peer> {
        let temporary = self.temporary()?;
        let directory = temporary.path().to_owned();
        let storage = Storage::Bucket(garage, bucket);
        self.launch(kind, &directory, storage, environment, Some(temporary))
    }

    /// Starts a plura whose metadata is in PostgreSQL and whose bytes are in a directory of its own.
    pub(crate) fn start_on_database(&self, url: &str) -> Result<Peer> {
        let temporary = self.temporary()?;
        let directory = temporary.path().to_owned();
        let database = ("PLURA_DATABASE__URL", url);
        self.launch(Kind::Plura, &directory, Storage::Directory, &[database], Some(temporary))
    }

    /// Starts a plura that wants everybody to log in, with one administrator.
    pub(crate) fn start_with_login(&self, name: &str, password: &str) -> Result<Peer> {
        ensure!(self.stand_in.is_none(), "no other program makes administrators as plura does");
        let temporary = self.temporary()?;
        let directory = temporary.path().to_owned();
        self.make_administrator(&directory.join("data"), name, password)?;
        let projects = ("PLURA_ACCESS__CREATE_PROJECTS", "true");
        self.launch(Kind::Plura, &directory, Storage::Directory, &[projects], Some(temporary))
    }

    fn make_administrator(&self, data: &Path, name: &str, password: &str) -> Result<()> {
        let mut command = Command::new(&self.plura);
        command.args(["init", "--quiet", "--password-stdin", "--name", name, "--data"]).arg(data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("running `plura init`")?;
        child.stdin.take().context("it has no input")?.write_all(password.as_bytes())?;
        let output = child.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`plura init` ended with {}: {errors}", output.status);
        Ok(())
    }

    /// Starts a server on a directory that outlives it, with extra environment variables.
    pub(crate) fn start_on(
        &self,
        kind: Kind,
        directory: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Peer> {
        self.launch(kind, directory, Storage::Directory, environment, None)
    }

    fn launch(
        &self,
        kind: Kind,
        directory: &Path,
        storage: Storage<'_>,
        environment: &[(&str, &str)],
        temporary: Option<TempDir>,
    ) -> Result<Peer> {
        let data = directory.join("data");
        fs::create_dir_all(&data)?;
        let program = if kind == Kind::Plura { self.stand_in.unwrap_or(kind) } else { kind };
        let (mut command, port) = self.command(program, directory, &data, storage)?;
        command.envs(environment.iter().copied());
        let log = directory.join("stderr.log");
        command.stdin(Stdio::null()).stderr(File::create(&log)?);

        let started = Instant::now();
        let mut process = Process::spawn(&mut command)?;
        let port = match port {
            Some(port) => Ok(port),
            None => process.announced_port(),
        };
        let port = port
            .and_then(|port| wait_until_ready(&mut process, port).map(|()| port))
            .with_context(|| format!("starting {program}; its errors end with: {}", tail(&log)))?;
        let ready_after = started.elapsed();
        Ok(Peer { kind, port, ready_after, data, process, _temporary: temporary })
    }

    /// The command line, and the port if the server cannot choose and announce one itself.
    fn command(
        &self,
        program: Kind,
        directory: &Path,
        data: &Path,
        storage: Storage<'_>,
    ) -> Result<(Command, Option<u16>)> {
        Ok(match program {
            Kind::Plura => {
                let mut command = Command::new(&self.plura);
                command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
                command.envs(storage.environment());
                (command, None)
            }
            Kind::DockerRegistry => {
                let port = free_port()?;
                let config = directory.join("config.yml");
                fs::write(&config, docker_registry_config(data, port, storage))?;
                let mut command = Command::new("docker-registry");
                command.arg("serve").arg(config);
                // Debian's build of its S3 client ends with an error where this is set.
                command.env_remove("AWS_CA_BUNDLE");
                (command, Some(port))
            }
            Kind::Nginx => {
                let port = free_port()?;
                let config = directory.join("nginx.conf");
                fs::write(&config, nginx_config(directory, data, port))?;
                let mut command = Command::new(nginx_program());
                command.arg("-p").arg(directory).arg("-e").arg(directory.join("nginx.log"));
                command.arg("-c").arg(config);
                (command, Some(port))
            }
        })
    }
}

impl Storage<'_> {
    /// What plura is told about it. Bytes pass through the server, so that it is measured.
    fn environment(self) -> Vec<(&'static str, String)> {
        let Self::Bucket(garage, bucket) = self else { return Vec::new() };
        vec![
            ("PLURA_STORAGE__BACKEND", "s3".to_owned()),
            ("PLURA_STORAGE__REDIRECT__ENABLED", "false".to_owned()),
            ("PLURA_STORAGE__S3__ENDPOINT", format!("http://127.0.0.1:{}", garage.port)),
            ("PLURA_STORAGE__S3__REGION", REGION.to_owned()),
            ("PLURA_STORAGE__S3__BUCKET", bucket.to_owned()),
            ("PLURA_STORAGE__S3__ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("PLURA_STORAGE__S3__SECRET_KEY", SECRET_KEY.to_owned()),
        ]
    }
}

impl Peer {
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::open(self.port)
    }

    /// Stops the server gracefully and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.process.stop()
    }
}

/// A child process that does not outlive its handle.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let program: OsString = command.get_program().to_owned();
        let child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}: is it installed?", program.display()))?;
        Ok(Self(child))
    }

    /// Reads the port from the line `Listening on http://127.0.0.1:PORT`.
    fn announced_port(&mut self) -> Result<u16> {
        let stdout = self.0.stdout.take().context("the output is already taken")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        while stdout.read_line(&mut line)? > 0 {
            if let Some(port) = port_in(&line) {
                drain(stdout);
                return Ok(port);
            }
            line.clear();
        }
        bail!("it ended without saying where it listens")
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    fn stop(&mut self) -> Result<()> {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.0.kill()?;
                self.0.wait()?;
                bail!("process {} had to be killed", self.0.id());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error here means that the process has already ended.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.stop();
        }
    }
}

/// Keeps the pipe empty so that the server never waits for us to read what it prints.
fn drain(mut stdout: BufReader<ChildStdout>) {
    thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
}

fn wait_until_ready(process: &mut Process, port: u16) -> Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    let request = Request { method: "GET", target: "/v2/", ..Request::default() };
    loop {
        let answer = Connection::open(port).and_then(|mut c| c.send(&request));
        let error = match answer.map(|answer| answer.head.status) {
            // Who asks for a login is ready, too.
            Ok(200 | 401) => return Ok(()),
            Ok(status) => anyhow!("GET /v2/ is answered {status}"),
            Err(error) => error,
        };
        if let Some(status) = process.0.try_wait()? {
            bail!("it ended with {status}");
        }
        if Instant::now() > deadline {
            return Err(error.context("it does not answer GET /v2/"));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Somebody may take the port before the server does; it then fails to start, which is seen.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn port_in(line: &str) -> Option<u16> {
    let address = line.trim().strip_prefix("Listening on http://")?;
    address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}

/// Debian puts it where the search path of ordinary users does not lead.
fn nginx_program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

/// What Debian ships in `/etc/docker/registry/config.yml`, without login, access log and probes.
fn docker_registry_config(data: &Path, port: u16, storage: Storage<'_>) -> String {
    let driver = match storage {
        Storage::Directory => format!("  filesystem:\n    rootdirectory: {}", data.display()),
        Storage::Bucket(garage, bucket) => format!(
            "  redirect:
    disable: true
  s3:
    region: {REGION}
    regionendpoint: http://127.0.0.1:{port}
    bucket: {bucket}
    accesskey: {ACCESS_KEY}
    secretkey: {SECRET_KEY}
    secure: false",
            port = garage.port,
        ),
    };
    format!(
        "version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
{driver}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
",
    )
}

fn nginx_config(directory: &Path, data: &Path, port: u16) -> String {
    // Only a master that is root may, and must, be told not to give up reading our files.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary = directory.join("nginx");
    let temporary = temporary.display();
    format!(
        "{user}daemon off;
pid {directory}/nginx.pid;
worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path {temporary}-body;
  proxy_temp_path {temporary}-proxy;
  fastcgi_temp_path {temporary}-fastcgi;
  uwsgi_temp_path {temporary}-uwsgi;
  scgi_temp_path {temporary}-scgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location = /v2/ {{ return 200 ok; }}
  }}
}}
",
        directory = directory.display(),
        root = data.display(),
    )
}

/// The last lines of a log, for an error message.
fn tail(log: &Path) -> String {
    let mut text = String::new();
    let read = File::open(log).and_then(|mut file| file.read_to_string(&mut text));
    let lines: Vec<_> = text.lines().rev().take(5).collect();
    match read {
        Ok(_) if lines.is_empty() => String::from("(nothing)"),
        Ok(_) => lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_announcement() {
        assert_eq!(port_in("Listening on http://127.0.0.1:40123\n"), Some(40123));
        assert_eq!(port_in("Storing in ./data\n"), None);
    }
}
