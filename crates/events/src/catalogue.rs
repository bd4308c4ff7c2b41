//! Which entries of the audit are events.

use plura_meta::audit::Entry;

/// What is told of: all actions whose names begin so. Who logs in and who may do what is for auditors, who
/// read the audit; blobs are parts of images.
const FAMILIES: [&str; 25] = [
    "advisories",
    "approval",
    "block",
    "channel",
    "check",
    "contents",
    "decision",
    "evidence",
    "exception",
    "freeze",
    "governance",
    "hold",
    "manifest",
    "policy",
    "project",
    "promotion",
    "report",
    "repository",
    "retention",
    "rollback",
    "rollout",
    "service",
    "tag",
    "vex",
    "vulnerabilities",
];

/// A push that a quota was in the way of: the one refusal that somebody has to do something about.
pub(crate) const QUOTA_EXCEEDED: &str = "quota.exceeded";

/// What the rules begin with by which a quota refuses.
const QUOTA_RULE: &str = "quota of project ";

/// The type of the event that the entry is, if it is one.
pub(crate) fn event_type(entry: &Entry) -> Option<&str> {
    if entry.outcome == "denied" {
        return entry.rule.starts_with(QUOTA_RULE).then_some(QUOTA_EXCEEDED);
    }
    is_event(&entry.action).then_some(entry.action.as_str())
}

/// Whether what was done is told of.
pub(crate) fn is_event(action: &str) -> bool {
    if action == QUOTA_EXCEEDED || action == "collect" {
        return true;
    }
    action.split_once('.').is_some_and(|(family, _)| FAMILIES.binary_search(&family).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_in_order() {
        assert!(FAMILIES.is_sorted());
    }

    #[test]
    fn changes_of_images_are_told_and_logins_are_not() {
        for (action, expected) in [
            ("tag.set", true),
            ("manifest.delete", true),
            ("promotion.finished", true),
            ("collect", true),
            ("login", false),
            ("token.create", false),
            ("blob.push", false),
            ("webhook.create", false),
            ("tag", false),
            ("", false),
        ] {
            assert_eq!(is_event(action), expected, "{action}");
        }
    }
}
