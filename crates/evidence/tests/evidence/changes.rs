//! What is known is never older than what it is about.

use jiff::{SignedDuration, Timestamp};
use plura_evidence::{Error, Origin};
use plura_oci::{Digest, Reference};
use plura_trust::Reason;

use crate::support::{Installation, Signatory, policy, provenance, repository};

#[tokio::test]
async fn whoever_asks_sees_what_has_just_arrived() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let image = here.image("1.0").await;
    assert_eq!(here.of(image).await.verified, Some(false));
    let signature = here.refer_bundle(image, release.bundle(image)).await;
    assert_eq!(here.of(image).await.verified, Some(true));

    let reference = Reference::Digest(signature);
    here.registry.delete_manifest(&repository(), &reference).await.unwrap();
    assert_eq!(here.of(image).await.verified, Some(false));

    here.attach(image, "sig", &[release.simple_signing(image)]).await;
    assert_eq!(here.of(image).await.verified, Some(true));
    let tag = format!("sha256-{}.sig", image.hex()).parse().unwrap();
    here.registry.delete_manifest(&repository(), &Reference::Tag(tag)).await.unwrap();
    assert_eq!(here.of(image).await.verified, Some(false));
}

#[tokio::test]
async fn what_is_asked_again_is_not_found_out_again() {
    let here = Installation::new().await;
    let image = here.image("1.0").await;
    here.refer_bundle(image, Signatory::new("release").bundle(image)).await;
    let first = here.of(image).await;
    assert_eq!(here.of(image).await, first);
    here.settle().await;
    assert_eq!(here.of(image).await, first);
}

#[tokio::test]
async fn nothing_is_gathered_about_what_nobody_says_anything_about() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    let image = here.image("1.0").await;
    assert_eq!(here.evidence.waiting().await.unwrap(), 0);
    assert_eq!(here.of(image).await.verified, None);
    here.trust(&policy("release", &[&release])).await;
    here.settle().await;
    let evidence = here.of(image).await;
    assert_eq!(evidence.verified, Some(false));
    let reason = evidence.verdicts[0].reason.as_ref().map(|refusal| refusal.reason);
    assert_eq!(reason, Some(Reason::Unsigned));
}

#[tokio::test]
async fn what_is_said_about_may_come_after_what_is_said() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    // The same manifests elsewhere, to know their digests.
    let elsewhere = Installation::new().await;
    let (tagged, referred, child) = (
        elsewhere.image("tagged").await,
        elsewhere.image("referred").await,
        elsewhere.image("child").await,
    );
    let index = elsewhere.index("index", &[child]).await;
    here.attach(tagged, "sig", &[release.simple_signing(tagged)]).await;
    here.refer_bundle(referred, release.bundle(referred)).await;
    here.refer_bundle(index, release.bundle(index)).await;
    here.settle().await;
    for (name, digest) in [("tagged", tagged), ("referred", referred), ("child", child)] {
        assert_eq!(here.image(name).await, digest);
    }
    assert_eq!(here.of(tagged).await.verified, Some(true));
    assert_eq!(here.of(referred).await.verified, Some(true));
    assert_eq!(here.of(child).await.verified, Some(false));
    assert_eq!(here.index("index", &[child]).await, index);
    assert_eq!(here.of(child).await.verified, Some(true));
    assert_eq!(here.of(index).await.verified, Some(true));
}

#[tokio::test]
async fn another_build_that_pushes_the_same_is_compared_too() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let image = here.image_built_from("beef", "1.0").await;
    here.refer_bundle(image, release.bundle_of(&provenance(image, "c0ffee"))).await;
    let reasons = async || -> Vec<Reason> {
        let evidence = here.of(image).await;
        evidence.statements[0].contradictions.iter().map(|refusal| refusal.reason).collect()
    };
    assert_eq!(reasons().await, [Reason::OtherPusher]);
    // It is that of one of those who pushed the same.
    assert_eq!(here.image_built_from("c0ffee", "1.0").await, image);
    assert_eq!(reasons().await, []);
}

#[tokio::test]
async fn a_change_of_whom_to_trust_changes_everything_at_once() {
    let here = Installation::new().await;
    let (release, other) = (Signatory::new("release"), Signatory::new("other"));
    let image = here.image("1.0").await;
    here.refer_bundle(image, release.bundle(image)).await;
    here.settle().await;
    assert_eq!(here.of(image).await.verified, None);
    here.trust(&policy("release", &[&release])).await;
    assert_eq!(here.of(image).await.verified, Some(true));
    here.trust(&policy("release", &[&other])).await;
    assert_eq!(here.of(image).await.verified, Some(false));
    here.evidence.remove_policy(&Origin::system(), "release").await.unwrap();
    assert_eq!(here.of(image).await.verified, None);
    let again = here.evidence.remove_policy(&Origin::system(), "release").await;
    assert!(matches!(again, Err(Error::PolicyUnknown(_))), "{again:?}");
}

#[tokio::test]
async fn nobody_has_to_ask() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    let mut images = Vec::new();
    for number in 0..70 {
        let image = here.image(&format!("v{number}")).await;
        here.refer_bundle(image, release.bundle(image)).await;
        images.push(image);
    }
    here.settle().await;
    here.trust(&policy("release", &[&release])).await;
    here.settle().await;
    assert_eq!(here.evidence.waiting().await.unwrap(), 0);
    // The change of each of them was told, once.
    assert_eq!(events(&here).await, images.len());
    here.settle().await;
    assert_eq!(events(&here).await, images.len());
}

async fn events(here: &Installation) -> usize {
    let filter = plura_meta::audit::Filter {
        action: Some("evidence.change".to_owned()),
        ..plura_meta::audit::Filter::default()
    };
    let mut connection = here.registry.database().read().await.unwrap();
    plura_meta::audit::list(&mut connection, &filter, 1000).await.unwrap().len()
}

