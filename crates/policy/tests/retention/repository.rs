//! Repositories in few words.

use plura_oci::{AttachmentKind, Digest, Tag};
use plura_policy::retention::{
    Inventory, ManifestFacts, Object, Plan, RetentionRules, Root, RootKind, TagFacts,
};
use serde_json::Value;

pub(crate) const DAY: i64 = 86_400_000;
/// When all tests take place.
pub(crate) const NOW: i64 = 20_000 * DAY;

/// The digest of the manifest of that name.
pub(crate) fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

pub(crate) fn days_ago(days: i64) -> i64 {
    NOW - days * DAY
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

pub(crate) fn attachment(name: &str) -> String {
    Tag::of_attachment(&digest(name), AttachmentKind::Signatures).expect("a tag").to_string()
}

pub(crate) fn rules(document: &Value) -> RetentionRules {
    RetentionRules::from_json(document.to_string().as_bytes()).expect("rules")
}

pub(crate) fn root(name: &str, kind: RootKind) -> Root {
    Root { digest: digest(name), kind, detail: "a detail".to_owned() }
}

/// An inventory that is written down one thing after another.
pub(crate) struct Repository(pub(crate) Inventory);

impl Repository {
    pub(crate) fn new() -> Self {
        Self(Inventory::new("apps/search".parse().expect("a name")))
    }

    /// A manifest that was pushed so many days ago.
    pub(crate) fn manifest(mut self, name: &str, days: i64) -> Self {
        self.0.add_manifest(facts(name, days));
        self
    }

    /// A tagged image.
    pub(crate) fn image(self, name: &str, tag: &str, days: i64) -> Self {
        self.manifest(name, days).tag(tag, name, days)
    }

    pub(crate) fn tag(mut self, text: &str, name: &str, days: i64) -> Self {
        self.0.add_tag(TagFacts {
            tag: tag(text),
            digest: digest(name),
            tagged_at: days_ago(days),
            pulled_at: None,
            immutable: false,
        });
        self
    }

    pub(crate) fn immutable(self, text: &str) -> Self {
        self.change_tag(text, |tag| tag.immutable = true)
    }

    pub(crate) fn pulled(self, text: &str, days: i64) -> Self {
        self.change_tag(text, |tag| tag.pulled_at = Some(days_ago(days)))
    }

    fn change_tag(mut self, text: &str, change: impl Fn(&mut TagFacts)) -> Self {
        let mut facts = self.0.tag(&tag(text)).expect("it is there").clone();
        change(&mut facts);
        self.0.add_tag(facts);
        self
    }

    pub(crate) fn referrer(mut self, name: &str, subject: &str, days: i64) -> Self {
        self.0.add_manifest(ManifestFacts { subject: Some(digest(subject)), ..facts(name, days) });
        self
    }

    pub(crate) fn index(mut self, name: &str, children: &[&str], days: i64) -> Self {
        let children = children.iter().map(|child| digest(child)).collect();
        self.0.add_manifest(ManifestFacts { children, ..facts(name, days) });
        self
    }

    pub(crate) fn untagged_since(mut self, name: &str, days: i64) -> Self {
        let found = self.0.manifests().find(|known| known.digest == digest(name));
        let mut facts = found.expect("it is there").clone();
        facts.untagged_at = Some(days_ago(days));
        self.0.add_manifest(facts);
        self
    }
}

pub(crate) fn facts(name: &str, days: i64) -> ManifestFacts {
    ManifestFacts {
        digest: digest(name),
        bytes: 10,
        pushed_at: days_ago(days),
        pulled_at: None,
        untagged_at: None,
        subject: None,
        children: Vec::new(),
    }
}

/// What goes, in the plan's order: tags by their name, manifests by the name that they have here.
pub(crate) fn deleted(plan: &Plan, names: &[&str]) -> Vec<String> {
    let name = |wanted: &Digest| {
        let found = names.iter().find(|name| digest(name) == *wanted);
        found.map_or_else(|| wanted.to_string(), ToString::to_string)
    };
    let shown = plan.delete.iter().map(|deletion| match &deletion.object {
        Object::Tag { tag, .. } => format!(":{tag}"),
        Object::Manifest { digest } => name(digest),
    });
    shown.collect()
}
