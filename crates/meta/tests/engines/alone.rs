//! A database that one process has alone, and the others.

use std::time::Duration;

use plura_meta::{Db, Error, Location, Timestamp, lease};
use tokio::time::{Instant, sleep};

use crate::on_server;

async fn write(db: &Db) -> Result<bool, Error> {
    let now = Timestamp(1);
    db.write(move |tx| Box::pin(lease::take(tx, "test", "me", now, now))).await
}

/// As soon as the others are gone, which the server notices in its own time.
async fn alone(location: &Location) -> Db {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Db::connect_alone(location).await {
            Ok(db) => return db,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn who_is_alone_is_so_until_the_end() {
    let (_database, location) = on_server().await;
    let (one, other) =
        (Db::connect(&location).await.unwrap(), Db::connect(&location).await.unwrap());
    one.close().await;
    let refused = Db::connect_alone(&location).await.unwrap_err().to_string();
    assert!(refused.contains("other plura processes have it open"), "{refused}");
    write(&other).await.unwrap();
    other.close().await;

    let repair = alone(&location).await;
    let refused = Db::connect(&location).await.unwrap_err();
    assert!(matches!(&refused, Error::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("is being repaired"), "{refused}");
    write(&repair).await.unwrap();
    repair.close().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = Db::connect(&location).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_lost_its_connection_writes_again_when_the_repair_is_done() {
    let (database, location) = on_server().await;
    let replica = Db::connect(&location).await.unwrap();
    write(&replica).await.unwrap();
    database.sql(
        "select pg_terminate_backend(pid) from pg_locks
         where locktype = 'advisory' and database = (select oid from pg_database
                                                     where datname = current_database())",
    );
    let repair = alone(&location).await;
    let refused = write(&replica).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    repair.close().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = write(&replica).await {
        assert!(matches!(error, Error::Unavailable(_)) && Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
    replica.close().await;
}
