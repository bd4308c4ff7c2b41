use std::path::Path;

use plura_meta::{Db, audit::Origin};
use tempfile::TempDir;

use super::*;
use crate::{Credential, Principal, Settings};

/// Processes on one database, each with a directory of its own.
struct Installation {
    folder: TempDir,
    db: Db,
}

impl Installation {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let db = Db::open(&folder.path().join("plura.db")).await.unwrap();
        Self { folder, db }
    }

    fn directory(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn process(&self, directory: Option<&Path>) -> Access {
        let settings = Settings { open_without_administrator: false, ..Settings::default() };
        Access::open(self.db.clone(), directory, settings).await.unwrap()
    }

    /// Whoever writes to the database takes the key back, without telling any process.
    async fn take_back(&self, kid: &str) {
        let kid = kid.to_owned();
        let work = async move |tx: &mut Tx| {
            assert!(signing_key::delete(tx, &kid).await?);
            Ok::<(), Error>(())
        };
        self.db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
    }
}

/// A token for somebody who is nobody in particular: what matters is who signed it.
async fn token(access: &Access) -> String {
    access.mint(&Principal::anonymous(), Some(Vec::new()), 300).await.unwrap()
}

async fn accepts(access: &Access, token: &str) -> bool {
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    access.authenticate(Credential::Bearer(token), address).await.is_ok()
}

async fn kids(access: &Access) -> Vec<String> {
    let keys = access.jwks().await.unwrap();
    let kid = |key: &serde_json::Value| key["kid"].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().map(kid).collect()
}

fn own(access: &Access) -> String {
    access.shared.keys.own.current().unwrap().id.to_string()
}

#[tokio::test]
async fn what_one_process_signs_all_accept() {
    let installation = Installation::new().await;
    let one = installation.process(Some(&installation.directory("one"))).await;
    let two = installation.process(None).await;
    assert_ne!(own(&one), own(&two));
    for signer in [&one, &two] {
        let token = token(signer).await;
        for verifier in [&one, &two] {
            assert!(accepts(verifier, &token).await);
        }
    }
    let mut expected = vec![own(&one), own(&two)];
    let (mut by_one, mut by_two) = (kids(&one).await, kids(&two).await);
    expected.sort();
    by_one.sort();
    by_two.sort();
    assert_eq!((&by_one, &by_two), (&expected, &expected));
    assert!(!installation.directory("two").exists());
}

#[tokio::test]
async fn a_key_outlives_its_process_if_it_has_a_directory() {
    let installation = Installation::new().await;
    let directory = installation.directory("one");
    let one = installation.process(Some(&directory)).await;
    let (first, token) = (own(&one), token(&one).await);
    drop(one);
    let again = installation.process(Some(&directory)).await;
    assert_eq!(own(&again), first);
    assert!(accepts(&again, &token).await);
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_felt_by_all_within_five_seconds() {
    let installation = Installation::new().await;
    let directory = installation.directory("one");
    let one = installation.process(Some(&directory)).await;
    let two = installation.process(None).await;
    let (leaked, stolen, other) = (own(&one), token(&one).await, token(&two).await);
    for process in [&one, &two] {
        assert!(accepts(process, &stolen).await && accepts(process, &other).await);
    }
    let begun = Instant::now();
    installation.take_back(&leaked).await;
    for process in [&one, &two] {
        while accepts(process, &stolen).await {
            assert!(begun.elapsed() < Duration::from_secs(5), "it is accepted still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(accepts(process, &other).await, "others are as good as before");
    }
    // Its process signs with another one, in time as well, and the old file is gone.
    while !accepts(&two, &token(&one).await).await {
        assert!(begun.elapsed() < Duration::from_secs(5), "the process signs with it still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_ne!(own(&one), leaked);
    assert!(!kids(&one).await.contains(&leaked));
    drop(one);
    let again = installation.process(Some(&directory)).await;
    assert_ne!(own(&again), leaked);
    assert!(!accepts(&again, &stolen).await);
}

#[tokio::test]
async fn a_key_that_was_taken_back_while_its_process_was_away_stays_so() {
    let installation = Installation::new().await;
    let directory = installation.directory("one");
    let one = installation.process(Some(&directory)).await;
    let (leaked, stolen) = (own(&one), token(&one).await);
    drop(one);
    installation.take_back(&leaked).await;
    let again = installation.process(Some(&directory)).await;
    assert_ne!(own(&again), leaked);
    assert!(!accepts(&again, &stolen).await);
    let files = std::fs::read_dir(directory.join("keys")).unwrap().count();
    assert_eq!(files, 1, "the key that was taken back is gone");
}

#[tokio::test]
async fn who_takes_a_key_back_is_in_the_audit() {
    let installation = Installation::new().await;
    let one = installation.process(None).await;
    let caller =
        Caller { principal: Arc::new(Principal::local()), origin: Arc::new(Origin::system()) };
    let (leaked, stolen) = (own(&one), token(&one).await);
    one.revoke_key(&caller, &leaked).await.unwrap();
    assert!(!accepts(&one, &stolen).await);
    assert!(accepts(&one, &token(&one).await).await);
    let again = one.revoke_key(&caller, &leaked).await.unwrap_err();
    assert!(matches!(again, Error::Unknown { .. }), "{again}");
    let page = one.audit(&crate::AuditQuery::default()).await.unwrap();
    assert_eq!(page.entries[0].action, "key.revoke");
    assert_eq!(page.entries[0].target, format!("key:{leaked}"));
}

#[tokio::test]
async fn a_key_that_is_old_is_replaced_and_accepted_for_a_while() {
    let installation = Installation::new().await;
    let settings = Settings { key_rotation: Duration::from_secs(1), ..Settings::default() };
    let one = Access::open(installation.db.clone(), None, settings).await.unwrap();
    let (first, token) = (own(&one), token(&one).await);
    let deadline = Instant::now() + Duration::from_secs(10);
    while own(&one) == first {
        assert!(Instant::now() < deadline, "it is not replaced");
        one.tend_keys().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let process = installation.process(None).await;
    assert!(accepts(&process, &token).await);
    assert!(kids(&process).await.contains(&first));
}
