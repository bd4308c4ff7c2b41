//! The settings in environment variables: `PLURA_` and the key, `__` for each dot.

use std::ffi::{OsStr, OsString};

use super::file::key_like;
use super::keys::{self, Key};
use super::origin::{Origin, Problem};
use super::resolve::{Entry, Given};
use crate::suggest;

const PREFIX: &str = "PLURA_";

/// What the variables set, and every variable of ours that sets nothing.
///
/// `reserved` are the variables that stand for flags of the command line rather than for settings.
pub(super) fn entries(
    variables: &[(OsString, OsString)],
    reserved: &[String],
) -> (Vec<Entry>, Vec<Problem>) {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in variables.iter().filter_map(|(name, value)| Some((ours(name)?, value))) {
        if reserved.iter().any(|flag| flag == name) || is_service_link(name, value) {
            continue;
        }
        match entry(name, value, reserved) {
            Ok(entry) => entries.push(entry),
            Err(message) => {
                let origin = Origin::Environment(name.to_owned());
                problems.push(Problem { origin, message });
            }
        }
    }
    (entries, problems)
}

fn ours(name: &OsStr) -> Option<&str> {
    name.to_str().filter(|name| name.starts_with(PREFIX))
}

fn entry(name: &str, value: &OsStr, reserved: &[String]) -> Result<Entry, String> {
    let key = find(name).ok_or_else(|| unknown(name, reserved))?;
    let text = value.to_str().ok_or("the value is not UTF-8 text")?;
    let origin = Origin::Environment(name.to_owned());
    Ok(Entry { key, given: Given::Text(text.to_owned()), origin })
}

fn find(name: &str) -> Option<&'static Key> {
    keys::all().find(|key| key.environment() == name)
}

fn unknown(name: &str, reserved: &[String]) -> String {
    let path = name.trim_start_matches(PREFIX).replace("__", ".").to_lowercase();
    let key = key_like(&path).and_then(keys::find).map(Key::environment);
    // Flags have no sections: a name that has one was meant for a key.
    let flags = reserved.iter().map(String::as_str).filter(|_| !path.contains('.'));
    let suggestion = key.or_else(|| suggest::closest(name, flags).map(str::to_owned));
    let ending = suggestion.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    format!("unknown key `{path}`{ending}")
}

/// Whether a container engine set the variable to point at a service whose name starts with
/// `plura`. Kubernetes does so for every service of the namespace, so a service called `plura`
/// would otherwise keep its own pods from starting.
fn is_service_link(name: &str, value: &OsStr) -> bool {
    if name.contains("__") {
        return false;
    }
    // `PLURA_PORT=5000` is somebody's guess at a setting; a link is a whole address.
    let address = value.to_str().is_some_and(|value| value.contains("://"));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && address)
        || is_port_link(name)
}

/// Whether the name is like `PLURA_PORT_5000_TCP_ADDR`.
fn is_port_link(name: &str) -> bool {
    let Some((_, rest)) = name.split_once("_PORT_") else { return false };
    let mut words = rest.split('_');
    let number = words.next().is_some_and(|word| word.parse::<u16>().is_ok());
    number && words.next().is_some_and(|word| ["TCP", "UDP", "SCTP"].contains(&word))
}
