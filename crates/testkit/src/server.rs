//! A server process of one's own: the real binary, on a port and a directory nobody else has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Client;
use crate::client::Address;
use crate::command::{Outcome, without_ours};
use crate::postgres::{Database, Postgres};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names a running registry to test instead of starting one, to try the tests themselves.
const OVERRIDE: &str = "PLURA_TEST_REGISTRY";

/// Names the engine that has the metadata of servers whose settings name none: `postgres`, on which
/// each has a database of its own.
const ENGINE: &str = "PLURA_TEST_DATABASE";

/// What the server prints when it can be talked to.
const READY: &str = "Listening on ";

/// Where the server is told which database it has.
const URL: &str = "PLURA_DATABASE__URL";

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Builder {
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    data: Option<PathBuf>,
    administrator: Option<(String, String)>,
}

impl Builder {
    /// Sets an environment variable, such as `PLURA_REGISTRY__SPARSE`. Variables of the test
    /// process that begin with `PLURA_` do not reach the server.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a command line argument after `serve --listen … --data …`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Keeps the data in this directory instead of a temporary one.
    #[must_use]
    pub fn data(mut self, directory: &Path) -> Self {
        self.data = Some(directory.to_owned());
        self
    }

    /// Gives the installation its first administrator (`plura init`) before the server starts, with
    /// which login is needed.
    #[must_use]
    pub fn administrator(mut self, name: &str, password: &str) -> Self {
        self.administrator = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Starts the server and waits until it listens.
    pub fn start(mut self) -> Server {
        let database = self.take_database();
        let temporary = self.data.is_none().then(|| TempDir::new().expect("a temporary directory"));
        let data = match (&self.data, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(temporary)) => temporary.path().join("data"),
            (None, None) => unreachable!("one of the two is there"),
        };
        if let Some((name, password)) = &self.administrator {
            self.make_administrator(&data, name, password);
        }
        let mut server = Server {
            settings: self,
            data,
            process: None,
            address: Address::new(""),
            _temporary: temporary,
            database,
        };
        match std::env::var(OVERRIDE) {
            Ok(base) => server.address.set(base.trim_end_matches('/')),
            Err(_) => server.start_again(),
        }
        server
    }

    fn take_database(&mut self) -> Option<Database> {
        let engine = std::env::var(ENGINE).ok()?;
        assert_eq!(engine, "postgres", "what {ENGINE} may be");
        // An installation that is there already has its metadata where it has them.
        let there = self.data.as_ref().is_some_and(|data| data.join("plura.db").exists());
        if there || self.environment.keys().any(|name| name.starts_with("PLURA_DATABASE__")) {
            return None;
        }
        let database = Postgres::shared().empty_database();
        self.environment.insert(URL.to_owned(), database.url());
        Some(database)
    }

    fn make_administrator(&self, data: &Path, name: &str, password: &str) {
        let data = data.to_str().expect("temporary paths are UTF-8");
        let arguments = ["init", "--name", name, "--password-stdin", "--data", data];
        let (directory, input) = (std::env::temp_dir(), format!("{password}\n"));
        let environment = &self.environment;
        Outcome::with_input(&self.binary, &arguments, environment, &directory, &input).expect(0);
    }
}

/// A running registry, stopped when dropped.
#[derive(Debug)]
pub struct Server {
    settings: Builder,
    data: PathBuf,
    process: Option<Process>,
    address: Address,
    _temporary: Option<TempDir>,
    /// Goes after the process, as fields are dropped in their order.
    database: Option<Database>,
}

impl Server {
    /// How to start `binary`: with a temporary directory and no settings, unless told otherwise.
    pub fn builder(binary: &Path) -> Builder {
        Builder {
            binary: binary.to_owned(),
            environment: BTreeMap::new(),
            arguments: Vec::new(),
            data: None,
            administrator: None,
        }
    }

    /// Starts `binary` with a temporary directory and default settings.
    pub fn start(binary: &Path) -> Self {
        Self::builder(binary).start()
    }

    /// A client of this server; it follows the server to a new port after a restart.
    pub fn client(&self) -> Client {
        Client::at(self.address.clone())
    }

    /// Scheme, host and port.
    pub fn base(&self) -> String {
        self.address.get()
    }

    /// The directory the server keeps its data in.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The variables by which commands find the metadata, beside the directory, if the test does not know
    /// them.
    pub fn database(&self) -> Vec<(&'static str, String)> {
        self.database.iter().map(|database| (URL, database.url())).collect()
    }

