//! A configuration of an image, and the same bytes as an index: what is shown of them has bounds, is
//! what another JSON reader finds, and is no worse for being shown in an answer of JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_oci::image::{ImageChild, ImageConfig, ParseConfigError, Platform};
use serde_json::Value;

/// The most entries of a list, however many there are.
const MOST: usize = 4096;
/// No deeper than an answer may be with what is around it.
const DEEPEST: usize = 40;

fuzz_target!(|bytes: &[u8]| {
    for child in ImageChild::all_of(bytes) {
        assert!(child.annotations.len() <= MOST);
        child.platform.iter().for_each(platform);
    }
    let value = serde_json::from_slice::<Value>(bytes);
    match ImageConfig::parse(bytes) {
        Ok(config) => {
            understood(&config, bytes.len());
            // The other reader refuses more: what it takes says the same.
            if let Ok(value) = value {
                compare(&config, &value);
            }
        }
        Err(ParseConfigError::TooLarge) => assert!(bytes.len() > ImageConfig::LARGEST),
        Err(ParseConfigError::Malformed { .. }) => {
            assert!(!value.is_ok_and(|value| value.is_object()), "an object is a configuration");
        }
    }
});

fn understood(config: &ImageConfig, length: usize) {
    let run = &config.run;
    for list in
        [&run.environment, &run.exposed_ports, &run.volumes, &run.on_build, &config.diff_ids]
    {
        assert!(list.len() <= MOST);
    }
    assert!(run.labels.len() <= MOST && config.history.len() <= MOST);
    assert!(config.problems.len() <= 32);
    assert!(config.problems.iter().all(|problem| problem.len() < 300));
    platform(&config.platform);
    for other in [&config.other, &run.other].into_iter().flat_map(|other| other.values()) {
        assert!(depth(other) <= DEEPEST);
        let text = other.to_string();
        assert!(text.len() <= length * 16, "escapes are the only way to grow");
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
    assert_eq!(run.in_common(run).labels, run.labels);
}

/// What is printed of one is read again as the same, if it can be typed at all.
fn platform(platform: &Platform) {
    if let Ok(again) = platform.to_string().parse::<Platform>() {
        assert_eq!(again.to_string().parse(), Ok(again));
    }
    assert_eq!(platform.choose([Some(platform)]), Some(0));
}

fn compare(config: &ImageConfig, value: &Value) {
    let Some(object) = value.as_object() else { panic!("it was read as an object") };
    let spelt = |name: &str| {
        object.keys().filter(|key| key.to_ascii_lowercase() == name).count() == 1
            && object.contains_key(name)
    };
    for (name, read) in [("created", &config.created), ("author", &config.author)] {
        if spelt(name) {
            let text = object[name].as_str().filter(|text| !text.is_empty());
            assert_eq!(text, read.as_deref(), "{name}");
        }
    }
    if spelt("history") {
        let entries = object["history"].as_array().map_or(0, Vec::len);
        assert_eq!(config.history.len(), entries.min(MOST));
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
