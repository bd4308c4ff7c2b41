//! Gates: what must be true of an image before it may be somewhere. Each answers with what it found,
//! what it asks for and what to do; all are asked, whatever the first one says.
//!
//! A gate is a file here and a line in [`gates!`].

mod advisories;
mod age;
mod approvals;
mod base_image;
mod blocked;
mod case;
mod checks;
mod freeze;
mod labels;
mod non_root;
mod origin;
mod outcome;
mod predicates;
mod provenance;
mod sbom;
mod secrets;
mod signature;
mod vulnerabilities;
mod window;

use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{BaseImages, Place, cut, shortened};

pub use advisories::AdvisoriesDocument;
pub use age::AgeDocument;
pub use approvals::{ApprovalsDocument, AuthorApproval};
pub use base_image::{BaseImageDocument, BaseImageGateDocument};
pub use checks::ChecksDocument;
pub use labels::LabelsDocument;
pub use non_root::NonRootDocument;
pub use outcome::{Effect, GateDecision, Mode, Outcome};
pub use predicates::PredicateDocument;
pub use provenance::ProvenanceDocument;
pub use sbom::SbomDocument;
pub use secrets::SecretsDocument;
pub use signature::SignatureDocument;
pub use vulnerabilities::{LimitDocument, VulnerabilitiesDocument};

pub(crate) use base_image::BaseImage;
pub(crate) use blocked::BlockedGate;
pub(crate) use case::{Case, Judgement, listed, when_known};
pub(crate) use freeze::FreezeGate;
pub(crate) use origin::OriginGate;
pub(crate) use window::WindowGate;

/// The most characters of what an outcome says. An expression fits.
const MOST_WORDS: usize = 2_500;

/// A gate that was checked.
pub(crate) trait Gate: Debug + Send + Sync {
    /// What it finds; more than one thing where it is about each platform.
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement>;

    /// Whether it is about the move into a channel, and so is not asked about what is there already, or
    /// about a pull.
    fn is_about_moves(&self) -> bool {
        false
    }
}

/// A gate as it is written.
trait GateDocument {
    /// Whether it decides.
    fn mode(&self) -> Mode;

    /// Checks it; what is wrong is noted at the place.
    fn compile(&self, place: &mut Place<'_>, bases: &BaseImages) -> Option<Box<dyn Gate>>;
}

/// A gate with its place in the document.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) gate: &'static str,
    pub(crate) path: String,
    pub(crate) mode: Mode,
    pub(crate) check: Box<dyn Gate>,
}

impl Rule {
    /// What it answers.
    pub(crate) fn outcomes(&self, case: &Case<'_>) -> Vec<Outcome> {
        let outcome = |judgement: Judgement| Outcome {
            gate: self.gate.to_owned(),
            rule: self.path.clone(),
            effect: judgement.effect,
            mode: self.mode,
            platform: judgement.platform.map(|platform| shortened(&platform)),
            observed: cut(&judgement.observed, MOST_WORDS),
            required: cut(&judgement.required, MOST_WORDS),
            fix: judgement.fix.map(|fix| cut(&fix, MOST_WORDS)),
            until: judgement.until,
        };
        self.check.judge(case).into_iter().map(outcome).collect()
    }
}

macro_rules! gates {
    ($($(#[$doc:meta])* $name:ident: $document:ty,)*) => {
        /// Gates that are asked together. Which are not mentioned are not asked.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields, default)]
        #[schema(as = PolicyGates)]
        pub struct GatesDocument {
            /// What they are for.
            pub description: Option<String>,
            $($(#[$doc])* pub $name: Option<$document>,)*
            /// Whatever else must be true, by a name: expressions of CEL.
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            pub predicates: BTreeMap<String, PredicateDocument>,
        }

        impl GatesDocument {
            /// Checks all of them.
            pub(crate) fn compile(&self, place: &mut Place<'_>, bases: &BaseImages) -> Vec<Rule> {
                let mut rules = Vec::new();
                $(if let Some(document) = &self.$name {
                    let place = place.at(stringify!($name));
                    rules.extend(rule(stringify!($name), document, place, bases));
                })*
                for (name, document) in &self.predicates {
                    let mut place = place.at("predicates");
                    rules.extend(rule("predicates", document, place.at(name), bases));
                }
                rules
            }
        }
    };
}

gates! {
    /// Somebody who is trusted signed it.
    signature: SignatureDocument,
    /// It is known how it was built.
    provenance: ProvenanceDocument,
    /// It is known what it consists of.
    sbom: SbomDocument,
    /// It has no vulnerabilities that are too bad.
    vulnerabilities: VulnerabilitiesDocument,
    /// It was built on something that is allowed.
    base_image: BaseImageGateDocument,
    /// It says about itself what must be said.
    labels: LabelsDocument,
    /// It does not run as root.
    non_root: NonRootDocument,
    /// There are no secrets in it.
    secrets: SecretsDocument,
    /// It is neither too old nor too new.
    age: AgeDocument,
    /// What is known of vulnerabilities is recent.
    advisories: AdvisoriesDocument,
    /// Enough people approved it.
    approvals: ApprovalsDocument,
    /// What is tested elsewhere went well.
    checks: ChecksDocument,
}

fn rule(
    gate: &'static str,
    document: &impl GateDocument,
    mut place: Place<'_>,
    bases: &BaseImages,
) -> Option<Rule> {
    let check = document.compile(&mut place, bases)?;
    Some(Rule { gate, path: place.path().to_owned(), mode: document.mode(), check })
}
