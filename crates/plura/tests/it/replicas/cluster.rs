use std::collections::BTreeMap;
use std::path::Path;

use plura_testkit::postgres::{Database, Postgres};
use plura_testkit::{Answer, Client, Outcome, Request, S3, Server};

/// Replicas, and what they share.
pub(super) struct Cluster {
    servers: Vec<Server>,
    environment: BTreeMap<String, String>,
    _database: Database,
    _store: Option<S3>,
}

/// An object store that was set up for the tests, instead of one in this process; `scripts/full.d/20-garage`
/// sets these.
const GIVEN: [(&str, &str); 5] = [
    ("PLURA_TEST_S3_ENDPOINT", "PLURA_STORAGE__S3__ENDPOINT"),
    ("PLURA_TEST_S3_REGION", "PLURA_STORAGE__S3__REGION"),
    ("PLURA_TEST_S3_BUCKET", "PLURA_STORAGE__S3__BUCKET"),
    ("PLURA_TEST_S3_ACCESS_KEY", "PLURA_STORAGE__S3__ACCESS_KEY"),
    ("PLURA_TEST_S3_SECRET_KEY", "PLURA_STORAGE__S3__SECRET_KEY"),
];

impl Cluster {
    /// Starts replicas with these variables.
    pub(super) fn start(count: usize, more: &[(&str, &str)]) -> Self {
        Self::start_as(count, more, None)
    }

    /// Starts replicas of an installation that has an administrator, so that login is needed.
    pub(super) fn start_closed(count: usize, (name, password): (&str, &str)) -> Self {
        let projects = ("PLURA_ACCESS__CREATE_PROJECTS", "true");
        Self::start_as(count, &[projects], Some((name, password)))
    }

    fn start_as(count: usize, more: &[(&str, &str)], administrator: Option<(&str, &str)>) -> Self {
        let database = Postgres::shared().empty_database();
        let (store, mut environment) = bucket();
        environment.insert("PLURA_DATABASE__URL".to_owned(), database.url());
        // Tests compare what comes through plura.
        environment.insert("PLURA_STORAGE__REDIRECT__ENABLED".to_owned(), "false".to_owned());
        environment.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let start = |number: usize| {
            let builder = Server::builder(Path::new(env!("CARGO_BIN_EXE_plura")));
            let builder =
                environment.iter().fold(builder, |all, (name, value)| all.env(name, value));
            match administrator.filter(|_| number == 0) {
                Some((name, password)) => builder.administrator(name, password).start(),
                None => builder.start(),
            }
        };
        let servers = (0..count).map(start).collect();
        Self { servers, environment, _database: database, _store: store }
    }

    /// A client of each replica; they follow it when it is started again.
    pub(super) fn clients(&self) -> Vec<Client> {
        self.servers.iter().map(Server::client).collect()
    }

    /// The replicas, for who kills them.
    pub(super) fn take_servers(&mut self) -> Vec<Server> {
        std::mem::take(&mut self.servers)
    }

    /// The replicas, back.
    pub(super) fn give_servers(&mut self, servers: Vec<Server>) {
        self.servers = servers;
    }

    /// Stops all replicas.
    pub(super) fn stop(&mut self) {
        for server in &mut self.servers {
            assert!(server.stop().success(), "a replica stops in order");
        }
    }

    /// Metadata and bucket are as they should be, every byte of them.
    pub(super) fn check_sound(&self) {
        self.check("--rehash").expect(0).expect_stdout("sound: ");
    }

    /// What `plura check` says.
    pub(super) fn check(&self, option: &str) -> Outcome {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let data = directory.path().to_str().expect("temporary paths are UTF-8");
        let binary = Path::new(env!("CARGO_BIN_EXE_plura"));
        let arguments = ["check", option, "--data", data];
        Outcome::of(binary, &arguments, &self.environment, directory.path())
    }
}

/// A bucket, in an object store of this process unless one was set up, and what plura is told of it.
fn bucket() -> (Option<S3>, BTreeMap<String, String>) {
    let mut environment = BTreeMap::from([("PLURA_STORAGE__BACKEND".to_owned(), "s3".to_owned())]);
    let given = GIVEN.map(|(name, key)| Some((key.to_owned(), std::env::var(name).ok()?)));
    if let Some(given) = given.into_iter().collect::<Option<Vec<_>>>() {
        environment.extend(given);
        // The bucket is for all tests; each has a part of its own.
        let prefix = tempfile::Builder::new().prefix("replicas-").tempdir().expect("a name");
        let name = prefix.path().file_name().expect("a name").to_string_lossy().replace('.', "-");
        environment.insert("PLURA_STORAGE__S3__PREFIX".to_owned(), name);
        return (None, environment);
    }
    let store = S3::start();
    for (key, value) in [
        ("ENDPOINT", store.endpoint()),
        ("BUCKET", S3::BUCKET.to_owned()),
        ("ACCESS_KEY", S3::ACCESS_KEY.to_owned()),
        ("SECRET_KEY", S3::SECRET_KEY.to_owned()),
    ] {
        environment.insert(format!("PLURA_STORAGE__S3__{key}"), value);
    }
    (Some(store), environment)
}

/// The answer, which has one of these statuses; nothing, if the replica died, or asks to come again.
pub(super) async fn answered(request: Request, expected: &[u16]) -> Option<Answer> {
    let answer = request.attempt().await.ok()?;
    if [409, 503].contains(&answer.status) {
        return None;
    }
    Some(answer.expect_one_of(expected))
}

/// Path and query of a `Location`, which may name the replica that gave it.
pub(super) fn path_of(location: &str) -> String {
    let Some((_, behind)) = location.split_once("://") else { return location.to_owned() };
    behind.find('/').map_or("/", |slash| &behind[slash..]).to_owned()
}
