//! The transparency log, on both engines.

use plura_meta::{
    Db, Error, Timestamp, Tx,
    log::{self, Filter, Head, NewEntry},
};
use plura_oci::Digest;

use crate::both;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn append(db: &Db, kind: &'static str, subject: &'static str) -> i64 {
    let work = async move |tx: &mut Tx| {
        let digests = [Digest::sha256(subject.as_bytes())];
        let entry = NewEntry { kind, subject, digests: &digests, document: b"{}" };
        log::append(tx, &entry, NOW).await
    };
    db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap()
}

fn head(size: i64) -> Head {
    let text = |what: &str| format!("{what} {size}");
    let (root, checkpoint) = (text("root"), text("checkpoint"));
    Head { size, root, checkpoint, origin: "log".to_owned(), signed_at: NOW }
}

#[tokio::test]
async fn entries_are_numbered_without_a_gap_and_found_by_what_they_are_about() {
    for (engine, db, _keep) in both().await {
        for (number, (kind, subject)) in
            [("a.one", "x"), ("a.two", "y"), ("b", "x"), ("a.one", "x")].into_iter().enumerate()
        {
            let position = append(&db, kind, subject).await;
            assert_eq!(usize::try_from(position), Ok(number), "{engine}");
        }
        let mut connection = db.read().await.unwrap();
        assert_eq!(log::size(&mut connection).await.unwrap(), 4, "{engine}");
        let some = log::entries(&mut connection, 1, 2).await.unwrap();
        assert_eq!(some.iter().map(|entry| entry.position).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            (&*some[0].kind, &*some[0].subject, &*some[0].document),
            ("a.two", "y", &b"{}"[..])
        );
        for (subject, kind, before, limit, expected) in [
            (None, None, None, 10, &[3, 2, 1, 0][..]),
            (None, None, Some(3), 2, &[2, 1]),
            (Some("x"), None, None, 10, &[3, 2, 0]),
            (Some("x"), Some("a."), None, 10, &[3, 0]),
            (None, Some("a.two"), None, 10, &[1]),
            (Some("x\0"), None, None, 10, &[]),
        ] {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let filter = Filter { subject: own(subject), kind: own(kind), before };
            let found = log::list(&mut connection, &filter, limit).await.unwrap();
            let found: Vec<_> = found.iter().map(|entry| entry.position).collect();
            assert_eq!(found, expected, "{engine}: {filter:?}");
        }
        for (about, limit, expected) in [("x", 10, &[3, 2, 0][..]), ("x", 1, &[3]), ("z", 10, &[])]
        {
            let digest = Digest::sha256(about.as_bytes());
            let found = log::about(&mut connection, &digest, limit).await.unwrap();
            let found: Vec<_> = found.iter().map(|entry| entry.position).collect();
            assert_eq!(found, expected, "{engine}: {about}");
        }
    }
}

#[tokio::test]
async fn a_head_takes_the_place_of_the_one_that_it_continues() {
    for (engine, db, _keep) in both().await {
        assert_eq!(log::head(&mut db.read().await.unwrap()).await.unwrap(), None, "{engine}");
        let work = async |tx: &mut Tx| {
            assert!(log::insert_head(tx, &head(0)).await?);
            assert!(!log::insert_head(tx, &head(7)).await?, "there is one");
            assert!(log::replace_head(tx, &head(0), &head(3)).await?);
            assert!(!log::replace_head(tx, &head(0), &head(5)).await?, "it is another one");
            let entry = NewEntry { kind: "a", subject: "x", digests: &[], document: b"{}" };
            assert_eq!(
                log::append(tx, &entry, NOW).await?,
                3,
                "what was signed is not written again"
            );
            log::add_key(tx, "verifier", NOW).await?;
            log::add_key(tx, "verifier", Timestamp(NOW.0 + 1)).await
        };
        db.write::<(), Error, _>(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
        let mut connection = db.read().await.unwrap();
        assert_eq!(log::head(&mut connection).await.unwrap(), Some(head(3)), "{engine}");
        let keys = log::keys(&mut connection).await.unwrap();
        let [key] = &keys[..] else { panic!("{engine}: {keys:?}") };
        assert_eq!((&*key.verifier, key.created_at), ("verifier", NOW), "{engine}");
    }
}
