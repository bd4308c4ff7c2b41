//! The configuration file of registry:2, and what of it plura can be told.
//!
//! Values of the file are repeated only where a setting of plura holds them, and no secret is one.

mod duration;
mod print;
mod storage;
mod translate;
mod without;

use serde_json::{Map, Value};

pub use self::print::{Note, Setting, Translation};

/// A configuration of registry:2, or of registry:3.
#[derive(Clone, Debug)]
pub struct Configuration(Value);

/// The file is no configuration of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// It cannot be read as YAML. The text says where, and repeats nothing of it.
    #[error("not valid YAML{}", location(*.line))]
    Yaml {
        /// The line, if it is known.
        line: Option<u64>,
    },
    /// It has no `version`, or is no map.
    #[error("no configuration of registry:2 or registry:3: it has no `version: 0.1`")]
    Version,
}

/// Where the images of registry:2 keep everything, if nothing else is said.
const ROOT_DIRECTORY: &str = "/var/lib/registry";

impl Configuration {
    /// Reads a configuration. Variables whose names begin with `REGISTRY_` replace what is in it, as they
    /// do for the registry.
    pub fn read(
        yaml: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigurationError> {
        let mut value = parse(yaml)?;
        if !value.get("version").is_some_and(|version| scalar(version).starts_with("0.")) {
            return Err(ConfigurationError::Version);
        }
        let mut variables: Vec<_> = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("REGISTRY_")?.to_owned(), value)))
            .collect();
        // `REGISTRY_AUTH` comes before `REGISTRY_AUTH_HTPASSWD_PATH`.
        variables.sort();
        for (name, text) in variables {
            let path: Vec<String> = name.split('_').map(str::to_lowercase).collect();
            overlay(&mut value, &path, parse(&text).unwrap_or(Value::String(text)));
        }
        for chosen in ["storage", "auth"] {
            if let Some(name) = value.get(chosen).and_then(Value::as_str).map(str::to_owned) {
                value[chosen] = Value::Object(Map::from_iter([(name, Value::Null)]));
            }
        }
        Ok(Self(value))
    }

    /// Where the registry keeps everything, if that is a directory.
    pub fn root_directory(&self) -> Option<String> {
        let storage = self.get("storage")?;
        let settings = storage.get("filesystem")?;
        let named = settings.get("rootdirectory").and_then(Value::as_str);
        Some(named.unwrap_or(ROOT_DIRECTORY).to_owned())
    }

    /// The bucket that the registry keeps everything in, and what its keys begin with.
    pub fn bucket(&self) -> Option<(String, String)> {
        let driver =
            ["s3", "s3aws"].iter().find_map(|name| self.get(&format!("storage.{name}")))?;
        let bucket = driver.get("bucket")?.as_str()?.to_owned();
        let root = driver.get("rootdirectory").and_then(Value::as_str).unwrap_or_default();
        Some((bucket, root.trim_matches('/').to_owned()))
    }

    /// The same for plura.
    pub fn translate(&self) -> Translation {
        translate::translate(self)
    }

    /// The value at a dotted path.
    fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |value, name| value.get(name))
    }

    fn text(&self, path: &str) -> Option<String> {
        self.get(path).filter(|value| !value.is_null()).map(scalar)
    }

    fn is(&self, path: &str) -> bool {
        self.get(path).is_some_and(is_true)
    }

    /// The dotted path of every value, in the order of the names.
    fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.0, "", &mut found);
        found
    }
}

fn parse(yaml: &str) -> Result<Value, ConfigurationError> {
    serde_saphyr::from_str(yaml).map_err(|error| ConfigurationError::Yaml {
        line: error.location().map(|location| location.line()),
    })
}

fn overlay(value: &mut Value, path: &[String], new: Value) {
    let Some((name, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    if let (Value::Array(items), Ok(index)) = (&mut *value, name.parse::<usize>()) {
        if let Some(item) = items.get_mut(index) {
            overlay(item, rest, new);
        }
        return;
    }
    // `REGISTRY_AUTH=htpasswd` chooses what `REGISTRY_AUTH_HTPASSWD_PATH` adds to.
    if let Some(chosen) = value.as_str().map(str::to_owned) {
        *value = Value::Object(Map::from_iter([(chosen, Value::Null)]));
    }
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(map) = value {
        overlay(map.entry(name).or_insert(Value::Null), rest, new);
    }
}

/// Maps are gone into; a list is one value, since what its items are called says nothing.
fn collect(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                // A header may be called anything.
                let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
                collect(value, &format!("{path}{dot}{name}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// A value that YAML may have taken for a number or a truth value.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

fn location(line: Option<u64>) -> String {
    line.map(|line| format!(", at line {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_replace_what_is_in_the_file() {
        let yaml = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /a\n";
        let environment = [
            ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/b"),
            ("REGISTRY_AUTH", "htpasswd"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("PATH", "/bin"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let read = Configuration::read(yaml, environment).unwrap();
        assert_eq!(read.root_directory().as_deref(), Some("/b"));
        assert_eq!(read.text("auth.htpasswd.path").as_deref(), Some("/auth"));
        assert!(read.is("storage.delete.enabled"));
    }

    #[test]
    fn what_is_no_configuration_is_refused_without_repeating_it() {
        let read = |yaml| Configuration::read(yaml, []).unwrap_err();
        assert_eq!(read("a: b"), ConfigurationError::Version);
        assert_eq!(read("hello"), ConfigurationError::Version);
        let broken = read("version: 0.1\nsecret: \"hunter2\n");
        assert!(matches!(broken, ConfigurationError::Yaml { .. }), "{broken:?}");
        assert!(!format!("{broken} {broken:?}").contains("hunter2"));
    }

    #[test]
    fn the_place_of_the_tree_is_known() {
        let read = |yaml| Configuration::read(yaml, []).unwrap();
        let plain = read("version: 0.1\nstorage: filesystem\n");
        assert_eq!(plain.root_directory().as_deref(), Some("/var/lib/registry"));
        let bucket =
            read("version: 0.1\nstorage:\n  s3: {bucket: b, rootdirectory: /some/where/}\n");
        assert_eq!(bucket.root_directory(), None);
        assert_eq!(bucket.bucket(), Some(("b".into(), "some/where".into())));
    }
}
