use plura_evidence::{Error as EvidenceError, FoundStatement, ManifestEvidence, Refusal, Verdict};
use plura_oci::Reference;
use plura_policy::facts::{Known, ProvenanceFacts, SbomFacts, SignatureFacts};
use plura_trust::PredicateKind;

use super::{Subject, not_now};
use crate::Governance;

/// What is said about a manifest, and by whom.
pub(super) struct EvidenceFacts {
    pub(super) signatures: Known<Vec<SignatureFacts>>,
    pub(super) provenance: Known<Vec<ProvenanceFacts>>,
    pub(super) sboms: Known<Vec<SbomFacts>>,
}

impl Governance {
    /// Signatures, provenance and bills of materials. What was not gathered yet is gathered then.
    pub(super) async fn evidence_facts(&self, subject: &Subject<'_>) -> EvidenceFacts {
        let reference = Reference::Digest(subject.digest);
        let evidence = self.shared.sources.evidence.of(subject.repository, &reference).await;
        match evidence {
            Ok(evidence) => EvidenceFacts::of(&evidence),
            Err(error @ EvidenceError::ManifestUnknown(_)) => EvidenceFacts {
                signatures: Known::Absent(error.to_string()),
                provenance: Known::Absent(error.to_string()),
                sboms: Known::Absent(error.to_string()),
            },
            Err(error) => EvidenceFacts {
                signatures: not_now("who signed it", &error),
                provenance: not_now("how it was built", &error),
                sboms: not_now("what it consists of", &error),
            },
        }
    }
}

impl EvidenceFacts {
    fn of(evidence: &ManifestEvidence) -> Self {
        let statements = &evidence.statements;
        Self {
            signatures: Known::Known(evidence.verdicts.iter().map(signature).collect()),
            provenance: Known::Known(statements.iter().filter_map(provenance).collect()),
            sboms: Known::Known(statements.iter().filter_map(sbom).collect()),
        }
    }
}

fn signature(verdict: &Verdict) -> SignatureFacts {
    SignatureFacts {
        policy: verdict.policy.clone(),
        verified: verdict.verified,
        signers: verdict.signers.clone(),
        reason: verdict.reason.as_ref().map(Refusal::to_string),
    }
}

fn provenance(statement: &FoundStatement) -> Option<ProvenanceFacts> {
    let provenance = statement.provenance.as_ref()?;
    let source = provenance.source.as_ref();
    Some(ProvenanceFacts {
        builder: provenance.builder.clone(),
        source: source.map(|source| source.repository.clone()),
        revision: source.and_then(|source| source.commit.clone()),
        verified: !statement.signers.is_empty(),
        contradictions: statement.contradictions.iter().map(Refusal::to_string).collect(),
    })
}

fn sbom(statement: &FoundStatement) -> Option<SbomFacts> {
    let format = match statement.kind {
        PredicateKind::CycloneDx => "cyclonedx",
        PredicateKind::Spdx => "spdx",
        _ => return None,
    };
    Some(SbomFacts { format: format.to_owned(), verified: !statement.signers.is_empty() })
}
