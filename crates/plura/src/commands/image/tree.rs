//! What belongs to an image, as a tree.

use serde_json::Value;

use super::{image_name, listed, time};
use crate::table::{bytes, cell};

pub(super) fn text(tree: &Value) -> String {
    let root = &tree["root"];
    let mut text = format!("{}  {}\n", image_name(tree), line(root));
    draw(root, "", &mut text);
    text
}

fn draw(node: &Value, before: &str, text: &mut String) {
    let nodes = listed(node, "nodes");
    for (place, node) in nodes.iter().enumerate() {
        let last = place + 1 == nodes.len();
        let (branch, below) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
        text.extend([before, branch, &line(node), "\n"]);
        draw(node, &format!("{before}{below}"), text);
    }
}

/// What it is, its digest, size and time.
fn line(node: &Value) -> String {
    let mut parts = vec![name(node), cell(&node["digest"])];
    if node["present"] == false {
        parts.push("not in this repository".to_owned());
    }
    if node["kind"] != "index" && !node["content_size"].is_null() {
        parts.push(bytes(&node["content_size"]));
    }
    if !node["created"].is_null() {
        parts.push(time(&node["created"]));
    }
    parts.join("  ")
}

fn name(node: &Value) -> String {
    let what = [&node["description"], &node["artifact_type"], &node["kind"]];
    let what = what.into_iter().find(|value| !value.is_null()).map(cell);
    let platform = Some(&node["platform"]).filter(|platform| !platform.is_null()).map(cell);
    let artifact_type = Some(&node["artifact_type"])
        .filter(|_| !node["description"].is_null())
        .filter(|artifact_type| !artifact_type.is_null())
        .map(|artifact_type| format!("({})", cell(artifact_type)));
    let tag = Some(&node["tag"]).filter(|tag| !tag.is_null()).map(|tag| format!("[{}]", cell(tag)));
    let parts: Vec<String> = [platform, what, artifact_type, tag].into_iter().flatten().collect();
    if parts.is_empty() { cell(&node["relation"]) } else { parts.join(" ") }
}
