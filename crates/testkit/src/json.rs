//! Comparing JSON so that a failure shows the differing places, not two walls of text.

use serde_json::Value;

/// Panics with every differing path unless the two are equal.
#[track_caller]
pub fn assert_json(actual: &Value, expected: &Value) {
    check(actual, expected, Extra::Differs);
}

/// Panics unless `actual` has everything `expected` has; object members beyond that are ignored,
/// arrays must have the same length.
#[track_caller]
pub fn assert_json_contains(actual: &Value, expected: &Value) {
    check(actual, expected, Extra::Ignored);
}

/// What members that nobody expected mean.
#[derive(Clone, Copy)]
enum Extra {
    Differs,
    Ignored,
}

#[track_caller]
fn check(actual: &Value, expected: &Value, extra: Extra) {
    let mut differences = Vec::new();
    compare("$", Some(actual), Some(expected), extra, &mut differences);
    assert!(differences.is_empty(), "\n{}\nin {actual:#}", differences.join("\n"));
}

fn compare(
    path: &str,
    actual: Option<&Value>,
    expected: Option<&Value>,
    extra: Extra,
    differences: &mut Vec<String>,
) {
    match (actual, expected) {
        (Some(Value::Object(actual)), Some(Value::Object(expected))) => {
            for (key, value) in expected {
                compare(&format!("{path}.{key}"), actual.get(key), Some(value), extra, differences);
            }
            let unexpected = actual.iter().filter(|(key, _)| !expected.contains_key(*key));
            for (key, value) in unexpected.filter(|_| matches!(extra, Extra::Differs)) {
                compare(&format!("{path}.{key}"), Some(value), None, extra, differences);
            }
        }
        (Some(Value::Array(actual)), Some(Value::Array(expected))) => {
            for place in 0..actual.len().max(expected.len()) {
                let path = format!("{path}[{place}]");
                compare(&path, actual.get(place), expected.get(place), extra, differences);
            }
        }
        (actual, expected) if actual == expected => {}
        (actual, expected) => {
            let show = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
            differences.push(format!("{path}: expected {}, got {}", show(expected), show(actual)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(actual: &Value, expected: &Value, extra: Extra) -> Vec<String> {
        let mut found = Vec::new();
        compare("$", Some(actual), Some(expected), extra, &mut found);
        found
    }

    #[test]
    fn every_difference_is_named_by_its_path() {
        let (actual, expected) = (json!({"a": [1, 2], "c": 1}), json!({"a": [1, 3], "b": 1}));
        assert_eq!(
            differences(&actual, &expected, Extra::Differs),
            [
                "$.a[1]: expected 3, got 2",
                "$.b: expected 1, got nothing",
                "$.c: expected nothing, got 1"
            ]
        );
        assert_eq!(differences(&actual, &expected, Extra::Ignored).len(), 2);
    }
}
