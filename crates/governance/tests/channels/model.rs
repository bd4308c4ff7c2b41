//! Random promotions, rollbacks, blocks, pushes, deletions and collections, one after the other and many at
//! once: whatever a channel points at is there, and is blocked only if that was noticed.

use std::collections::HashSet;

use plura_oci::Digest;
use plura_testkit::Random;

use crate::support::{PLAIN, Place, name, somebody};

const CHANNELS: [&str; 3] = ["dev:stable", "stg:stable", "prod:stable"];

struct World {
    place: Place,
    random: Random,
    images: Vec<Digest>,
    blocked: HashSet<Digest>,
    log: Vec<String>,
}

#[tokio::test]
async fn whatever_happens_channels_point_at_what_is_there() {
    for seed in [1, 2, 3] {
        run(seed, 60).await;
    }
}

async fn run(seed: u64, steps: usize) {
    let document = format!("{PLAIN}\n[blocks]\nroll_back = [\"prod:*\"]\n");
    let place = Place::start(&document).await;
    let mut world = World {
        place,
        random: Random::seeded(seed),
        images: Vec::new(),
        blocked: HashSet::new(),
        log: vec![format!("seed {seed}")],
    };
    for _ in 0..steps {
        world = world.step().await;
        world.check().await;
    }
}

impl World {
    async fn step(mut self) -> Self {
        let channel = CHANNELS[self.random.below(CHANNELS.len())];
        let choice = self.random.below(100);
        let image = match self.images.len() {
            0 => None,
            count => Some(self.images[self.random.below(count)]),
        };
        match (choice, image) {
            (0..20, _) | (_, None) => {
                let text = format!("image-{}", self.images.len());
                self.log.push(format!("push {text}"));
                self.images.push(self.place.push(&text).await);
            }
            (20..60, Some(image)) => {
                let became = self.place.promote(image, channel).await.map(|_| ());
                self.log.push(format!("promote {image} to {channel}: {became:?}"));
            }
            (60..75, _) => {
                let became =
                    self.place.roll_back(channel, None, None).await.map(|back| back.digest);
                self.log.push(format!("roll back {channel}: {became:?}"));
                let parsed = channel.parse().expect("what the test needs");
                let origin = somebody("alice");
                let repository = name("apps/search");
                let released = self.place.governance.release(&origin, &repository, &parsed).await;
                self.log.push(format!("release: {}", released.is_ok()));
            }
            (75..80, Some(image)) => {
                self.log.push(format!("block {image}"));
                self.place = self.place.block(image).await;
                self.blocked.insert(image);
            }
            (80..90, Some(image)) => {
                self.log.push(format!("delete {image}"));
                let reference = image.to_string().parse().expect("what the test needs");
                let repository = name("apps/search");
                let _ = self.place.registry.delete_manifest(&repository, &reference).await;
            }
            _ => {
                self.log.push("collect".into());
                self.place.collect().await;
            }
        }
        self.place.go_on().await;
        self
    }

    async fn check(&self) {
        self.place.governance.decide_again().await.expect("what the test needs");
        for channel in CHANNELS {
            let Some(head) = self.place.head(channel).await else { continue };
            let log = self.log.join("\n");
            let digest = head.at.digest;
            let (repository, tag) = head.at.pull.split_once(':').expect("what the test needs");
            assert_eq!(self.place.pull(repository, tag).await, Some(digest), "{channel}\n{log}");
            for made in self.place.moves(channel).await {
                let pulled = self.place.pull(repository, &made.digest.to_string()).await;
                assert_eq!(pulled, Some(made.digest), "history of {channel}\n{log}");
            }
            if self.blocked.contains(&digest) {
                let standing = head.standing.expect("it was decided about");
                assert!(!standing.decision.is_allowed(), "{channel} unnoticed\n{log}");
            }
        }
    }
}