    /// The process id, for tests that look at memory, threads or open files.
    pub fn process_id(&self) -> u32 {
        self.running().child.id()
    }

    /// What the server wrote to standard error so far.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Asks the server to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended().status
    }

    /// Asks the server to stop (SIGTERM), and does not wait.
    pub fn terminate(&self) {
        self.running().signal(Signal::TERM);
    }

    /// Waits until the server, which was asked to stop or is about to die, has ended.
    pub fn ended(&mut self) -> Ended {
        let mut process = self.process.take().expect(NOT_OURS);
        let status = process.wait();
        let status = status.unwrap_or_else(|| panic!("still running\n{}", process.log()));
        process.stderr.join();
        Ended { status, log: process.log() }
    }

    /// Starts a stopped, killed or crashed server again on the same data, now with this
    /// environment on top of the settings of the binary alone.
    pub fn start_again_with(&mut self, environment: &[(&str, &str)]) {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.settings.environment = environment.iter().map(own).collect();
        if let Some(database) = &self.database {
            self.settings.environment.insert(URL.to_owned(), database.url());
        }
        self.start_again();
    }

    /// Kills the server (SIGKILL): it gets no chance to finish anything.
    pub fn kill_hard(&mut self) {
        let mut process = self.process.take().expect(NOT_OURS);
        process.signal(Signal::KILL);
        process.wait().expect("SIGKILL ends every process");
    }

    /// Stops the server and starts it again on the same data.
    pub fn restart(&mut self) {
        let status = self.stop();
        assert!(status.success(), "stopped by SIGTERM with {status}");
        self.start_again();
    }

    /// Starts a stopped or killed server again on the same data, on another port.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        let mut process = Process::spawn(&self.settings, &self.data);
        self.address.set(&process.wait_until_ready());
        self.process = Some(process);
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect(NOT_OURS)
    }
}

/// How a server ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status, or the signal that ended it.
    pub status: ExitStatus,
    /// All it wrote to standard error.
    pub log: String,
}

const NOT_OURS: &str = "a server that this test started and that still runs";

/// The child process and what it prints.
#[derive(Debug)]
struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Collected,
}

impl Process {
    fn spawn(settings: &Builder, data: &Path) -> Self {
        let mut command = Command::new(&settings.binary);
        without_ours(&mut command)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(&settings.arguments)
            .envs(&settings.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = lines(child.stdout.take().expect("stdout is piped"));
        let stderr = Collected::of(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// The address the server says it listens on.
    fn wait_until_ready(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut printed = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(line) => match line.strip_prefix(READY) {
                    Some(base) => return base.trim().trim_end_matches('/').to_owned(),
                    None => writeln!(printed, "{line}").expect("writing to a string"),
                },
                Err(reason) => {
                    let reason = match reason {
                        RecvTimeoutError::Timeout => "did not say that it listens",
                        RecvTimeoutError::Disconnected => "ended",
                    };
                    panic!("the server {reason}\nstdout: {printed}\nstderr: {}", self.log());
                }
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // The child is reaped only by `wait`, so its number cannot belong to anyone else yet.
        // It may be dead already, which is what the signal is for.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for the end, or gives up after a while.
    fn wait(&mut self) -> Option<ExitStatus> {
        wait(&mut self.child)
    }

    fn log(&self) -> String {
        self.stderr.so_far()
    }
}

/// Waits for the end of a process, or gives up after a while.
pub(crate) fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failing test must show what the server logged")]
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.wait().is_none() {
            self.signal(Signal::KILL);
            drop(self.child.wait());
        }
        if thread::panicking() {
            eprintln!("--- the server logged:\n{}--- end of the server's log", self.log());
        }
    }
}

/// Lines of a pipe as they come, read to its end so that the writer never blocks.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // After the server is ready nobody listens any more; the pipe must still be emptied.
            drop(sender.send(line));
        }
    });
    receiver
}

/// Everything that comes out of a pipe.
#[derive(Debug)]
pub(crate) struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    pub(crate) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    /// What came so far.
    pub(crate) fn so_far(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end of the pipe, which comes with the end of the process.
    pub(crate) fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading a pipe does not panic");
        }
    }

    /// All that came, to its end.
    pub(crate) fn all(mut self) -> String {
        self.join();
        self.so_far()
    }
}
