use std::{collections::BTreeSet, fmt::Write};

use serde::Serialize;

/// What plura can be told of a configuration.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Translation {
    /// Settings, in the order in which they are printed.
    pub settings: Vec<Setting>,
    /// What is no setting: keys without an equivalent, and what is to be done by hand.
    pub notes: Vec<Note>,
    /// Keys that were dealt with.
    #[serde(skip)]
    pub(super) done: BTreeSet<String>,
}

/// A setting of plura.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its whole name.
    pub key: &'static str,
    /// Its value.
    pub value: toml::Value,
    /// What it comes from, and what is to be done.
    pub comment: String,
}

/// What is to be said about a key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The key.
    pub key: String,
    /// What there is to say.
    pub text: String,
}

const HEAD: &str = "\
# Settings for plura, from the configuration of a registry:2. Secrets are not in here: put each into the
# file that a setting names, readable by plura alone.
";

const NOTES: &str = "
# What has no equivalent, needs none, or is done by hand:
";

impl Translation {
    /// A settings file.
    pub fn to_toml(&self) -> String {
        let mut text = HEAD.to_owned();
        let mut table = "";
        let mut settings: Vec<&Setting> = self.settings.iter().collect();
        settings.sort_by_key(|setting| setting.key.rsplit_once('.').map_or("", |(table, _)| table));
        for setting in settings {
            let (above, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
            if above != table {
                let _ = write!(text, "\n[{above}]\n");
                table = above;
            }
            let _ = writeln!(text, "{name} = {}  # {}", setting.value, setting.comment);
        }
        if !self.notes.is_empty() {
            text.push_str(NOTES);
        }
        for Note { key, text: said } in &self.notes {
            let _ = writeln!(text, "# {key}: {said}");
        }
        text
    }

    pub(super) fn set(
        &mut self,
        key: &'static str,
        value: impl Into<toml::Value>,
        from: &str,
        comment: &str,
    ) {
        self.done.insert(from.to_owned());
        let separator = if comment.is_empty() { "" } else { "; " };
        let comment = format!("{from}{separator}{comment}");
        self.settings.push(Setting { key, value: value.into(), comment });
    }

    pub(super) fn note(&mut self, key: &str, text: impl Into<String>) {
        self.done.insert(key.to_owned());
        self.notes.push(Note { key: key.to_owned(), text: text.into() });
    }
}
