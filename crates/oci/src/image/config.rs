use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

use super::{
    Platform,
    json::{self, Few},
};

/// What an image's configuration says (image-spec, "Image Configuration"; Docker's is the same and more).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageConfig {
    /// When it was built, as written.
    pub created: Option<String>,
    /// Who built it.
    pub author: Option<String>,
    /// What it runs on.
    pub platform: Platform,
    /// How it is run.
    pub run: RunConfig,
    /// The layers, uncompressed, lowest first, as written.
    pub diff_ids: Vec<String>,
    /// How each layer came to be, lowest first.
    pub history: Vec<HistoryEntry>,
    /// Members that are none of these, as far as they are small.
    pub other: Map<String, Value>,
    /// What could not be read, and is left out.
    pub problems: Vec<String>,
}

/// How an image is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunConfig {
    /// As which user.
    pub user: String,
    /// What is run; `None` where it is not said.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, or what is run.
    pub command: Option<Vec<String>>,
    /// `NAME=value`
    pub environment: Vec<String>,
    /// Where it is run.
    pub working_directory: String,
    /// `8080/tcp`
    pub exposed_ports: Vec<String>,
    /// Paths that are not part of the container.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What it is stopped with.
    pub stop_signal: String,
    /// How its health is checked, as written.
    pub health_check: Option<Value>,
    /// What runs commands that are one text.
    pub shell: Vec<String>,
    /// What is done by a build from this image.
    pub on_build: Vec<String>,
    /// Members that are none of these, as far as they are small.
    pub other: Map<String, Value>,
}

/// How a layer came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When, as written.
    pub created: Option<String>,
    /// By which command.
    pub created_by: Option<String>,
    /// By whom.
    pub author: Option<String>,
    /// What they said about it.
    pub comment: Option<String>,
    /// Whether it made no layer, but changed the configuration only.
    pub empty_layer: bool,
}

/// Why bytes are no image configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseConfigError {
    /// More than is read.
    #[error("the image's configuration has more than {} MiB", ImageConfig::LARGEST >> 20)]
    TooLarge,
    /// Not a JSON object.
    #[error("the image's configuration is no JSON object: line {line}, column {column}")]
    Malformed {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
}

/// What unknown members may have together, as text.
const OTHER_BYTES: usize = 64 << 10;

impl ImageConfig {
    /// The largest that is read, in bytes; real ones have a few kilobytes.
    pub const LARGEST: usize = 4 << 20;

    /// Reads a configuration. Names of members are taken in any capitals, and the last of several
    /// counts, since the programs that run images read them so.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseConfigError> {
        if bytes.len() > Self::LARGEST {
            return Err(ParseConfigError::TooLarge);
        }
        let mut reader = Reader { config: Self::default(), other_bytes: OTHER_BYTES };
        let read = json::members(bytes, |key, value| reader.member(key, value));
        read.map_err(|error| ParseConfigError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
        Ok(reader.config)
    }
}

struct Reader {
    config: ImageConfig,
    /// What is left for unknown members.
    other_bytes: usize,
}

impl Reader {
    fn member(&mut self, key: &str, value: &RawValue) -> bool {
        let name = key.to_ascii_lowercase();
        if self.config.platform.read(&name, value) {
            return true;
        }
        match name.as_str() {
            "created" => self.config.created = self.text("created", value),
            "author" => self.config.author = self.text("author", value),
            "config" => self.run(value),
            "rootfs" => self.rootfs(value),
            "history" => self.history(value),
            _ => {
                if let Some(other) = self.other(key, value) {
                    self.config.other.insert(key.to_owned(), other);
                }
                return false;
            }
        }
        true
    }

    fn run(&mut self, raw: &RawValue) {
        if raw.get() == "null" {
            return;
        }
        self.config.run = RunConfig::default();
        let read = json::members(raw.get().as_bytes(), |key, value| self.run_member(key, value));
        if read.is_err() {
            self.problem("`config` is no object");
        }
    }

