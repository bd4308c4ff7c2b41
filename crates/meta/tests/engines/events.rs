//! What is sent to webhooks, and what goes on in the background, on both engines.

use plura_meta::{
    Db, Timestamp, Tx,
    audit::{self, Event, Origin},
    event, job,
    webhook::{self, NewWebhook, StoredWebhook},
    webhook_delivery::{self, Attempt, State},
};

use crate::both;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Does something in a transaction, whose arguments are moved into it.
macro_rules! written {
    ($db:expr, |$tx:ident| $work:expr) => {{
        let work = async move |$tx: &mut Tx| $work.await;
        $db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap()
    }};
}

async fn happens(db: &Db, at: i64) {
    let event = Event::in_repository("tag.set", "apps/web", "1");
    written!(db, |tx| audit::record(tx, &Origin::system(), &event, Timestamp(at)));
}

async fn webhook(db: &Db, name: &'static str) -> i64 {
    let new = NewWebhook {
        project: None,
        name,
        address: "https://ci.example.com",
        form: "harbor",
        events: "[\"*\"]",
        signing_secret: None,
        authorization_secret: Some("file:ci"),
        created_by: "alice",
    };
    written!(db, |tx| webhook::add(tx, &new, NOW))
}

async fn stored(db: &Db, id: i64) -> StoredWebhook {
    let all = webhook::all(&mut db.read().await.unwrap()).await.unwrap();
    all.into_iter().find(|webhook| webhook.id == id).expect("it is there")
}

async fn next(db: &Db, webhook: i64) -> Option<i64> {
    let next = webhook_delivery::next(&mut db.read().await.unwrap(), webhook).await.unwrap();
    next.map(|next| next.entry.id)
}

async fn ends(db: &Db, key: (i64, i64), state: State) {
    let attempt = Attempt { state, status: Some(500), error: Some("no"), next_at: NOW };
    written!(db, |tx| webhook_delivery::record(tx, key, &attempt, NOW));
}

#[tokio::test]
async fn a_webhook_begins_behind_what_was_there() {
    for (engine, db, _keep) in both().await {
        happens(&db, 1).await;
        happens(&db, 2).await;
        let id = webhook(&db, "ci").await;
        assert_eq!(stored(&db, id).await.starts_after, 2, "{engine}");
        happens(&db, 3).await;
        written!(db, |tx| webhook::set_enabled(tx, id, true));
        assert_eq!(stored(&db, id).await.starts_after, 2, "{engine}: it was enabled already");
        written!(db, |tx| webhook::set_enabled(tx, id, false));
        assert!(!stored(&db, id).await.enabled, "{engine}");
        happens(&db, 4).await;
        written!(db, |tx| webhook::set_enabled(tx, id, true));
        assert_eq!(stored(&db, id).await.starts_after, 4, "{engine}");
        let mut connection = db.read().await.unwrap();
        let of_all = webhook::of_project(&mut connection, None).await.unwrap();
        assert_eq!(of_all, [stored(&db, id).await], "{engine}");
    }
}

#[tokio::test]
async fn deliveries_are_sent_in_their_order_until_they_end() {
    for (engine, db, _keep) in both().await {
        let id = webhook(&db, "ci").await;
        for at in 1..=4 {
            happens(&db, at).await;
        }
        written!(db, |tx| webhook_delivery::add(tx, id, &[3, 1, 2], NOW));
        // Twice is once.
        written!(db, |tx| webhook_delivery::add(tx, id, &[1, 2, 3, 4], NOW));
        assert_eq!(next(&db, id).await, Some(1), "{engine}");
        ends(&db, (id, 1), State::Waiting).await;
        assert_eq!(next(&db, id).await, Some(1), "{engine}");
        ends(&db, (id, 1), State::Dead).await;
        ends(&db, (id, 2), State::Delivered).await;
        assert_eq!(next(&db, id).await, Some(3), "{engine}");
        // What ended stays as it is.
        ends(&db, (id, 2), State::Dead).await;
        let mut connection = db.read().await.unwrap();
        let list = webhook_delivery::list(&mut connection, id, None, i64::MAX, 10).await.unwrap();
        let shown: Vec<_> =
            list.iter().map(|one| (one.audit_id, one.state.as_str(), one.attempts)).collect();
        let expected = [(4, "waiting", 0), (3, "waiting", 0), (2, "delivered", 1), (1, "dead", 2)];
        assert_eq!(shown, expected, "{engine}");
        let counts = webhook_delivery::count(&mut connection).await.unwrap();
        assert_eq!((counts.waiting, counts.dead), (2, 1), "{engine}");
        drop(connection);
        assert_eq!(
            written!(db, |tx| webhook_delivery::replay(tx, id, Some(2), NOW)),
            0,
            "{engine}"
        );
        assert_eq!(written!(db, |tx| webhook_delivery::replay(tx, id, None, NOW)), 1, "{engine}");
        assert_eq!(next(&db, id).await, Some(1), "{engine}");
        written!(db, |tx| webhook::set_enabled(tx, id, false));
        assert_eq!(next(&db, id).await, None, "{engine}: nothing is sent");
    }
}