#[tokio::test]
async fn several_policies_must_all_be_met() {
    let here = Installation::new().await;
    let (release, security) = (Signatory::new("release"), Signatory::new("security"));
    here.trust(&policy("release", &[&release])).await;
    here.trust(&policy("security", &[&security])).await;
    let mut elsewhere = policy("elsewhere", &[&Signatory::new("nobody")]);
    elsewhere.repositories = vec!["other/**".to_owned()];
    here.trust(&elsewhere).await;
    let image = here.image("1.0").await;
    here.refer_bundle(image, release.bundle(image)).await;
    let evidence = here.of(image).await;
    let told = evidence.verdicts.iter().map(|one| (one.policy.as_str(), one.verified));
    let told: Vec<_> = told.collect();
    assert_eq!(told, [("release", true), ("security", false)]);
    assert_eq!(evidence.verified, Some(false));
    here.refer_bundle(image, security.bundle(image)).await;
    assert_eq!(here.of(image).await.verified, Some(true));
}

#[tokio::test]
async fn children_have_the_verdict_of_their_index() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let (one, other) = (here.image("amd64").await, here.image("arm64").await);
    let index = here.index("1.0", &[one, other]).await;
    here.settle().await;
    assert_eq!(here.of(one).await.verified, Some(false));
    here.attach(index, "sig", &[release.simple_signing(index)]).await;
    // Whoever asks for one of them does not have to wait until the index was looked at.
    for child in [one, other] {
        let evidence = here.of(child).await;
        assert_eq!(evidence.verified, Some(true));
        assert_eq!(evidence.verdicts[0].inherited_from, Some(index));
        assert_eq!(evidence.verdicts[0].digest, child);
    }
    here.settle().await;
    assert_eq!(here.of(other).await.verified, Some(true));
    // And no longer than the index has it.
    here.registry.delete_manifest(&repository(), &Reference::Digest(index)).await.unwrap();
    assert_eq!(here.of(one).await.verified, Some(false));
}

#[tokio::test]
async fn children_have_the_verdict_of_an_index_that_a_referrer_signs() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let child = here.image("amd64").await;
    let index = here.index("1.0", &[child]).await;
    here.settle().await;
    here.refer_bundle(index, release.bundle(index)).await;
    assert_eq!(here.of(child).await.verified, Some(true));
}

#[tokio::test]
async fn a_signature_of_a_child_is_none_of_its_index() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let child = here.image("amd64").await;
    let index = here.index("1.0", &[child]).await;
    here.refer_bundle(index, release.bundle(child)).await;
    let evidence = here.of(index).await;
    assert_eq!(evidence.verified, Some(false));
    assert_eq!(evidence.verdicts[0].refusals[0].what.reason, Reason::ChildDigest);
}

#[tokio::test]
async fn signatures_under_one_tag_are_merged_and_keep_their_time() {
    let here = Installation::new().await;
    let (old, new) = (Signatory::new("old"), Signatory::new("new"));
    let image = here.image("1.0").await;
    here.attach(image, "sig", &[old.simple_signing(image)]).await;
    let before = here.of(image).await.signatures[0].arrived;
    // Whoever did not see the first would have overwritten it.
    here.attach(image, "sig", &[new.simple_signing(image)]).await;
    let evidence = here.of(image).await;
    let arrived: Vec<_> = evidence.signatures.iter().map(|found| found.arrived).collect();
    assert_eq!((arrived.len(), arrived[0]), (2, before));

    // The key of the first ended between the two: its signature was here by then.
    let mut document = policy("release", &[&old]);
    document.keys[0].end = Some(before + SignedDuration::from_millis(1));
    here.trust(&document).await;
    assert_eq!(here.of(image).await.verified, Some(true));
    document.keys[0].end = Some(Timestamp::UNIX_EPOCH);
    here.trust(&document).await;
    let evidence = here.of(image).await;
    assert_eq!(evidence.verdicts[0].refusals[0].what.reason, Reason::ExpiredKey);
}

#[tokio::test]
async fn fifty_signers_at_once_are_all_there() {
    let here = Installation::new().await;
    let image = here.image("1.0").await;
    let signers: Vec<_> = (0..50).map(|_| Signatory::new("signer")).collect();
    let pushes = signers.iter().map(|signer| async {
        here.attach(image, "sig", &[signer.simple_signing(image)]).await;
    });
    futures_util::future::join_all(pushes).await;
    let evidence = here.of(image).await;
    assert_eq!(evidence.signatures.len(), signers.len());
    assert!(evidence.signatures.iter().all(|found| found.refusal.is_none()));
}

#[tokio::test]
async fn what_is_unknown_is_unknown() {
    let here = Installation::new().await;
    let reference = Reference::Digest(Digest::sha256(b"nothing"));
    let asked = here.evidence.of(&repository(), &reference).await;
    assert!(matches!(asked, Err(Error::ManifestUnknown(_))), "{asked:?}");
}

#[tokio::test]
async fn a_policy_is_tried_before_it_is_in_force() {
    let here = Installation::new().await;
    let (release, other) = (Signatory::new("release"), Signatory::new("other"));
    let image = here.image("1.0").await;
    here.refer_bundle(image, release.bundle(image)).await;
    let reference = Reference::Digest(image);
    for (signatory, verified) in [(&release, true), (&other, false)] {
        let document = policy("tried", &[signatory]);
        let verdict = here.evidence.judge_by(&repository(), &reference, &document).await.unwrap();
        assert_eq!(verdict.verified, verified);
    }
    assert_eq!(here.of(image).await.verified, None);
}
