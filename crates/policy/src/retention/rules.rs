use std::{collections::HashSet, str::FromStr};

use plura_oci::{Digest, RepositoryName};

use crate::Pattern;

use super::{
    ExpireRule, KeepRule, Order, RetentionDocument, RetentionProblem, Root, Roots, glob::Glob,
    problem::Problems, span::Span,
};

/// The most rules of a kind, and the most patterns of a list: a decision costs their product.
const MAX_RULES: usize = 100;
const MAX_PATTERNS: usize = 100;
/// The most bytes of a document as JSON.
const MAX_SIZE: usize = 1024 * 1024;

const A_SPAN: &str = "write a duration such as `180d`, `12h` or `2w`, of at most 36525 days";
const A_REPOSITORY: &str =
    "write the name of a repository, with `*` for a part of a segment and `**` for anything";
const A_PATTERN: &str = "write a name with `*` for any characters; letters, digits, `_`, `.`, `-`, `:` and `/` are in names";

/// A document that can be carried out.
#[derive(Clone, Debug)]
pub struct RetentionRules {
    pub(super) channels: Vec<Window>,
    pub(super) keep: Vec<Keep>,
    pub(super) expire: Vec<Expire>,
    digest: Digest,
}

#[derive(Clone, Debug)]
pub(super) struct Window {
    environment: Glob,
    /// Nothing for all channels of the environment.
    channel: Option<Glob>,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Keep {
    pub(super) name: String,
    pub(super) selection: Selection,
    pub(super) condition: KeepIf,
}

#[derive(Clone, Debug)]
pub(super) enum KeepIf {
    Always,
    Newest(usize, Order),
    PushedWithin(Span),
    PulledWithin(Span),
    ActiveWithin(Span),
}

#[derive(Clone, Debug)]
pub(super) struct Expire {
    pub(super) name: String,
    pub(super) selection: Selection,
    pub(super) older_than: Option<Span>,
    pub(super) idle: Option<Span>,
}

/// Which tags and images a rule is about.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    repositories: Vec<Pattern>,
    except_repositories: Vec<Pattern>,
    pub(super) tags: Vec<Glob>,
    except_tags: Vec<Glob>,
    pub(super) untagged: bool,
}

impl Selection {
    pub(super) fn is_about(&self, repository: &RepositoryName) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(repository));
        (self.repositories.is_empty() || any(&self.repositories)) && !any(&self.except_repositories)
    }

    pub(super) fn covers(&self, tag: &str) -> bool {
        self.tags.iter().any(|glob| glob.covers(tag)) && !self.excludes(tag)
    }

    pub(super) fn excludes(&self, tag: &str) -> bool {
        self.except_tags.iter().any(|glob| glob.covers(tag))
    }
}

impl RetentionRules {
    /// The first of what must not go at that time, in milliseconds since 1970, whatever the rules say.
    pub fn first_root(&self, roots: &Roots, now: i64) -> Option<Root> {
        roots.at(self, now).into_iter().next()
    }

    /// Whether the rules may let anything go.
    pub fn may_expire(&self) -> bool {
        !self.expire.is_empty()
    }

    /// Whether a rule that may let something go is about the repository.
    pub fn may_expire_in(&self, repository: &RepositoryName) -> bool {
        self.expire.iter().any(|rule| rule.selection.is_about(repository))
    }
}

impl Window {
    /// Whether it is about the channel, `environment:name`.
    pub(super) fn covers(&self, channel: &str) -> bool {
        let (environment, name) = channel.split_once(':').unwrap_or((channel, ""));
        self.environment.covers(environment)
            && self.channel.as_ref().is_none_or(|glob| glob.covers(name))
    }
}

