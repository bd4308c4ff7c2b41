use jiff::Timestamp;

use crate::{
    ChannelName,
    facts::{ImageFacts, Known, ManifestFacts},
    gate::Effect,
};

/// What is asked: these facts, there, now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) facts: &'a ImageFacts,
    /// Nothing where it is asked whether something may be pulled.
    pub(crate) channel: Option<&'a ChannelName>,
    pub(crate) now: Timestamp,
}

/// What a gate found, before it is said which gate that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) effect: Effect,
    pub(crate) platform: Option<String>,
    pub(crate) observed: String,
    pub(crate) required: String,
    pub(crate) fix: Option<String>,
    pub(crate) until: Option<Timestamp>,
}

impl Judgement {
    fn new(effect: Effect, observed: impl Into<String>, required: impl Into<String>) -> Self {
        let (observed, required) = (observed.into(), required.into());
        Self { effect, platform: None, observed, required, fix: None, until: None }
    }

    /// As it should be.
    pub(crate) fn allow(observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self::new(Effect::Allow, observed, required)
    }

    /// Not as it should be, and somebody has to change that.
    pub(crate) fn deny(
        observed: impl Into<String>,
        required: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { fix: Some(fix.into()), ..Self::new(Effect::Deny, observed, required) }
    }

    /// Not as it should be yet.
    pub(crate) fn wait(
        observed: impl Into<String>,
        required: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { fix: Some(fix.into()), ..Self::new(Effect::Wait, observed, required) }
    }

    /// When time alone changes it.
    pub(crate) fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    fn on(self, manifest: &ManifestFacts) -> Self {
        Self { platform: manifest.platform.clone(), ..self }
    }
}

impl<'a> Case<'a> {
    /// Asks about everything that can be run: each platform of an index, or the image itself.
    pub(crate) fn each(
        &self,
        required: &str,
        judge: impl Fn(&'a ManifestFacts) -> Judgement,
    ) -> Vec<Judgement> {
        let runnable = self.facts.runnable();
        if runnable.is_empty() {
            let fix = "push the platforms' images with their index";
            return vec![Judgement::deny("the index lists no platform", required, fix)];
        }
        runnable.iter().map(|manifest| judge(manifest).on(manifest)).collect()
    }

    /// Asks about everything, the index with its platforms.
    pub(crate) fn all(
        &self,
        required: &str,
        judge: impl Fn(&'a ManifestFacts) -> Judgement,
    ) -> Vec<Judgement> {
        let mut judged = self.each(required, &judge);
        if self.facts.platforms.is_some() {
            judged.insert(0, judge(&self.facts.manifest));
        }
        judged
    }

    /// Asks about evidence that a platform has itself or through its index: one that will do is enough.
    pub(crate) fn each_or_index<T: 'a>(
        &self,
        (required, fix): (&str, &str),
        evidence: impl Fn(&'a ManifestFacts) -> &'a Known<T>,
        judge: impl Fn(&'a T) -> Judgement,
    ) -> Vec<Judgement> {
        self.each(required, |manifest| {
            let own = when_known(evidence(manifest), (required, fix), &judge);
            if own.effect == Effect::Allow || self.facts.platforms.is_none() {
                return own;
            }
            let index = when_known(evidence(&self.facts.manifest), (required, fix), &judge);
            // What is bad about the platform itself says more than that the index has nothing.
            if index.effect < own.effect { index } else { own }
        })
    }
}

/// Judges what is known; what is absent is refused, what will be known is waited for.
pub(crate) fn when_known<'a, T>(
    known: &'a Known<T>,
    (required, fix): (&str, &str),
    judge: impl FnOnce(&'a T) -> Judgement,
) -> Judgement {
    match known {
        Known::Known(what) => judge(what),
        Known::Absent(why) => Judgement::deny(why, required, fix),
        Known::Waiting(what) => Judgement::wait(
            format!("not known yet: {what}"),
            required,
            "wait for it; it comes by itself",
        ),
    }
}

/// A list for people, that ends somewhere.
pub(crate) fn listed(items: impl IntoIterator<Item = impl Into<String>>) -> String {
    const MOST: usize = 5;
    let mut items = items.into_iter();
    let mut listed: Vec<String> = items.by_ref().take(MOST).map(Into::into).collect();
    match items.count() {
        0 => {}
        more => listed.push(format!("{more} more")),
    }
    listed.join(", ")
}
