use std::collections::BTreeMap;

use plura_contents::ImageContents;
use plura_oci::image::ImageKind;
use plura_policy::facts::{BaseFacts, ConfigurationFacts, Known};

use super::{Subject, not_an_image, not_now};
use crate::Governance;

/// What is in an image.
pub(super) struct ContentsFacts {
    pub(super) base: Known<BaseFacts>,
    pub(super) configuration: Known<ConfigurationFacts>,
    pub(super) secrets: Known<BTreeMap<String, u32>>,
}

impl Governance {
    /// Configuration, secrets and base, as far as somebody read the image. Nothing is read here: layers
    /// take long, and a worker reads them anyway.
    pub(super) async fn contents_facts(
        &self,
        subject: &Subject<'_>,
        kind: ImageKind,
    ) -> ContentsFacts {
        let absent = |why: &str| ContentsFacts {
            base: Known::Absent(why.to_owned()),
            configuration: Known::Absent(why.to_owned()),
            secrets: Known::Absent(why.to_owned()),
        };
        if let Some(why) = not_an_image(kind) {
            return absent(why);
        }
        match self.shared.sources.contents.kept(&subject.digest).await {
            Ok(Some(contents)) => {
                let base = self.base_facts(subject).await;
                let configuration = configuration(&contents);
                ContentsFacts { base, configuration, secrets: secrets(&contents) }
            }
            Ok(None) => {
                let what = "its layers are being read";
                ContentsFacts {
                    base: Known::Waiting(what.to_owned()),
                    configuration: Known::Waiting(what.to_owned()),
                    secrets: Known::Waiting(what.to_owned()),
                }
            }
            Err(error) => ContentsFacts {
                base: not_now("what it was built on", &error),
                configuration: not_now("its configuration", &error),
                secrets: not_now("what is in it", &error),
            },
        }
    }
}

fn configuration(contents: &ImageContents) -> Known<ConfigurationFacts> {
    let problem = contents.problems.iter().find(|problem| is_about_configuration(problem));
    if let Some(problem) = problem {
        return Known::Absent(problem.clone());
    }
    let configuration = &contents.configuration;
    Known::Known(ConfigurationFacts {
        user: configuration.user.clone(),
        is_root: configuration.runs_as_root,
        labels: configuration.labels.clone(),
        created: configuration.created.as_deref().and_then(|created| created.parse().ok()),
    })
}

/// Problems of layers begin with them; all others leave it open what the configuration says.
fn is_about_configuration(problem: &str) -> bool {
    !problem.starts_with("layer ") && !problem.starts_with("it h")
}

/// That no secret was found in what could be read says nothing about what could not.
fn secrets(contents: &ImageContents) -> Known<BTreeMap<String, u32>> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for secret in &contents.secrets {
        let count = counts.entry(secret.rule.clone()).or_default();
        *count = count.saturating_add(1);
    }
    match contents.problems.first() {
        Some(problem) if counts.is_empty() => {
            Known::Absent(format!("not all of it could be read: {problem}"))
        }
        _ => Known::Known(counts),
    }
}
