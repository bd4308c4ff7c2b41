//! Pushes, tags, holds and deletions at random while plans are carried out, against what must be there.

use std::collections::{BTreeMap, BTreeSet};

use plura_testkit::Image;
use serde_json::json;

use super::{Place, RULES, names};

/// What must be there.
#[derive(Default)]
struct Model {
    images: Vec<Image>,
    /// What each tag points at.
    tags: BTreeMap<String, usize>,
    held: BTreeSet<usize>,
}

const IMAGES: usize = 8;
const ROUNDS: u64 = 6;

#[tokio::test]
async fn what_is_pushed_tagged_or_held_while_a_plan_is_carried_out_is_not_lost() {
    let mut place = Place::governed_by(RULES).await;
    let mut model = Model::default();
    for _ in 0..IMAGES {
        model.images.push(Image::random(&mut place.random));
    }
    for round in 1..=ROUNDS {
        for _ in 0..IMAGES {
            let (tag, image) = (tag(&mut place), any(&mut place));
            place.repository.push_image_as(&tag, &model.images[image]).await.expect(201);
            model.tags.insert(tag, image);
        }
        place.put_clock_forward(10 * round);
        let plan = place.plan().await;
        if plan.is_null() {
            continue;
        }
        let planned: BTreeSet<String> = names(&plan).into_iter().collect();
        for image in &model.held {
            assert!(!planned.contains(&model.images[*image].digest()), "a root is in {plan:#}");
        }
        // What happens while it is carried out.
        let mut touched: Vec<(String, usize)> = Vec::new();
        for _ in 0..3 {
            touched.push((tag(&mut place), any(&mut place)));
        }
        touched.sort();
        touched.dedup_by(|one, other| one.0 == other.0);
        let hold = any(&mut place);
        let digest = model.images[hold].digest();
        let body = json!({ "digest": digest, "reason": "a test" });
        let is_there = place.repository.head_manifest(&digest).await.status == 200;
        if is_there {
            place.client.post("/api/v1/holds").json(&body).await.expect(200);
            model.held.insert(hold);
        }
        let pushes = async {
            for (tag, image) in &touched {
                place.repository.push_image_as(tag, &model.images[*image]).await.expect(201);
            }
        };
        let (run, ()) = tokio::join!(place.carry_out(&plan), pushes);
        assert_eq!(run["state"], "done", "{run:#}");
        let refused: BTreeSet<String> = names(&run).into_iter().collect();
        let before = model.tags.clone();
        model.tags.retain(|tag, _| !planned.contains(tag) || refused.contains(tag));
        model.tags.extend(touched.iter().cloned());
        let there: BTreeSet<String> = place.repository.tags().await.into_iter().collect();
        let expected: BTreeSet<String> = model.tags.keys().cloned().collect();
        assert_eq!(there, expected, "round {round}, before {before:?}: {run:#}");
        check(&place, &model).await;
    }
}

/// Everything that a tag points at or that is held can be pulled whole.
async fn check(place: &Place, model: &Model) {
    for (tag, image) in &model.tags {
        let found = place.repository.head_manifest(tag).await.expect(200);
        let digest = found.header("docker-content-digest").to_owned();
        // A tag that did not hold any more may have been moved back and forth, never to nothing.
        assert_eq!(digest, model.images[*image].digest(), "{tag}");
    }
    for image in model.tags.values().chain(&model.held) {
        let image = &model.images[*image];
        place.repository.get_manifest(&image.digest()).await.expect(200);
        for blob in &image.blobs {
            place.repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
        }
    }
}

fn tag(place: &mut Place) -> String {
    format!("branch-{}", place.random.below(6))
}

fn any(place: &mut Place) -> usize {
    place.random.below(IMAGES)
}
