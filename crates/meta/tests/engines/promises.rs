//! What plura relies on, on both engines.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use plura_meta::{
    Db, Error, Location, RepositoryId, Timestamp, audit, lease, project, repository,
    review::{self, Kind},
    signing_key::{self, SigningKey},
    tag, total,
};
use plura_oci::{Digest, RepositoryName, Tag};

use crate::{both, on_server};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn repository(db: &Db, name: &str) -> RepositoryId {
    let name: RepositoryName = name.parse().unwrap();
    let made = db
        .write(move |tx| Box::pin(async move { repository::find_or_create(tx, &name, NOW).await }));
    made.await.unwrap()
}

async fn point(db: &Db, repository: RepositoryId, name: &str, digest: Digest) {
    let name: Tag = name.parse().unwrap();
    let set = db.write(move |tx| {
        Box::pin(async move { tag::set(tx, repository, &name, &digest, NOW).await })
    });
    set.await.unwrap();
}

/// The locale of the server would have it otherwise.
#[tokio::test]
async fn lists_are_in_the_order_of_bytes() {
    for (engine, db, _keep) in both().await {
        let id = repository(&db, "app").await;
        for name in ["a", "B", "_", "b", "A", "a-", "a.", "Z", "z", "0"] {
            point(&db, id, name, Digest::sha256(b"x")).await;
        }
        let mut connection = db.read().await.unwrap();
        let names = tag::list(&mut connection, id, None, 100).await.unwrap();
        assert_eq!(names, ["0", "A", "B", "Z", "_", "a", "a-", "a.", "b", "z"], "{engine}");
        let behind = tag::list(&mut connection, id, Some("Z"), 3).await.unwrap();
        assert_eq!(behind, ["_", "a", "a-"], "{engine}");
        drop(connection);
        for name in ["b/x", "b-c/x", "b.c/x", "b0/x"] {
            repository(&db, name).await;
        }
        let mut connection = db.read().await.unwrap();
        let names = repository::list(&mut connection, "", None, 100).await.unwrap();
        assert_eq!(names, ["app", "b-c/x", "b.c/x", "b/x", "b0/x"], "{engine}");
    }
}

#[tokio::test]
async fn rows_of_the_audit_are_only_added() {
    let (database, location) = on_server().await;
    let db = Db::connect(&location).await.unwrap();
    let recorded = db.write(|tx| {
        Box::pin(async move {
            let event = audit::Event::done("user.create", "user:alice");
            audit::record(tx, &audit::Origin::system(), &event, NOW).await
        })
    });
    recorded.await.unwrap();
    for refused in [
        "update audit set actor = 'x'",
        "delete from audit",
        "truncate audit",
        "insert into audit select * from audit on conflict (id) do update set actor = 'x'",
    ] {
        let block = format!(
            "do $$ begin {refused}; exception when raise_exception then raise notice 'refused';
             return; end $$; select count(*), min(actor) from audit"
        );
        assert_eq!(database.sql(&block), "1|plura", "{refused}");
    }
    db.close().await;
}

