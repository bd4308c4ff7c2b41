use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::Approval,
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed};

/// Enough people approved this digest for this channel. Where several roles must approve, each is a
/// gate of its own, in a set of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ApprovalsGate)]
pub struct ApprovalsDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// How many different people it takes; 1, if nothing is said.
    pub required: Option<u32>,
    /// Roles of which they need one; any, if none is named.
    pub roles: Vec<String>,
    /// Whether who pushed the image may be one of them.
    pub author: AuthorApproval,
    /// For how long an approval counts.
    pub max_age: Option<String>,
}

/// Whether who pushed an image may approve it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorApproval {
    /// They may not.
    #[default]
    Never,
    /// As one of several, never alone.
    WithOthers,
}

#[derive(Debug)]
struct ApprovalsGate {
    required: usize,
    roles: Vec<String>,
    author: AuthorApproval,
    max_age: Option<TimeSpan>,
}

impl GateDocument for ApprovalsDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        const MOST: u32 = 100;
        let required = self.required.unwrap_or(1);
        if required == 0 || required > MOST {
            let fix = format!("expected 1 to {MOST}; leave the gate out where nobody has to");
            place.at("required").problem(format!("{required} people"), fix);
        }
        let max_age = place.span("max_age", self.max_age.as_ref());
        let required = usize::try_from(required).unwrap_or(usize::MAX);
        let (roles, author) = (self.roles.clone(), self.author);
        Some(Box::new(ApprovalsGate { required, roles, author, max_age }))
    }
}

impl Gate for ApprovalsGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = self.required();
        let Some(channel) = case.channel else {
            let fix = "ask about a channel";
            return vec![Judgement::deny("approvals are for channels", required, fix)];
        };
        let counted = self.counted(case);
        let author = case.facts.author.as_deref();
        // Never the author alone, however few it takes.
        let others = counted.keys().any(|by| Some(*by) != author);
        let observed = match counted.len() {
            0 => format!("nobody approved it for {channel}"),
            _ => format!("approved by {}", listed(counted.keys().copied())),
        };
        if counted.len() < self.required || !others {
            let fix = format!("have it approved for {channel} by somebody else who may");
            return vec![Judgement::wait(observed, required, fix)];
        }
        // As soon as so many have ended that the rest is too few.
        let mut ends: Vec<Option<Timestamp>> = counted.into_values().collect();
        ends.sort_by_key(|end| std::cmp::Reverse(end.unwrap_or(Timestamp::MAX)));
        let until = ends.get(self.required - 1).copied().flatten();
        vec![Judgement::allow(observed, required).until(until)]
    }

    fn is_about_moves(&self) -> bool {
        true
    }
}

impl ApprovalsGate {
    fn required(&self) -> String {
        let people = match self.required {
            1 => "1 person".to_owned(),
            count => format!("{count} people"),
        };
        let roles = match self.roles.as_slice() {
            [] => String::new(),
            roles => format!(" with the role {}", roles.join(" or ")),
        };
        let author = match self.author {
            AuthorApproval::Never => "not who pushed it",
            AuthorApproval::WithOthers => "not only who pushed it",
        };
        format!("approved by {people}{roles}, {author}")
    }

    /// Who approved, and until when that counts; of several approvals of one person, the one that
    /// counts longest.
    fn counted<'a>(&self, case: &Case<'a>) -> BTreeMap<&'a str, Option<Timestamp>> {
        let mut counted: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
        for approval in case.facts.approvals.iter().filter(|one| self.counts(one, case)) {
            let end = self.end(approval);
            let longest = counted.entry(&approval.by).or_insert(end);
            if longest.unwrap_or(Timestamp::MAX) < end.unwrap_or(Timestamp::MAX) {
                *longest = end;
            }
        }
        counted
    }

    fn counts(&self, approval: &Approval, case: &Case<'_>) -> bool {
        let role = self.roles.is_empty() || self.roles.iter().any(|r| approval.roles.contains(r));
        let author = case.facts.author.as_ref() == Some(&approval.by);
        let other = !author || self.author == AuthorApproval::WithOthers;
        let here = Some(&approval.channel) == case.channel && approval.at <= case.now;
        let lasts = self.end(approval).is_none_or(|end| end > case.now);
        role && other && here && lasts
    }

    fn end(&self, approval: &Approval) -> Option<Timestamp> {
        let aged = self.max_age.map(|span| span.after(approval.at));
        aged.into_iter().chain(approval.expires).min()
    }
}