    fn run_member(&mut self, key: &str, value: &RawValue) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "user" => self.config.run.user = self.text("User", value).unwrap_or_default(),
            "entrypoint" => self.config.run.entrypoint = self.words("Entrypoint", value),
            "cmd" => self.config.run.command = self.words("Cmd", value),
            "env" => self.config.run.environment = self.few("Env", json::texts(value)),
            "workingdir" => {
                let directory = self.text("WorkingDir", value);
                self.config.run.working_directory = directory.unwrap_or_default();
            }
            "exposedports" => {
                self.config.run.exposed_ports = self.few("ExposedPorts", json::keys(value));
            }
            "volumes" => self.config.run.volumes = self.few("Volumes", json::keys(value)),
            "labels" => self.config.run.labels = self.few("Labels", json::map_of_texts(value)),
            "stopsignal" => {
                self.config.run.stop_signal = self.text("StopSignal", value).unwrap_or_default();
            }
            "healthcheck" => {
                let check = self.other("Healthcheck", value);
                self.config.run.health_check = check.filter(|check| !check.is_null());
            }
            "shell" => self.config.run.shell = self.words("Shell", value).unwrap_or_default(),
            "onbuild" => self.config.run.on_build = self.few("OnBuild", json::texts(value)),
            _ => {
                if let Some(other) = self.other(key, value) {
                    self.config.run.other.insert(key.to_owned(), other);
                }
                return false;
            }
        }
        true
    }

    fn rootfs(&mut self, raw: &RawValue) {
        let mut found = None;
        let read = json::members(raw.get().as_bytes(), |key, value| {
            let wanted = key.eq_ignore_ascii_case("diff_ids");
            found = if wanted { Some(json::texts(value)) } else { found.take() };
            wanted
        });
        if read.is_err() && raw.get() != "null" {
            self.problem("`rootfs` is no object");
        }
        if let Some(found) = found {
            self.config.diff_ids = self.few("diff_ids", found);
        }
    }

    fn history(&mut self, raw: &RawValue) {
        let entries: Vec<Box<RawValue>> = self.few("history", json::list(raw));
        // What is no object stands for an entry all the same: layers are counted by them.
        self.config.history = entries.iter().map(|entry| HistoryEntry::of(entry)).collect();
    }

    fn text(&mut self, name: &str, value: &RawValue) -> Option<String> {
        if value.get() == "null" {
            return None;
        }
        let text = json::text(value);
        if text.is_none() {
            self.problem(&format!("`{name}` is no text"));
        }
        text.filter(|text| !text.is_empty())
    }

    /// A command: a list, or one text, as old writers have it.
    fn words(&mut self, name: &str, value: &RawValue) -> Option<Vec<String>> {
        if value.get() == "null" {
            return None;
        }
        match json::text(value) {
            Some(text) => Some(vec![text]),
            None => Some(self.few(name, json::texts(value))),
        }
    }

    fn few<T: Default>(&mut self, name: &str, read: Option<Few<T>>) -> T {
        match read {
            Some(Few { entries, whole: true }) => entries,
            Some(Few { entries, .. }) => {
                let most = json::MOST;
                self.problem(&format!(
                    "`{name}` has more than {most} entries, or some of the wrong type"
                ));
                entries
            }
            None => {
                self.problem(&format!("`{name}` is of the wrong type"));
                T::default()
            }
        }
    }

    /// A member that means nothing to plura, if there is room for it.
    fn other(&mut self, key: &str, value: &RawValue) -> Option<Value> {
        let room = self.other_bytes.checked_sub(key.len());
        let Some(kept) = room.and_then(|room| json::small(value, room)) else {
            let shown: String = key.chars().take(40).collect();
            self.problem(&format!("`{shown}` is too large or too deep to be shown"));
            return None;
        };
        self.other_bytes -= key.len() + value.get().len();
        Some(kept)
    }

    fn problem(&mut self, problem: &str) {
        const MOST: usize = 32;
        let problems = &mut self.config.problems;
        if problems.len() < MOST && !problems.iter().any(|known| known == problem) {
            problems.push(problem.to_owned());
        }
    }
}

impl HistoryEntry {
    fn of(raw: &RawValue) -> Self {
        let mut entry = Self::default();
        let _ = json::members(raw.get().as_bytes(), |key, value| {
            let text = |value| json::text(value).filter(|text| !text.is_empty());
            match key.to_ascii_lowercase().as_str() {
                "created" => entry.created = text(value),
                "created_by" => entry.created_by = text(value),
                "author" => entry.author = text(value),
                "comment" => entry.comment = text(value),
                "empty_layer" => entry.empty_layer = value.get() == "true",
                _ => return false,
            }
            true
        });
        entry
    }
}

