//! A real PostgreSQL, shared by all tests that run at the same time, with a database for each of them.
//!
//! The first test starts the server in a directory of its own; a watchdog stops it and deletes the
//! directory when no test process has been there for some seconds, however the last one ended. The
//! server's locale is not C, so that an order that must be by bytes is tested.

use std::{
    ffi::OsStr,
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

/// What connections over TCP need; those over the socket need none.
pub const PASSWORD: &str = "a password for tests";

/// The role that may do everything.
const ROLE: &str = "plura";

/// How long the server may take to start, and whatever is asked of it to be done.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the server until nobody has held a lock on the first argument for a while. The server dies with
/// it, so that a watchdog that is killed leaves nothing either.
const WATCHDOG: &str = r#"
users=$1 directory=$2
shift 2
setpriv --pdeathsig INT "$@" </dev/null >"$directory/log" 2>&1 &
server=$!
while kill -0 $server 2>/dev/null; do
    flock --exclusive "$users" true
    sleep 5
    exec 9>>"$users"
    if flock --exclusive --nonblock 9; then
        kill -INT $server
        wait $server
        rm -rf "$directory"
    fi
    exec 9>&-
done
"#;

/// A server that runs as long as this is held.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    root: PathBuf,
    port: u16,
    /// Held shared: somebody uses the server.
    _user: File,
}

/// A database of a test's own, which goes away with it.
#[derive(Debug)]
pub struct Database {
    server: Postgres,
    name: String,
}

impl Postgres {
    /// The server of this run: started, if it is not there yet.
    pub fn shared() -> Self {
        let root = root();
        fs::create_dir_all(&root).expect("a directory for the server");
        let starting = locked(&root.join("starting"), FlockOperation::LockExclusive);
        let user = locked(&root.join("users"), FlockOperation::LockShared);
        let programs = programs();
        let directory = root.join("server");
        let port = match running(&programs, &directory) {
            Some(port) => port,
            None => start(&programs, &root),
        };
        drop(starting);
        Self { programs, root, port, _user: user }
    }

    /// How to reach a database through the server's socket.
    pub fn url(&self, database: &str) -> String {
        let socket = self.root.join("server/socket");
        let host = socket.to_str().expect("a path in UTF-8").replace('/', "%2F");
        format!("postgres://{ROLE}@{host}:{}/{database}", self.port)
    }

    /// How to reach a database over TCP through a port of this machine; without the password.
    pub fn tcp_url(&self, port: u16, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// What the server's certificate is to be trusted by.
    pub fn certificate(&self) -> PathBuf {
        self.root.join("server/server.crt")
    }

    /// The port that the server itself listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new database with nothing in it.
    pub fn empty_database(self) -> Database {
        let name = new_name();
        self.sql("postgres", &format!("create database {name}"));
        Database { server: self, name }
    }

    /// A new database that is as `prepare` made the first of this test binary, of which it is a copy.
    pub async fn database(self, prepare: impl AsyncFnOnce(&str)) -> Database {
        let template = format!("template_{}", this_binary());
        self.make_template(&template, prepare).await;
        let name = new_name();
        self.sql("postgres", &format!("create database {name} template {template}"));
        Database { server: self, name }
    }

    async fn make_template(&self, template: &str, prepare: impl AsyncFnOnce(&str)) {
        let _making = locked(&self.root.join("making"), FlockOperation::LockExclusive);
        let known = format!("select count(*) from pg_database where datname = '{template}'");
        if self.sql("postgres", &known) == "1" {
            return;
        }
        // Under another name until it is complete.
        let name = new_name();
        self.sql("postgres", &format!("create database {name}"));
        prepare(&self.url(&name)).await;
        self.sql("postgres", &format!("alter database {name} rename to {template}"));
    }

    /// Executes statements and returns what they print.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = psql(&self.programs, &self.root.join("server"), self.port)
            .args(["-d", database, "-c", sql])
            .output()
            .expect("psql runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {sql}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Database {
    /// How to reach it through the server's socket.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// How to reach it over TCP through a port of this machine, for which [`PASSWORD`] is needed.
    pub fn tcp_url(&self, port: u16) -> String {
        self.server.tcp_url(port, &self.name)
    }

    /// The server that it is on.
    pub fn server(&self) -> &Postgres {
        &self.server
    }

    /// Executes statements in it and returns what they print.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }

    /// Ends all connections to it, as a server that is restarted does.
    pub fn disconnect_all(&self) {
        let sql = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'",
            self.name
        );
        self.server.sql("postgres", &sql);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // If it fails, the watchdog deletes it with everything else.
        let _ = psql(&self.server.programs, &self.server.root.join("server"), self.server.port)
            .args(["-d", "postgres", "-c"])
            .arg(format!("drop database {} with (force)", self.name))
            .stderr(Stdio::null())
            .status();
    }
}

/// In memory, if the machine has that: no test of ours pulls the plug.
fn root() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let below = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    below.join(format!("plura-test-postgres-{}", rustix::process::getuid().as_raw()))
}

