//! JSON from a server as text for people: columns, and single values.

use serde_json::Value;

/// A heading, and what is under it for each item.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

/// One line an item, in columns, under headings. Nothing at all if there are no items.
pub(crate) fn listed(items: &[Value], columns: &[Column]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|(_, cell)| cell(item)).collect());
    aligned(&std::iter::once(headings).chain(rows).collect::<Vec<_>>())
}

/// One line a field.
pub(crate) fn described(item: &Value, fields: &[Column]) -> String {
    let rows = fields.iter().map(|(name, cell)| vec![(*name).to_owned(), cell(item)]);
    aligned(&rows.collect::<Vec<_>>())
}

/// Each column as wide as its widest cell, two spaces between them, none at the end of a line.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// A value as a word or a few. What is not there is a dash.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(_) => printable(&value.to_string()),
    }
}

/// Text of others without what could move the cursor or change the colour of a terminal, or show it in
/// another order than it has.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if moves(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a terminal would do something else with a character than show it in its place: control
/// characters, and those that turn the direction of what follows (UAX #9).
pub(crate) fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number of bytes in the unit that leaves the fewest digits before the point.
pub(crate) fn bytes(value: &Value) -> String {
    let Some(bytes) = value.as_u64() else { return cell(value) };
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = units.into_iter().find(|(_, shift)| bytes >> shift > 0) else {
        return format!("{bytes}B");
    };
    // Tenths, rounded down: an account that is nearly full must not look as if it were full.
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

/// What a grant allows and where: `developer in apps on apps/web-*`.
pub(crate) fn grant(grant: &Value) -> String {
    let place = match &grant["project"] {
        Value::Null => " everywhere".to_owned(),
        project => format!(" in {}", cell(project)),
    };
    let repositories = match &grant["repositories"] {
        Value::Null => String::new(),
        repositories => format!(" on {}", cell(repositories)),
    };
    format!("{}{place}{repositories}", cell(&grant["role"]))
}

/// What all the grants of an item allow.
pub(crate) fn grants(item: &Value) -> String {
    let grants = item["grants"].as_array().map_or(&[][..], Vec::as_slice);
    match grants {
        [] => "-".to_owned(),
        grants => grants.iter().map(grant).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] =
        &[("NAME", |item| cell(&item["name"])), ("LAST USED", |item| cell(&item["used"]))];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let items = [json!({"name": "alice", "used": null}), json!({"name": "zoë", "used": "now"})];
        assert_snapshot!(listed(&items, COLUMNS), @r"
        NAME   LAST USED
        alice  -
        zoë    now
        ");
        assert_snapshot!(described(&items[0], COLUMNS), @r"
        NAME       alice
        LAST USED  -
        ");
        assert_eq!(listed(&[], COLUMNS), "");
    }

    #[test]
    fn a_server_cannot_write_on_the_terminal() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb\r\n\u{9b}")), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(cell(&json!("user\u{202e}toor\u{2069}")), "user\u{fffd}toor\u{fffd}");
    }

    #[test]
    fn sizes_are_short_and_rounded_down() {
        for (size, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0KiB"),
            (1_048_575, "1023.9KiB"),
            (5_368_709_120, "5.0GiB"),
            (u64::MAX, "16777215.9TiB"),
        ] {
            assert_eq!(bytes(&json!(size)), text);
        }
        assert_eq!(bytes(&Value::Null), "-");
    }

    #[test]
    fn a_grant_says_what_and_where() {
        for (given, text) in [
            (json!({"role": "reader", "project": null}), "reader everywhere"),
            (
                json!({"role": "developer", "project": "apps", "repositories": "apps/w*"}),
                "developer in apps on apps/w*",
            ),
        ] {
            assert_eq!(grant(&given), text);
        }
    }
}