impl RunConfig {
    /// What two ways to run an image have in common: each field that is the same in both, and each label
    /// and variable.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Self {
        fn same<T: Clone + Default + PartialEq>(one: &T, two: &T) -> T {
            if one == two { one.clone() } else { T::default() }
        }
        let labels =
            self.labels.iter().filter(|(key, value)| other.labels.get(*key) == Some(value));
        let variables = self.environment.iter().filter(|v| other.environment.contains(v));
        Self {
            user: same(&self.user, &other.user),
            entrypoint: same(&self.entrypoint, &other.entrypoint),
            command: same(&self.command, &other.command),
            environment: variables.cloned().collect(),
            working_directory: same(&self.working_directory, &other.working_directory),
            exposed_ports: same(&self.exposed_ports, &other.exposed_ports),
            volumes: same(&self.volumes, &other.volumes),
            labels: labels.map(|(key, value)| (key.clone(), value.clone())).collect(),
            stop_signal: same(&self.stop_signal, &other.stop_signal),
            health_check: same(&self.health_check, &other.health_check),
            shell: same(&self.shell, &other.shell),
            on_build: same(&self.on_build, &other.on_build),
            other: Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> ImageConfig {
        ImageConfig::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_configuration_is_seen_whole() {
        let config = parse(&json!({
            "created": "2026-01-02T03:04:05Z", "author": "alice", "os": "linux",
            "architecture": "arm64", "variant": "v8", "docker_version": "28",
            "config": {
                "User": "1000:1000", "Entrypoint": ["/tini"], "Cmd": ["serve", "-v"],
                "Env": ["PATH=/bin"], "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}},
                "Volumes": {"/data": {}}, "Labels": {"a": "b"}, "StopSignal": "SIGQUIT",
                "Healthcheck": {"Test": ["CMD", "true"]}, "Shell": ["/bin/sh", "-c"],
                "OnBuild": ["RUN x"], "Hostname": "h",
            },
            "rootfs": {"type": "layers", "diff_ids": ["sha256:0"]},
            "history": [
                {"created_by": "COPY . /", "comment": "buildkit"},
                {"created_by": "ENV A=b", "empty_layer": true},
            ],
        }));
        assert_eq!(config.problems, [""; 0]);
        assert_eq!(config.platform.to_string(), "linux/arm64/v8");
        assert_eq!(config.run.entrypoint, Some(vec!["/tini".to_owned()]));
        assert_eq!(config.run.exposed_ports, ["80/tcp"]);
        assert_eq!(config.run.health_check, Some(json!({"Test": ["CMD", "true"]})));
        assert_eq!(config.run.other, *json!({"Hostname": "h"}).as_object().unwrap());
        assert_eq!(config.other, *json!({"docker_version": "28"}).as_object().unwrap());
        assert_eq!(config.diff_ids, ["sha256:0"]);
        let empty: Vec<_> = config.history.iter().map(|entry| entry.empty_layer).collect();
        assert_eq!(empty, [false, true]);
    }

    #[test]
    fn what_is_of_the_wrong_type_is_left_out_and_said_to_be() {
        let config = parse(&json!({
            "created": 7, "os": 7, "history": [7, {"created_by": 7}], "rootfs": [],
            "config": {"User": 0, "Env": "A=b", "Labels": {"a": 1, "b": "c"}, "Cmd": "serve",
                "Entrypoint": null, "ExposedPorts": null},
        }));
        assert_eq!(config.run.labels, BTreeMap::from([("b".to_owned(), "c".to_owned())]));
        assert_eq!(config.run.command, Some(vec!["serve".to_owned()]));
        assert_eq!(config.history, vec![HistoryEntry::default(); 2]);
        let about: Vec<_> =
            config.problems.iter().map(|problem| problem.split('`').nth(1).unwrap()).collect();
        // serde_json's maps are in the order of their keys.
        assert_eq!(about, ["Env", "Labels", "User", "created", "rootfs"]);
        for nothing in [json!({}), json!({"config": null, "rootfs": null, "history": null})] {
            assert_eq!(parse(&nothing), ImageConfig::default());
        }
    }

    #[test]
    fn names_count_in_any_capitals_and_the_last_counts() {
        let text = br#"{"config":{"User":"a","user":"root"},"CONFIG":{"USER":"b"}}"#;
        assert_eq!(ImageConfig::parse(text).unwrap().run.user, "b");
    }

    #[test]
    fn what_is_no_configuration_says_where() {
        let where_ = |text: &str| ImageConfig::parse(text.as_bytes()).unwrap_err();
        assert_eq!(where_("{\n\"a\" 1}"), ParseConfigError::Malformed { line: 2, column: 5 });
        for text in ["", "[]", "7", "{} {}", "\u{1f}", "{\"a\":\"\u{1f}\"}x"] {
            assert!(matches!(where_(text), ParseConfigError::Malformed { .. }), "{text:?}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(ImageConfig::LARGEST));
        assert_eq!(where_(&long), ParseConfigError::TooLarge);
    }

    #[test]
    fn nothing_makes_the_view_larger_than_its_bounds() {
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        let config = ImageConfig::parse(deep.as_bytes()).unwrap();
        assert_eq!((config.other.len(), config.problems.len()), (0, 1));
        let many = format!(r#"{{"config":{{"Env":[{}""]}}}}"#, "\"\",".repeat(100_000));
        let config = ImageConfig::parse(many.as_bytes()).unwrap();
        assert_eq!((config.run.environment.len(), config.problems.len()), (json::MOST, 1));
        let large = json!({"x": "y".repeat(OTHER_BYTES), "z": 1});
        assert_eq!(parse(&large).other, *json!({"z": 1}).as_object().unwrap());
        // Such a number, and half a pair, other readers would refuse with all that is around it.
        let strange = ImageConfig::parse(br#"{"x":1e999999,"y":"\ud800"}"#).unwrap();
        assert_eq!(strange.other.len(), 0);
    }

    #[test]
    fn what_two_have_in_common_is_what_both_say() {
        let run = |env: &[&str], user: &str| {
            parse(
                &json!({"config": {"Env": env, "User": user, "Labels": {"a": "b", "user": user}}}),
            )
            .run
        };
        let common = run(&["A=1", "B=2"], "x").in_common(&run(&["B=2", "C=3"], "y"));
        assert_eq!(common.environment, ["B=2"]);
        assert_eq!(common.user, "");
        assert_eq!(common.labels, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    }
}
