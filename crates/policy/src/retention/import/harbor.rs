use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ImportError, Imported, Translation, read, shown};
use crate::retention::{ExpireRule, KeepRule, Order};

/// The longest pattern: none of ours is longer, and each alternative is a copy of it.
const MAX_PATTERN: usize = 1024;
/// The most alternatives that one pattern may stand for.
const MAX_ALTERNATIVES: usize = 32;

/// A retention policy of Harbor. What else it says is about Harbor's own tables.
#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    algorithm: Option<String>,
    rules: Vec<Rule>,
    #[serde(default)]
    trigger: Option<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    #[serde(default)]
    settings: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    disabled: bool,
    action: String,
    template: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    tag_selectors: Vec<Selector>,
    #[serde(default)]
    scope_selectors: BTreeMap<String, Vec<Selector>>,
}

#[derive(Deserialize)]
struct Selector {
    kind: String,
    decoration: String,
    pattern: String,
    #[serde(default)]
    extras: Option<String>,
}

/// The repositories of a rule.
#[derive(Clone, Default, PartialEq, Eq)]
struct Scope {
    repositories: Vec<String>,
    except_repositories: Vec<String>,
}

/// Imports the retention policy of a project of Harbor. Harbor deletes whatever no rule retains, in the
/// repositories that any rule is about.
pub fn import_harbor(json: &[u8], project: &str) -> Result<Imported, ImportError> {
    let policy: Policy = read(json)?;
    let mut translation = Translation::default();
    let mut scopes: Vec<Scope> = Vec::new();
    let mut failed = false;
    if policy.algorithm.is_some_and(|algorithm| algorithm != "or") {
        translation.without("algorithm", "each rule here keeps by itself");
        failed = true;
    }
    for (index, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| !rule.disabled) {
        match translate(index, rule, project) {
            Ok((keep, scope)) => {
                translation.document.keep.push(keep);
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
            Err((path, reason)) => {
                translation.without(format!("rules[{index}].{path}"), reason);
                failed = true;
            }
        }
    }
    if policy.trigger.is_some_and(|trigger| trigger.settings.contains_key("cron")) {
        translation.without("trigger.settings.cron", "runs are scheduled by the installation");
    }
    if failed {
        translation
            .without("rules", "nothing is deleted, since not all that Harbor keeps is kept here");
    } else {
        expire(scopes, &mut translation);
    }
    translation.finish()
}

/// What no rule keeps, in the repositories of each.
fn expire(scopes: Vec<Scope>, to: &mut Translation) {
    let untagged = to.document.keep.iter().any(|rule| rule.untagged);
    if !untagged && !scopes.is_empty() {
        to.without(
            "rules",
            "untagged images stay: no rule is about them; write an `expire` rule for them",
        );
    }
    for (index, scope) in scopes.into_iter().enumerate() {
        to.document.expire.push(ExpireRule {
            name: format!("harbor-rest-{index}"),
            repositories: scope.repositories,
            except_repositories: scope.except_repositories,
            tags: vec!["*".to_owned()],
            untagged,
            unless_kept: true,
            ..ExpireRule::default()
        });
    }
}

type Refused = (&'static str, String);

fn translate(index: usize, rule: &Rule, project: &str) -> Result<(KeepRule, Scope), Refused> {
    if rule.action != "retain" {
        return Err(("action", format!("`{}` is not known", shown(&rule.action))));
    }
    let scope = read_scope(rule, project)?;
    let (tags, except_tags, untagged) = read_tags(rule)?;
    let mut keep = KeepRule {
        name: format!("harbor-{index}"),
        repositories: scope.repositories.clone(),
        except_repositories: scope.except_repositories.clone(),
        tags,
        except_tags,
        untagged,
        ..KeepRule::default()
    };
    read_template(rule, &mut keep)?;
    Ok((keep, scope))
}

fn read_template(rule: &Rule, keep: &mut KeepRule) -> Result<(), Refused> {
    if rule.template == "always" {
        return Ok(());
    }
    let number = rule.params.get(&rule.template).and_then(Value::as_u64);
    let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    let number = number.ok_or_else(|| ("params", "there is no number above zero".to_owned()))?;
    let days = Some(format!("{number}d"));
    let newest = |keep: &mut KeepRule, order| {
        keep.newest = Some(number);
        keep.order = Some(order);
    };
    match rule.template.as_str() {
        "latestPushedK" => newest(keep, Order::Pushed),
        "latestPulledN" => newest(keep, Order::Pulled),
        "latestActiveK" => newest(keep, Order::Active),
        "nDaysSinceLastPush" => keep.pushed_within = days,
        "nDaysSinceLastPull" => keep.pulled_within = days,
        "lastXDays" => keep.active_within = days,
        other => return Err(("template", format!("`{}` is not known", shown(other)))),
    }
    Ok(())
}

fn read_scope(rule: &Rule, project: &str) -> Result<Scope, Refused> {
    const PATH: &str = "scope_selectors";
    let selectors = match rule.scope_selectors.get("repository") {
        Some(selectors) if rule.scope_selectors.len() == 1 => selectors,
        _ => return Err((PATH, "only repositories can be selected".to_owned())),
    };
    let [selector] = &selectors[..] else {
        return Err((PATH, "one pattern of repositories is expected".to_owned()));
    };
    let patterns = alternatives(selector).map_err(|reason| (PATH, reason))?;
    let patterns = patterns.into_iter().map(|pattern| format!("{project}/{pattern}")).collect();
    match selector.decoration.as_str() {
        "repoMatches" => Ok(Scope { repositories: patterns, ..Scope::default() }),
        "repoExcludes" => {
            Ok(Scope { repositories: vec![format!("{project}/**")], except_repositories: patterns })
        }
        other => Err((PATH, format!("`{}` is not known", shown(other)))),
    }
}

fn read_tags(rule: &Rule) -> Result<(Vec<String>, Vec<String>, bool), Refused> {
    const PATH: &str = "tag_selectors";
    let [selector] = &rule.tag_selectors[..] else {
        return Err((PATH, "one pattern of tags is expected".to_owned()));
    };
    let patterns = alternatives(selector).map_err(|reason| (PATH, reason))?;
    // There are no slashes in tags, so that two stars are one.
    let patterns: Vec<_> = patterns.into_iter().map(|pattern| pattern.replace("**", "*")).collect();
    let extras: Value = serde_json::from_str(selector.extras.as_deref().unwrap_or("{}"))
        .map_err(|_| (PATH, "its `extras` cannot be read".to_owned()))?;
    let untagged = extras["untagged"].as_bool().unwrap_or(false);
    match selector.decoration.as_str() {
        "matches" => Ok((patterns, Vec::new(), untagged)),
        "excludes" => Ok((vec!["*".to_owned()], patterns, untagged)),
        other => Err((PATH, format!("`{}` is not known", shown(other)))),
    }
}

/// The patterns that one with `{one,other}` stands for.
fn alternatives(selector: &Selector) -> Result<Vec<String>, String> {
    if selector.kind != "doublestar" {
        return Err(format!("patterns of the kind `{}` are not known", shown(&selector.kind)));
    }
    if selector.pattern.len() > MAX_PATTERN {
        return Err(format!("a pattern with more than {MAX_PATTERN} characters"));
    }
    let mut done = Vec::new();
    let mut open = vec![selector.pattern.clone()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() > MAX_ALTERNATIVES {
            return Err(format!("a pattern with more than {MAX_ALTERNATIVES} alternatives"));
        }
        // The innermost braces first.
        let Some((before, after)) = pattern.split_once('}') else {
            done.push(pattern);
            continue;
        };
        let Some((before, within)) = before.rsplit_once('{') else { return Err(unclear(&pattern)) };
        open.extend(within.split(',').map(|one| format!("{before}{one}{after}")));
    }
    let odd =
        |pattern: &&String| pattern.is_empty() || pattern.contains(['?', '[', '\\', '{', '!']);
    if let Some(pattern) = done.iter().find(odd) {
        return Err(unclear(pattern));
    }
    done.reverse();
    Ok(done)
}

fn unclear(pattern: &str) -> String {
    format!("the pattern `{}` has more than stars and alternatives", shown(pattern))
}