/// Two processes add to one number, which neither could do without the other's being done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_are_serial_whoever_writes() {
    let (_database, location) = on_server().await;
    let databases = [
        Db::connect(&location).await.unwrap(),
        Db::connect(&location).await.unwrap(),
        Db::connect(&location).await.unwrap(),
    ];
    let failed = Arc::new(AtomicI64::new(0));
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..300_usize {
        let (db, failed) = (databases[number % 3].clone(), Arc::clone(&failed));
        writes.spawn(async move {
            let work = db.write(move |tx| {
                Box::pin(async move {
                    let before = tag_count(tx).await?;
                    tokio::task::yield_now().await;
                    let name: RepositoryName = format!("p/r{before}").parse().unwrap();
                    // Somebody who saw the same number would find it.
                    assert!(repository::find(tx, &name).await?.is_none());
                    repository::find_or_create(tx, &name, NOW).await?;
                    if number % 7 == 0 {
                        return Err(Error::Corrupt("on purpose".into()));
                    }
                    Ok(())
                })
            });
            if work.await.is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(done) = writes.join_next().await {
        done.unwrap();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 43);
    let mut connection = databases[0].read().await.unwrap();
    assert_eq!(tag_count(&mut connection).await.unwrap(), 300 - 43);
    drop(connection);
    for db in databases {
        db.close().await;
    }
}

async fn tag_count(connection: &mut plura_meta::Connection) -> Result<usize, Error> {
    Ok(repository::list(connection, "", None, 10_000).await?.len())
}

#[tokio::test]
async fn the_later_of_two_instants_of_a_review_counts() {
    for (engine, db, _keep) in both().await {
        let id = repository(&db, "app").await;
        let digests = [Digest::sha256(b"1"), Digest::sha256(b"2")];
        for due in [100, 300, 200] {
            let scheduled = db.write(move |tx| {
                Box::pin(async move {
                    let due = Timestamp(due);
                    review::schedule_all(tx, Kind::Link, Some(id), &digests, due).await
                })
            });
            scheduled.await.unwrap();
        }
        let mut connection = db.read().await.unwrap();
        let due = review::due(&mut connection, Timestamp(300), None, None, 10).await.unwrap();
        assert_eq!(due.len(), 2, "{engine}");
        assert!(due.iter().all(|review| review.due_at == Timestamp(300)), "{engine}");
        assert!(due[0].digest.to_string() < due[1].digest.to_string(), "{engine}");
    }
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_ends() {
    for (engine, db, _keep) in both().await {
        let take = async |holder: &'static str, now: i64| {
            let taken = db.write(move |tx| {
                Box::pin(async move {
                    lease::take(tx, "collection", holder, Timestamp(now), Timestamp(now + 60)).await
                })
            });
            taken.await.unwrap()
        };
        assert!(take("a", 0).await, "{engine}");
        assert!(!take("b", 59).await, "{engine}");
        assert!(take("a", 59).await, "{engine}: it is kept by saying so");
        assert!(!take("b", 118).await, "{engine}");
        assert!(take("b", 119).await, "{engine}: it ended");
        assert!(!take("a", 120).await, "{engine}");
        let release = async |holder: &'static str| {
            let released = db.write(move |tx| {
                Box::pin(async move { lease::release(tx, "collection", holder).await })
            });
            released.await.unwrap()
        };
        assert!(!release("a").await && release("b").await, "{engine}");
        let mut connection = db.read().await.unwrap();
        assert_eq!(lease::find(&mut connection, "collection").await.unwrap(), None, "{engine}");
    }
}

#[tokio::test]
async fn a_signing_key_is_known_as_long_as_tokens_of_it_are_good() {
    for (engine, db, _keep) in both().await {
        let key = |kid: &str, public_key: &str, expires_at| SigningKey {
            kid: kid.into(),
            public_key: public_key.into(),
            created_at: Timestamp(1),
            expires_at: Timestamp(expires_at),
        };
        // A key that somebody else publishes under the same name changes nothing.
        for key in [key("k1", "p1", 100), key("k2", "p2", 50), key("k1", "other", 900)] {
            let published =
                db.write(move |tx| Box::pin(async move { signing_key::publish(tx, &key).await }));
            published.await.unwrap();
        }
        let mut connection = db.read().await.unwrap();
        let at = async |connection: &mut _, now| {
            let keys = signing_key::list(connection, Timestamp(now)).await.unwrap();
            keys.into_iter().map(|key| (key.kid, key.public_key)).collect::<Vec<_>>()
        };
        let k1 = ("k1".to_owned(), "p1".to_owned());
        let k2 = ("k2".to_owned(), "p2".to_owned());
        assert_eq!(at(&mut connection, 49).await, [k1.clone(), k2], "{engine}");
        assert_eq!(at(&mut connection, 50).await, [k1], "{engine}");
        assert_eq!(at(&mut connection, 100).await, [], "{engine}");
        let found = signing_key::find(&mut connection, "k2", Timestamp(50)).await.unwrap();
        assert_eq!(found, None, "{engine}");
        drop(connection);
        let forgotten = db.write(|tx| {
            Box::pin(async move { signing_key::delete_expired(tx, Timestamp(50)).await })
        });
        assert_eq!(forgotten.await.unwrap(), 1, "{engine}");
    }
}

#[tokio::test]
async fn flags_and_sums_are_what_was_written() {
    for (engine, db, _keep) in both().await {
        let made = db.write(|tx| {
            Box::pin(async move {
                let settings = project::Settings {
                    is_public: true,
                    quota_bytes: Some(9),
                    quota_tags: None,
                    redirect: Some(false),
                };
                project::insert(tx, "open", settings, NOW).await?;
                let settings = project::Settings { is_public: false, ..settings };
                project::insert(tx, "closed", settings, NOW).await
            })
        });
        assert!(made.await.unwrap());
        let mut connection = db.read().await.unwrap();
        assert_eq!(project::public(&mut connection).await.unwrap(), ["open"], "{engine}");
        assert_eq!(project::miscounted(&mut connection).await.unwrap(), [""; 0], "{engine}");
        assert_eq!(total::count(&mut connection).await.unwrap(), (0, 0), "{engine}");
    }
}

/// A reader in the middle of a snapshot does not see what is committed, and the next does.
#[tokio::test]
async fn a_snapshot_is_of_one_instant() {
    for (engine, db, _keep) in both().await {
        repository(&db, "before").await;
        let mut reader = db.read().await.unwrap();
        reader.begin_snapshot().await.unwrap();
        assert_eq!(tag_count(&mut reader).await.unwrap(), 1, "{engine}");
        repository(&db, "meanwhile").await;
        assert_eq!(tag_count(&mut reader).await.unwrap(), 1, "{engine}");
        reader.end_snapshot().await.unwrap();
        assert_eq!(tag_count(&mut reader).await.unwrap(), 2, "{engine}");
    }
}

#[tokio::test]
async fn a_server_is_shown_without_its_password() {
    let url = "postgres://plura:hunter2@db.example:6000/registry?application_name=x";
    let server = plura_meta::Server::new(url).unwrap().password("hunter3");
    let location = Location::Server(Box::new(server));
    for shown in [format!("{location}"), format!("{location:?}")] {
        assert!(shown.contains("db.example:6000") && !shown.contains("hunter"), "{shown}");
    }
    for wrong in ["mysql://x:secret@y", "postgres://u:secret@[", "secret"] {
        let error = plura_meta::Server::new(wrong).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

/// What a role of its own that asks the database is shown; see the policy of the table.
#[tokio::test]
async fn a_session_that_says_whose_it_is_sees_the_credentials_of_one() {
    let (database, _) = on_server().await;
    let role = format!("limited_{}", std::process::id());
    database.sql(&format!(
        "insert into account (id, kind, name, display_name, administrator, disabled, groups, created_at)
         values ('1', 'user', 'alice', '', false, false, '[]', 1),
                ('2', 'user', 'bob', '', false, false, '[]', 1);
         insert into credential (id, account_id, kind, name, hash, created_at)
         values ('a', '1', 'token', '', 'h1', 1), ('b', '2', 'token', '', 'h2', 1);
         create role {role}; grant select, insert on credential to {role}"
    ));
    let asked = |before: &str| {
        database.sql(&format!(
            "begin; set local role {role}; {before};
             select coalesce(string_agg(id, ' ' order by id), '') from credential; commit"
        ))
    };
    let whose = |account: &str| format!("set local plura.subject = '{account}'");
    let seen = [asked("select"), asked(&whose("1")), asked(&whose("2")), asked(&whose("3"))];
    let forged = format!(
        "do $$ begin {}; insert into credential (id, account_id, kind, name, hash, created_at)
         values ('c', '2', 'token', '', 'h3', 1);
         exception when insufficient_privilege then raise notice 'refused'; end $$",
        whose("1")
    );
    let after_forgery = asked(&forged);
    database.sql(&format!("drop owned by {role}; drop role {role}"));
    assert_eq!(seen.map(|text| text.trim().to_owned()), ["a b", "a", "b", ""]);
    assert!(!after_forgery.contains('c'), "{after_forgery}");
}