#[tokio::test]
async fn what_ended_is_kept_for_a_while() {
    for (engine, db, _keep) in both().await {
        let id = webhook(&db, "ci").await;
        for at in 1..=6 {
            happens(&db, at).await;
        }
        written!(db, |tx| webhook_delivery::add(tx, id, &[1, 2, 3, 4, 5, 6], NOW));
        for event in 1..=4 {
            ends(&db, (id, event), State::Delivered).await;
        }
        let forgotten =
            written!(db, |tx| webhook_delivery::forget(tx, id, State::Delivered, (1, 2)));
        assert_eq!(forgotten, 2, "{engine}");
        let given_up = written!(db, |tx| webhook_delivery::give_up(tx, id, (1, 10), NOW));
        assert_eq!(given_up, 1, "{engine}");
        let mut connection = db.read().await.unwrap();
        let list = webhook_delivery::list(&mut connection, id, None, i64::MAX, 10).await.unwrap();
        let shown: Vec<_> = list.iter().map(|one| (one.audit_id, one.state.as_str())).collect();
        let expected = [(6, "waiting"), (5, "dead"), (4, "delivered"), (1, "delivered")];
        assert_eq!(shown, expected, "{engine}");
        drop(connection);
        written!(db, |tx| webhook::remove(tx, id));
        let mut connection = db.read().await.unwrap();
        let counts = webhook_delivery::count(&mut connection).await.unwrap();
        assert_eq!((counts.waiting, counts.dead), (0, 0), "{engine}");
    }
}

#[tokio::test]
async fn the_place_of_a_time_is_found() {
    for (engine, db, _keep) in both().await {
        let mut connection = db.read().await.unwrap();
        let before = audit::position_before(&mut connection, NOW).await.unwrap();
        assert_eq!(before, 0, "{engine}");
        drop(connection);
        for at in [10, 20, 20, 30, 50] {
            happens(&db, at).await;
        }
        let mut connection = db.read().await.unwrap();
        for (since, expected) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 3), (31, 4), (51, 5)] {
            let found = audit::position_before(&mut connection, Timestamp(since)).await.unwrap();
            assert_eq!(found, expected, "{engine} {since}");
        }
        let ids = |entries: Vec<audit::Entry>| entries.iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(audit::after(&mut connection, 3, 10).await.unwrap()), [4, 5], "{engine}");
        let of_project = audit::after_in_project(&mut connection, "apps", 1, 2).await.unwrap();
        assert_eq!(ids(of_project), [2, 3], "{engine}");
        drop(connection);
        written!(db, |tx| event::advance(tx, 4));
        written!(db, |tx| event::advance(tx, 2));
        let mut connection = db.read().await.unwrap();
        assert_eq!(event::position(&mut connection).await.unwrap(), 4, "{engine}");
    }
}

#[tokio::test]
async fn jobs_are_paused_and_fail_for_all() {
    for (engine, db, _keep) in both().await {
        written!(db, |tx| job::record(tx, "contents", Some("no"), NOW));
        written!(db, |tx| job::set_paused(tx, "contents", true, "alice", NOW));
        written!(db, |tx| job::wake(tx, "contents", "bob", NOW));
        written!(db, |tx| job::wake(tx, "webhooks", "bob", NOW));
        let jobs = job::all(&mut db.read().await.unwrap()).await.unwrap();
        let shown: Vec<_> = jobs
            .iter()
            .map(|job| (job.name.as_str(), job.paused, job.woken, job.error.as_deref()))
            .collect();
        let expected = [("contents", true, 1, Some("no")), ("webhooks", false, 1, None)];
        assert_eq!(shown, expected, "{engine}");
        written!(db, |tx| job::record(tx, "contents", None, NOW));
        let jobs = job::all(&mut db.read().await.unwrap()).await.unwrap();
        assert_eq!((jobs[0].failed_at, &jobs[0].error), (None, &None), "{engine}");
        assert_eq!((jobs[0].at_a_time, jobs[0].per_minute), (None, None), "{engine}");
        // What is said of how much it does changes nothing else.
        written!(db, |tx| job::tune(tx, "contents", (Some(2), None), "carol", NOW));
        written!(db, |tx| job::tune(tx, "denials", (None, Some(60)), "carol", NOW));
        let jobs = job::all(&mut db.read().await.unwrap()).await.unwrap();
        let shown: Vec<_> = jobs
            .iter()
            .map(|job| (job.name.as_str(), job.paused, job.at_a_time, job.per_minute))
            .collect();
        let expected = [
            ("contents", true, Some(2), None),
            ("denials", false, None, Some(60)),
            ("webhooks", false, None, None),
        ];
        assert_eq!(shown, expected, "{engine}");
    }
}