impl RetentionRules {
    /// The rules that the document says, or everything that is wrong with it.
    pub fn new(document: &RetentionDocument) -> Result<Self, Vec<RetentionProblem>> {
        let mut problems = Problems::default();
        check_counts(document, &mut problems);
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        let channels = document.channels.iter().enumerate().filter_map(|(index, channel)| {
            let path = format!("channels[{index}]");
            let span = problems.read(format!("{path}.window"), &channel.window, A_SPAN);
            let (environment, name) = match channel.channel.split_once(':') {
                Some((environment, name)) => (environment, Some(name)),
                None => (&*channel.channel, None),
            };
            let mut glob = |text| problems.read(format!("{path}.channel"), text, A_PATTERN);
            let environment = glob(environment);
            let channel = name.map(glob);
            Some(Window {
                environment: environment?,
                channel: channel.map_or(Some(None), |found| found.map(Some))?,
                span: span?,
            })
        });
        let channels = channels.collect();
        let keep = document.keep.iter().enumerate();
        let keep = keep.filter_map(|(index, rule)| read_keep(index, rule, &mut problems)).collect();
        let expire = document.expire.iter().enumerate();
        let expire =
            expire.filter_map(|(index, rule)| read_expire(index, rule, &mut problems)).collect();
        check_names(document, &mut problems);
        // What was read can be written.
        let text = serde_json::to_vec(document).unwrap_or_default();
        let rules = Self { channels, keep, expire, digest: Digest::sha256(&text) };
        if problems.0.is_empty() { Ok(rules) } else { Err(problems.0) }
    }

    /// Reads a document in JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Vec<RetentionProblem>> {
        let mut problems = Problems::default();
        if bytes.len() > MAX_SIZE {
            problems.push("", "the document is too large", "write at most 1 MiB");
            return Err(problems.0);
        }
        match serde_json::from_slice(bytes) {
            Ok(document) => Self::new(&document),
            Err(error) => {
                let error: String = error.to_string().chars().take(200).collect();
                problems.push("", error, "write what the documentation of retention rules lists");
                Err(problems.0)
            }
        }
    }

    /// What the rules are known by: the digest of the document.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn check_counts(document: &RetentionDocument, problems: &mut Problems) {
    let counts = [
        ("channels", document.channels.len()),
        ("keep", document.keep.len()),
        ("expire", document.expire.len()),
    ];
    for (path, count) in counts {
        if count > MAX_RULES {
            problems.push(path, format!("{count} rules"), "write at most 100");
        }
    }
}

fn check_names(document: &RetentionDocument, problems: &mut Problems) {
    let keep = document.keep.iter().enumerate().map(|(at, rule)| ("keep", at, &rule.name));
    let expire = document.expire.iter().enumerate().map(|(at, rule)| ("expire", at, &rule.name));
    let mut names = HashSet::new();
    for (list, at, name) in keep.chain(expire) {
        let path = format!("{list}[{at}].name");
        let is_odd = |c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c);
        if name.is_empty() || name.len() > 100 || name.contains(is_odd) {
            let fix = "name the rule with up to 100 letters, digits, `_`, `.` and `-`";
            problems.push(path, "a rule without a name that reports can show", fix);
        } else if !names.insert(name) {
            problems.push(path, format!("`{name}` is the name of two rules"), "rename one of them");
        }
    }
}

fn read_keep(index: usize, rule: &KeepRule, problems: &mut Problems) -> Option<Keep> {
    let path = format!("keep[{index}]");
    let lists = [&rule.repositories, &rule.except_repositories, &rule.tags, &rule.except_tags];
    let selection = read_selection(&path, lists, rule.untagged, problems);
    let condition = read_condition(&path, rule, problems);
    Some(Keep { name: rule.name.clone(), selection: selection?, condition: condition? })
}

