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
    ("PLATFORM", platform),
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
        text.push_str(&format!("problem: {}\n", cell(problem)));
    }
    text += &configuration("configuration", &image["config"]);
    text += &section("annotations", &pairs(&image["annotations"]));
    text += &section("children", &table(listed(image, "children"), CHILDREN));
    text += &configuration("alike in all images", &image["in_common"]);
    text += &section("referrers", &table(listed(image, "referrers"), REFERRERS));
    text + &section("attached by tags", &table(listed(image, "attached"), ATTACHED))
}

fn configuration(title: &str, config: &Value) -> String {
    if config.is_null() {
        return String::new();
    }
    let environment = listed(config, "environment").iter().map(|v| format!("{}\n", cell(v)));
    section(title, &fields(config, CONFIG))
        + &section("environment", &environment.collect::<String>())
        + &section("labels", &pairs(&config["labels"]))
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
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
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

fn platform(child: &Value) -> String {
    match &child["attests"] {
        Value::Null => cell(&child["platform"]),
        attests => format!("attestation of {}", short(attests)),
    }
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