/// Debian keeps the server's programs out of the PATH.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let found = std::env::split_paths(&path).chain(debian).find(|directory| {
        ["initdb", "postgres", "psql"].iter().all(|name| directory.join(name).is_file())
    });
    found.expect("initdb, postgres and psql are in one directory; see scripts/install-test-tools")
}

fn locked(path: &Path, operation: FlockOperation) -> File {
    let file = File::create(path).expect("a file to lock");
    flock(&file, operation).expect("a lock");
    file
}

/// The port of the server in the directory, if it answers.
fn running(programs: &Path, directory: &Path) -> Option<u16> {
    let port = fs::read_to_string(directory.join("port")).ok()?.parse().ok()?;
    answers(programs, directory, port).then_some(port)
}

fn answers(programs: &Path, directory: &Path, port: u16) -> bool {
    let asked = psql(programs, directory, port)
        .args(["-d", "postgres", "-c", "select 1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

fn psql(programs: &Path, directory: &Path, port: u16) -> Command {
    let mut command = Command::new(programs.join("psql"));
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", ROLE, "-p"]);
    command.arg(port.to_string()).arg("-h").arg(directory.join("socket"));
    command.stdin(Stdio::null());
    command
}

fn start(programs: &Path, root: &Path) -> u16 {
    let directory = root.join("server");
    let _ = fs::remove_dir_all(&directory);
    let user = User::of_server();
    for name in ["", "data", "socket"] {
        let path = directory.join(name);
        fs::create_dir_all(&path).expect("a directory of the server");
        user.own(&path);
    }
    initialise(programs, &directory, &user);
    let port = free_port();
    watch(programs, root, &user, port);
    let deadline = Instant::now() + PATIENCE;
    while !answers(programs, &directory, port) {
        let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "the server does not answer: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::write(directory.join("port"), port.to_string()).expect("the port is written down");
    port
}

fn initialise(programs: &Path, directory: &Path, user: &User) {
    let password = directory.join("password");
    let mut file = File::create(&password).expect("a file for the password");
    file.write_all(PASSWORD.as_bytes()).expect("the password is written down");
    user.own(&password);
    let output = user
        .command(programs.join("initdb"))
        .args(["--no-sync", "--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en"])
        .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username", ROLE])
        .arg("--pwfile")
        .arg(&password)
        .arg("-D")
        .arg(directory.join("data"))
        .output()
        .expect("initdb runs");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    certify(directory, user);
}

/// A certificate for the server, which is its own authority.
fn certify(directory: &Path, user: &User) {
    const REQUEST: &str = "[req]\ndistinguished_name=name\nx509_extensions=server\nprompt=no\n\
        [name]\nCN=plura tests\n[server]\nsubjectAltName=IP:127.0.0.1\n";
    let request = directory.join("request.cnf");
    fs::write(&request, REQUEST).expect("the request is written");
    let output = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-days", "2", "-config"])
        .arg(&request)
        .arg("-keyout")
        .arg(directory.join("server.key"))
        .arg("-out")
        .arg(directory.join("server.crt"))
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    user.own(&directory.join("server.key"));
}

fn watch(programs: &Path, root: &Path, user: &User, port: u16) {
    let directory = root.join("server");
    let settings = [
        "fsync=off".to_owned(),
        "full_page_writes=off".to_owned(),
        "autovacuum=off".to_owned(),
        "max_connections=200".to_owned(),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", directory.join("server.crt").display()),
        format!("ssl_key_file={}", directory.join("server.key").display()),
        format!("unix_socket_directories={}", directory.join("socket").display()),
    ];
    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", WATCHDOG, "watchdog"]);
    command.arg(root.join("users")).arg(&directory).args(user.arguments());
    command.arg(programs.join("postgres")).arg("-D").arg(directory.join("data"));
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Tests end while it goes on: it may not belong to their group of processes.
    let status = command.process_group(0).status().expect("setsid runs");
    assert!(status.success(), "the watchdog starts");
}

/// Whom the server runs as. It refuses to be root.
struct User(Option<(u32, u32)>);

impl User {
    fn of_server() -> Self {
        if !rustix::process::getuid().is_root() {
            return Self(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("the accounts of this machine");
        let of = |name: &str| {
            let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
            Some((ids.next()??, ids.next()??))
        };
        Self(Some(of("postgres").or_else(|| of("nobody")).expect("an account that is not root")))
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).expect("the directory is given to the server");
        }
    }

    fn arguments(&self) -> Vec<String> {
        let Some((user, group)) = self.0 else { return Vec::new() };
        vec![format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]).args(self.arguments()).arg(program);
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// What tells this build of the tests from others, whose databases may have another schema.
fn this_binary() -> String {
    let path = std::env::current_exe().expect("the path of the tests");
    let built = fs::metadata(&path).and_then(|metadata| metadata.modified());
    let mut hasher = DefaultHasher::new();
    (path, built.expect("when the tests were built")).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn new_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{number}", std::process::id())
}