fn read_condition(path: &str, rule: &KeepRule, problems: &mut Problems) -> Option<KeepIf> {
    type Make = fn(Span) -> KeepIf;
    let spans: [(&str, &Option<String>, Make); 3] = [
        ("pushed_within", &rule.pushed_within, KeepIf::PushedWithin),
        ("pulled_within", &rule.pulled_within, KeepIf::PulledWithin),
        ("active_within", &rule.active_within, KeepIf::ActiveWithin),
    ];
    let given = spans.iter().filter(|(_, text, _)| text.is_some()).count();
    if given + usize::from(rule.newest.is_some()) > 1 {
        problems.push(path, "several conditions in one rule", "write a rule for each");
        return None;
    }
    if rule.order.is_some() && rule.newest.is_none() {
        let fix = "say with `newest` how many";
        problems.push(format!("{path}.order"), "an order of which nothing is taken", fix);
        return None;
    }
    if let Some(newest) = rule.newest {
        if newest == 0 {
            problems.push(
                format!("{path}.newest"),
                "keeps nothing",
                "keep at least one, or drop the rule",
            );
            return None;
        }
        let newest = usize::try_from(newest).unwrap_or(usize::MAX);
        return Some(KeepIf::Newest(newest, rule.order.unwrap_or_default()));
    }
    for (key, text, make) in spans {
        if let Some(text) = text {
            return problems.read(format!("{path}.{key}"), text, A_SPAN).map(make);
        }
    }
    Some(KeepIf::Always)
}

fn read_expire(index: usize, rule: &ExpireRule, problems: &mut Problems) -> Option<Expire> {
    let path = format!("expire[{index}]");
    let lists = [&rule.repositories, &rule.except_repositories, &rule.tags, &rule.except_tags];
    let selection = read_selection(&path, lists, rule.untagged, problems);
    let timed = rule.older_than.is_some() || rule.idle.is_some();
    if timed == rule.unless_kept {
        problems.push(
            &path,
            if timed { "both a time and `unless_kept`" } else { "no time" },
            "write `older_than` or `idle`; or only `unless_kept = true` to delete all that no rule keeps",
        );
    }
    let mut span = |key: &str, text: &Option<String>| match text {
        Some(text) => problems.read(format!("{path}.{key}"), text, A_SPAN).map(Some),
        None => Some(None),
    };
    let (older_than, idle) = (span("older_than", &rule.older_than), span("idle", &rule.idle));
    Some(Expire {
        name: rule.name.clone(),
        selection: selection?,
        older_than: older_than?,
        idle: idle?,
    })
}

fn read_selection(
    path: &str,
    lists: [&Vec<String>; 4],
    untagged: bool,
    problems: &mut Problems,
) -> Option<Selection> {
    let [repositories, except_repositories, tags, except_tags] = lists;
    let path_of = |key: &str| format!("{path}.{key}");
    let repositories = read_all(&path_of("repositories"), repositories, A_REPOSITORY, problems);
    let except_repositories =
        read_all(&path_of("except_repositories"), except_repositories, A_REPOSITORY, problems);
    let tags = read_all(&path_of("tags"), tags, A_PATTERN, problems);
    let except_tags = read_all(&path_of("except_tags"), except_tags, A_PATTERN, problems);
    if lists[2].is_empty() && !untagged {
        let fix = "write `tags`, with `*` for all tags, or `untagged = true`";
        problems.push(path, "a rule about nothing", fix);
    }
    if lists[2].is_empty() && !lists[3].is_empty() {
        let fix = "write `tags` that they are taken from";
        problems.push(format!("{path}.except_tags"), "exceptions from nothing", fix);
    }
    Some(Selection {
        repositories: repositories?,
        except_repositories: except_repositories?,
        tags: tags?,
        except_tags: except_tags?,
        untagged,
    })
}

/// All of them are read, so that all problems are told.
fn read_all<T: FromStr>(
    path: &str,
    texts: &[String],
    fix: &str,
    problems: &mut Problems,
) -> Option<Vec<T>> {
    if texts.len() > MAX_PATTERNS {
        problems.push(path, format!("{} patterns", texts.len()), "write at most 100");
        return None;
    }
    let all = texts.iter().enumerate();
    let all: Vec<Option<T>> =
        all.map(|(index, text)| problems.read(format!("{path}[{index}]"), text, fix)).collect();
    all.into_iter().collect()
}
