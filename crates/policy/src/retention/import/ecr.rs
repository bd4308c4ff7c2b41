use serde::Deserialize;

use super::{ImportError, Imported, Translation, read, shown};
use crate::retention::{ExpireRule, KeepRule};

/// A lifecycle policy of Amazon ECR.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    #[serde(rename = "rulePriority")]
    priority: u64,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    selection: Selection,
    action: Action,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Selection {
    tag_status: TagStatus,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    #[serde(default)]
    storage_class: Option<String>,
    count_type: String,
    #[serde(default)]
    count_unit: Option<String>,
    count_number: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "targetStorageClass")]
    _target_storage_class: Option<String>,
}

/// What the rules before, which come first, are about: a later rule never expires that.
#[derive(Default)]
struct Taken {
    tags: Vec<String>,
    untagged: bool,
}

/// Imports a lifecycle policy of Amazon ECR. It is one repository's; our rules are about all
/// repositories until `repositories` says otherwise.
pub fn import_ecr(json: &[u8]) -> Result<Imported, ImportError> {
    let mut policy: Policy = read(json)?;
    policy.rules.sort_by_key(|rule| rule.priority);
    let mut translation = Translation::default();
    let mut taken = Taken::default();
    for rule in &policy.rules {
        let patterns = rule.selection.patterns();
        translate(rule, &patterns, &taken, &mut translation);
        taken.untagged |= rule.selection.tag_status == TagStatus::Untagged;
        taken.tags.extend(patterns);
    }
    let timed = |rule: &ExpireRule| !rule.unless_kept;
    if !translation.document.keep.is_empty() && translation.document.expire.iter().any(timed) {
        translation.without(
            "rules",
            "what a count keeps is kept here, even where the time of another rule is over",
        );
    }
    translation.finish()
}

impl Selection {
    fn patterns(&self) -> Vec<String> {
        let prefixes = self.tag_prefix_list.iter().map(|prefix| format!("{prefix}*"));
        prefixes.chain(self.tag_pattern_list.iter().cloned()).collect()
    }
}

fn translate(rule: &Rule, patterns: &[String], taken: &Taken, to: &mut Translation) {
    let path = format!("rules with rulePriority {}", rule.priority);
    if rule.action.kind != "expire" || rule.selection.storage_class.is_some() {
        return to
            .without(path, "images are in one class of storage: nothing moves between classes");
    }
    if patterns.len() > 1 {
        return to.without(
            path,
            "it is about images that have a tag of every pattern; here each tag is decided about by \
             itself: write a rule for each pattern that decides",
        );
    }
    let tagged = rule.selection.tag_status != TagStatus::Untagged;
    let tags = match (patterns, tagged) {
        ([], true) => vec!["*".to_owned()],
        (_, false) => Vec::new(),
        (patterns, true) => patterns.to_vec(),
    };
    let expire = ExpireRule {
        name: format!("ecr-{}", rule.priority),
        except_tags: if tagged { taken.tags.clone() } else { Vec::new() },
        tags,
        untagged: rule.selection.tag_status != TagStatus::Tagged && !taken.untagged,
        ..ExpireRule::default()
    };
    if !tagged && taken.untagged {
        return to.without(path, "an earlier rule is about untagged images already");
    }
    count(rule, expire, &path, to);
}

fn count(rule: &Rule, expire: ExpireRule, path: &str, to: &mut Translation) {
    let number = rule.selection.count_number;
    let in_days = rule.selection.count_unit.as_deref() == Some("days");
    match rule.selection.count_type.as_str() {
        "imageCountMoreThan" if number > 0 => {
            to.document.keep.push(KeepRule {
                name: format!("{}-keep", expire.name),
                tags: expire.tags.clone(),
                except_tags: expire.except_tags.clone(),
                untagged: expire.untagged,
                newest: Some(number),
                ..KeepRule::default()
            });
            to.document.expire.push(ExpireRule { unless_kept: true, ..expire });
        }
        "sinceImagePushed" if in_days => {
            let older_than = Some(format!("{number}d"));
            to.document.expire.push(ExpireRule { older_than, ..expire });
        }
        "sinceImagePulled" if in_days => {
            let idle = Some(format!("{number}d"));
            to.document.expire.push(ExpireRule { idle, ..expire });
        }
        other => to.without(
            format!("{path}: selection.countType"),
            format!("`{}` of {number} cannot be counted here", shown(other)),
        ),
    }
}
