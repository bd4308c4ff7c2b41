use crate::support::{PLAIN, Place};

#[tokio::test]
async fn collection_never_takes_what_history_needs() {
    let place = Place::start(PLAIN).await;
    let mut digests = Vec::new();
    for text in ["one", "two", "three"] {
        let digest = place.push(text).await;
        let about = place.attach(digest, &format!("about {text}")).await;
        place.promoted(digest, "dev").await;
        digests.extend([digest, about]);
    }
    place.collect().await;
    for digest in &digests {
        let reference = digest.to_string();
        assert_eq!(place.pull("channels/dev/search", &reference).await, Some(*digest));
    }
}

#[tokio::test]
async fn collection_takes_nothing_that_is_on_its_way() {
    let document = r#"
        format = 1
        [[channels]]
        name = "stg:stable"
        [[channels]]
        name = "prod:stable"
        from = ["stg:stable"]
        soak = "15m"
    "#;
    let place = Place::start(document).await;
    let one = place.push("one").await;
    place.promoted(one, "stg").await;
    place.promote(one, "prod").await.unwrap();
    // The tag goes to another image, so that nothing but the promotion needs it where it came from.
    let tag = "one".parse().unwrap();
    let repository = crate::support::name(crate::support::REPOSITORY);
    place.registry.delete_manifest(&repository, &tag).await.unwrap();
    place.collect().await;
    assert_eq!(place.pull("apps/search", &one.to_string()).await, Some(one));
}
