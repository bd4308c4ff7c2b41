//! What an image is, as text.

use serde_json::Value;

use super::{image_name, listed, short, time};
use crate::table::{Column, aligned, bytes, cell, listed as table};

/// Fields of their own lines; what is not there is left out.
const FIELDS: &[Column] = &[
    ("image", image_name),
    ("digest", |image| cell(&image["digest"])),
    ("of index", |image| cell(&image["index"])),
    ("kind", kind),
    ("media type", |image| cell(&image["media_type"])),
    ("artifact type", |image| cell(&image["artifact_type"])),
    ("platform", |image| cell(&image["platform"])),
    ("created", |image| cell(&image["created"])),
    ("author", |image| cell(&image["author"])),
    ("size", size),
    ("subject", |image| cell(&image["subject"])),
    ("tags", tags),
];

const CONFIG: &[Column] = &[
    ("user", |config| cell(&config["user"])),
    ("entrypoint", |config| words(&config["entrypoint"])),
    ("command", |config| words(&config["command"])),
    ("directory", |config| cell(&config["working_directory"])),
    ("ports", |config| cell(&config["exposed_ports"])),
    ("volumes", |config| cell(&config["volumes"])),
    ("stop signal", |config| cell(&config["stop_signal"])),
    ("health check", |config| health_check(&config["health_check"])),
    ("shell", |config| words(&config["shell"])),
    ("on build", |config| cell(&config["on_build"])),
];

const CHILDREN: &[Column] = &[
    ("PLATFORM", |child| cell(&child["label"])),
    ("DIGEST", |child| cell(&child["digest"])),
    ("SIZE", |child| bytes(&child["content_size"])),
    ("LAYERS", |child| cell(&child["layers"])),
    ("CREATED", |child| time(&child["created"])),
];

const REFERRERS: &[Column] = &[
    ("COUNT", |referrer| cell(&referrer["count"])),
    ("WHAT", |referrer| cell(&referrer["description"])),
    ("ARTIFACT TYPE", |referrer| cell(&referrer["artifact_type"])),
];

const ATTACHED: &[Column] = &[
    ("WHAT", |tag| cell(&tag["description"])),
    ("TAG", |tag| cell(&tag["tag"])),
    ("DIGEST", |tag| short(&tag["digest"])),
];

pub(super) fn text(image: &Value) -> String {
    let mut text = fields(image, FIELDS);
    for problem in listed(image, "problems") {
        text.extend(["problem: ", &cell(problem), "\n"]);
    }
    text += &configuration("configuration", "", &image["config"]);
    text += &section("annotations", &pairs(&image["annotations"]));
    text += &section("children", &table(&children(image), CHILDREN));
    let alike = ", alike in all images";
    text += &configuration("configuration, alike in all images", alike, &image["in_common"]);
    text += &section("referrers", &table(listed(image, "referrers"), REFERRERS));
    text + &section("attached by tags", &table(listed(image, "attached"), ATTACHED))
}

fn configuration(title: &str, of: &str, config: &Value) -> String {
    if config.is_null() {
        return String::new();
    }
    let environment = listed(config, "environment").iter().map(|v| format!("{}\n", cell(v)));
    section(title, &fields(config, CONFIG))
        + &section(&format!("environment{of}"), &environment.collect::<String>())
        + &section(&format!("labels{of}"), &pairs(&config["labels"]))
}

/// One line a field that there is.
fn fields(item: &Value, fields: &[Column]) -> String {
    let rows = fields.iter().map(|(name, cell)| vec![(*name).to_owned(), cell(item)]);
    aligned(&rows.filter(|row| row[1] != "-").collect::<Vec<_>>())
}

/// Indented lines under a title; nothing if there are none.
pub(super) fn section(title: &str, lines: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let indented: String = lines.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("\n{title}:\n{indented}")
}

fn pairs(map: &Value) -> String {
    let Some(map) = map.as_object() else { return String::new() };
    let rows = map.iter().map(|(name, value)| vec![cell(&name.as_str().into()), cell(value)]);
    aligned(&rows.collect::<Vec<_>>())
}

fn kind(image: &Value) -> String {
    match &image["description"] {
        Value::Null => cell(&image["kind"]),
        description => format!("{}: {}", cell(&image["kind"]), cell(description)),
    }
}

fn size(image: &Value) -> String {
    let size = bytes(&image["content_size"]);
    match (image["kind"].as_str(), listed(image, "layers").len()) {
        (Some("index"), _) => format!("{size} in {} children", listed(image, "children").len()),
        (Some("image"), layers) => format!("{size} in {layers} layers"),
        (_, blobs) => format!("{size} in {blobs} blobs"),
    }
}

fn tags(image: &Value) -> String {
    let more = if image["more_tags"] == true { ", ..." } else { "" };
    cell(&image["tags"]) + more
}

/// The children, attestations with the platform of what they attest.
fn children(image: &Value) -> Vec<Value> {
    let children = listed(image, "children");
    let platform = |digest: &Value| {
        let attested = children.iter().find(|child| child["digest"] == *digest);
        attested.map(|child| &child["platform"]).filter(|platform| !platform.is_null())
    };
    let labelled = |child: &Value| {
        let label = match &child["attests"] {
            Value::Null => cell(&child["platform"]),
            attests => match platform(attests) {
                Some(platform) => format!("attestation of {}", cell(platform)),
                None => format!("attestation of {}", short(attests)),
            },
        };
        let mut child = child.clone();
        child["label"] = label.into();
        child
    };
    children.iter().map(labelled).collect()
}

/// A command as it would be typed: words with anything but plain characters in them are quoted.
pub(super) fn words(words: &Value) -> String {
    let Some(words) = words.as_array() else { return cell(words) };
    let word = |word: &Value| {
        let text = cell(word);
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
        if word.as_str() == Some(text.as_str()) && text.chars().all(plain) {
            text
        } else {
            cell(&Value::String(word.to_string()))
        }
    };
    let words: Vec<String> = words.iter().map(word).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

fn health_check(check: &Value) -> String {
    match &check["Test"] {
        Value::Null => cell(check),
        test => words(test),
    }
}
