use plura_oci::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place, shortened},
    facts::BaseFacts,
    glob::Glob,
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed, when_known};

/// Images that others may be built on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyBaseImage)]
pub struct BaseImageDocument {
    /// What they are for.
    pub description: Option<String>,
    /// Patterns of their names; any, if there are none.
    pub names: Vec<String>,
    /// Their digests; any, if there are none.
    pub digests: Vec<String>,
}

/// It was built on something that is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = BaseImageGate)]
pub struct BaseImageGateDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// Which of `base_images` may be used; all, if none is named.
    pub allow: Vec<String>,
    /// How old the base may be.
    pub max_age: Option<String>,
    /// For how long a newer base may be known before it must be used.
    pub update_within: Option<String>,
    /// Whether the base itself must be signed by somebody who is trusted.
    pub signed: bool,
    /// Whether its layers must be found in the image; what the image declares is not enough then.
    pub matched: bool,
}

/// A base image that was checked.
#[derive(Clone, Debug)]
pub(crate) struct BaseImage {
    names: Vec<Glob>,
    digests: Vec<Digest>,
}

#[derive(Debug)]
struct BaseImageGate {
    allow: Vec<(String, BaseImage)>,
    max_age: Option<TimeSpan>,
    update_within: Option<TimeSpan>,
    signed: bool,
    matched: bool,
}

impl BaseImageDocument {
    pub(crate) fn compile(&self, place: &mut Place<'_>) -> BaseImage {
        if self.names.is_empty() && self.digests.is_empty() {
            place.problem("every image is one", "name them, or their digests, or both");
        }
        BaseImage {
            names: place.at("names").parse_all(&self.names),
            digests: place.at("digests").parse_all(&self.digests),
        }
    }
}

impl BaseImage {
    fn is(&self, base: &BaseFacts) -> bool {
        let name = base.name.as_deref().unwrap_or_default();
        let named = self.names.is_empty() || self.names.iter().any(|glob| glob.covers(name));
        let pinned =
            self.digests.is_empty() || base.digest.is_some_and(|one| self.digests.contains(&one));
        named && pinned
    }
}

impl GateDocument for BaseImageGateDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, bases: &BaseImages) -> Option<Box<dyn Gate>> {
        let mut allow: Vec<(String, BaseImage)> = Vec::new();
        let mut listed = place.at("allow");
        for (index, name) in self.allow.iter().enumerate() {
            match bases.get(name) {
                Some(base) => allow.push((name.clone(), base.clone())),
                None => listed.item(index).problem(
                    format!("`{}` is none of `base_images`", shortened(name)),
                    "define it there, or correct the name",
                ),
            }
        }
        if self.allow.is_empty() {
            allow.extend(bases.iter().map(|(name, base)| (name.clone(), base.clone())));
        }
        if allow.is_empty() && self.allow.is_empty() {
            place.problem("no base image is defined", "say in `base_images` which may be used");
        }
        let max_age = place.span("max_age", self.max_age.as_ref());
        let update_within = place.span("update_within", self.update_within.as_ref());
        let (signed, matched) = (self.signed, self.matched);
        Some(Box::new(BaseImageGate { allow, max_age, update_within, signed, matched }))
    }
}

impl Gate for BaseImageGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = self.required();
        let fix = "declare the base with the annotations `org.opencontainers.image.base.name` and \
                   `.digest`, or push the base, so that it is recognised";
        case.each(&required, |manifest| {
            when_known(&manifest.base, (&required, fix), |base| self.verdict(base, case, &required))
        })
    }
}

impl BaseImageGate {
    fn required(&self) -> String {
        let allowed = format!("one of {}", listed(self.allow.iter().map(|(name, _)| name)));
        let parts = [
            Some(allowed),
            self.signed.then(|| "signed".to_owned()),
            self.max_age.map(|age| format!("not older than {age}")),
            self.update_within.map(|within| format!("updated within {within}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn verdict(&self, base: &BaseFacts, case: &Case<'_>, required: &str) -> Judgement {
        let observed = words(base);
        let deny =
            |what: &str, fix: &str| Judgement::deny(format!("{observed}{what}"), required, fix);
        let Some((allowed, _)) = self.allow.iter().find(|(_, known)| known.is(base)) else {
            return deny(", which is not allowed", "build it on an image that is");
        };
        if self.matched && !base.matched {
            let fix = "push the base, so that its layers can be compared";
            return deny(", which is only declared", fix);
        }
        if self.signed && !base.verified {
            return deny(", which is signed by nobody who is trusted", "use a base that is signed");
        }
        let mut until = None;
        let newer = base.newer.as_ref().map(|newer| newer.since);
        let limits = [
            (self.max_age, base.created, "use a base that was built lately"),
            (self.update_within, newer, "build it again on the newer base"),
        ];
        for (span, since, fix) in limits {
            let Some(end) = span.zip(since).map(|(span, since)| span.after(since)) else {
                continue;
            };
            if end <= case.now {
                return deny(&format!(", which was too old on {end}"), fix);
            }
            until = until.into_iter().chain([end]).min();
        }
        if self.max_age.is_some() && base.created.is_none() {
            return deny(", whose age is not known", "use a base that says when it was made");
        }
        Judgement::allow(format!("{observed} ({allowed})"), required).until(until)
    }
}

fn words(base: &BaseFacts) -> String {
    let name = base.name.as_deref().unwrap_or("a base without a name");
    match &base.digest {
        Some(digest) => format!("{name}@{digest}"),
        None => name.to_owned(),
    }
}
