//! The server goes away and comes back: errors that say so, nothing half done, and no restart.

use std::time::{Duration, Instant};

use plura_meta::{Db, Error, Location, Server, Timestamp, repository, total};
use plura_oci::RepositoryName;
use plura_testkit::{
    Passage, Proxy, eventually,
    postgres::{Database, PASSWORD},
};

use crate::on_server;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const TIMEOUT: Duration = Duration::from_secs(1);

struct Setting {
    database: Database,
    proxy: Proxy,
    db: Db,
}

async fn setting() -> Setting {
    let (database, _) = on_server().await;
    let proxy = Proxy::start(database.server().port()).await;
    let server = Server::new(&database.tcp_url(proxy.port())).unwrap();
    let server = server.password(PASSWORD).timeout(TIMEOUT).max_connections(3);
    let db = Db::connect(&Location::Server(Box::new(server))).await.unwrap();
    Setting { database, proxy, db }
}

impl Setting {
    async fn write(&self, name: &str) -> Result<(), Error> {
        let name: RepositoryName = name.parse().unwrap();
        let written = self.db.write(move |tx| {
            Box::pin(async move {
                repository::find_or_create(tx, &name, NOW).await?;
                // Long enough to be caught half way.
                repository::find_or_create(tx, &format!("{name}/2").parse().unwrap(), NOW).await
            })
        });
        written.await.map(drop)
    }

    async fn read(&self) -> Result<(), Error> {
        let mut connection = self.db.read().await?;
        total::read(&mut connection).await.map(drop)
    }

    fn repositories(&self) -> Vec<String> {
        let names = self.database.sql("select name from repository order by name");
        names.lines().map(str::to_owned).collect()
    }
}

fn assert_unavailable(answer: &Result<(), Error>, when: &str) {
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{when}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_and_ends_without_a_restart() {
    let setting = setting().await;
    setting.write("before").await.unwrap();
    setting.read().await.unwrap();
    let mut expected = vec!["before".to_owned(), "before/2".to_owned()];
    for how in [Passage::Cut, Passage::Reset, Passage::Stalled] {
        let when = format!("{how:?}");
        setting.proxy.set(how);
        let asked = Instant::now();
        for _ in 0..2 {
            assert_unavailable(&setting.read().await, &when);
        }
        let waiting: Vec<_> = (0..20).map(|_| setting.write("lost")).collect();
        for answer in futures_util::future::join_all(waiting).await {
            assert_unavailable(&answer, &when);
        }
        assert!(asked.elapsed() < Duration::from_secs(15), "{when}: {:?}", asked.elapsed());

        setting.proxy.set(Passage::Open);
        let name = when.to_lowercase();
        eventually("writes go through again", || async { setting.write(&name).await.ok() }).await;
        eventually("reads go through again", || async { setting.read().await.ok() }).await;
        expected.extend([name.clone(), format!("{name}/2")]);
        expected.sort();
        // What was refused during a stall may not have reached the server, nor been undone by it yet.
        assert_eq!(setting.repositories(), expected, "{when}");
    }
}

/// As when the server is restarted while nobody asks: nobody notices.
#[tokio::test]
async fn connections_that_were_lost_while_idle_are_replaced_for_writing() {
    let setting = setting().await;
    setting.write("before").await.unwrap();
    setting.read().await.unwrap();
    for round in 0..3 {
        setting.database.disconnect_all();
        setting.write(&format!("round{round}")).await.unwrap();
        // A reader may find one that was lost; after that, none is left.
        let _lost = setting.read().await;
        setting.read().await.unwrap();
    }
    assert_eq!(setting.repositories().len(), 8);
}

/// Whoever holds the lock of writers and says nothing is sent away by the server.
#[tokio::test]
async fn a_writer_that_is_silent_does_not_hold_up_the_others_for_ever() {
    let setting = setting().await;
    setting.write("before").await.unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let db = setting.db.clone();
    let stuck = tokio::spawn(async move {
        let work = db.write(move |tx| {
            Box::pin(async move {
                repository::find_or_create(tx, &"stuck".parse().unwrap(), NOW).await?;
                begun.send(()).unwrap();
                let _ = wait.await;
                repository::find_or_create(tx, &"stuck/2".parse().unwrap(), NOW).await.map(drop)
            })
        });
        work.await
    });
    has_begun.await.unwrap();
    let server = Server::new(&setting.database.url()).unwrap().timeout(TIMEOUT);
    let other = Db::connect(&Location::Server(Box::new(server))).await.unwrap();
    let answer = eventually("another process writes", || async {
        let work = other.write(|tx| {
            Box::pin(
                async move { repository::find_or_create(tx, &"other".parse().unwrap(), NOW).await },
            )
        });
        work.await.ok()
    });
    answer.await;
    go_on.send(()).unwrap();
    assert_unavailable(&stuck.await.unwrap(), "the silent one");
    setting.write("after").await.unwrap();
    assert_eq!(setting.repositories(), ["after", "after/2", "before", "before/2", "other"]);
}

/// A caller that goes away in the middle of a question leaves no connection that answers the next with
/// what was asked before.
#[tokio::test]
async fn a_question_that_is_given_up_does_not_confuse_the_next() {
    let setting = setting().await;
    setting.write("a").await.unwrap();
    for _ in 0..50 {
        let mut asked = Box::pin(setting.read());
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        for _ in 0..3 {
            let _ = asked.as_mut().poll(&mut context);
            tokio::task::yield_now().await;
        }
        drop(asked);
        let mut connection = setting.db.read().await.unwrap();
        let names = repository::list(&mut connection, "", None, 10).await.unwrap();
        assert_eq!(names, ["a", "a/2"]);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_and_a_wrong_password_is_not_shown() {
    let setting = setting().await;
    setting.proxy.set(Passage::Cut);
    let url = setting.database.tcp_url(setting.proxy.port());
    let location = |password| {
        let server = Server::new(&url).unwrap().password(password).timeout(TIMEOUT);
        Location::Server(Box::new(server))
    };
    let error = Db::connect(&location(PASSWORD)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    setting.proxy.set(Passage::Open);
    let error = Db::connect(&location("hunter2")).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn connections_are_encrypted_and_the_server_is_who_it_should_be() {
    let (database, _) = on_server().await;
    let port = database.server().port();
    let connect = async |mode: &str, authorities: Option<&std::path::Path>| {
        let url = database.tcp_url(port).replace("sslmode=disable", &format!("sslmode={mode}"));
        let mut server = Server::new(&url).unwrap().password(PASSWORD);
        if let Some(file) = authorities {
            server = server.certificate_authorities(file);
        }
        let db = Db::connect(&Location::Server(Box::new(server))).await?;
        let encrypted = database.sql(
            "select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
             where ssl and application_name = 'plura' and datname = current_database()",
        );
        db.close().await;
        Ok::<_, Error>(encrypted != "0")
    };
    let certificate = database.server().certificate();
    let (directory, other) = (tempfile::tempdir().unwrap(), "other.pem");
    let other = directory.path().join(other);
    std::fs::write(&other, "").unwrap();
    assert!(connect("verify-full", Some(&certificate)).await.unwrap());
    assert!(connect("require", None).await.unwrap());
    assert!(!connect("disable", None).await.unwrap());
    // By the authorities that browsers trust, or by none, it is nobody.
    for authorities in [None, Some(other.as_path())] {
        let refused = connect("verify-full", authorities).await;
        assert!(refused.is_err(), "{refused:?}");
    }
}
