//! As much of JSON Schema, draft 4, as the schemas here use. A keyword that is not known is an error,
//! so that nothing is left out silently.

use regex::Regex;
use serde_json::{Map, Value};

/// What is wrong with `value`, one line for each place.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut validator = Validator { root: schema, found: Vec::new() };
    validator.check(schema, value, "$");
    validator.found
}

struct Validator<'a> {
    root: &'a Value,
    found: Vec<String>,
}

impl<'a> Validator<'a> {
    fn check(&mut self, schema: &'a Value, value: &Value, place: &str) {
        let Some(schema) = schema.as_object() else {
            return self.expect(schema.as_bool() != Some(false), place, "not allowed");
        };
        for (keyword, expected) in schema {
            self.keyword(schema, keyword, expected, value, place);
        }
    }

    fn keyword(
        &mut self,
        schema: &'a Map<String, Value>,
        keyword: &str,
        expected: &'a Value,
        value: &Value,
        place: &str,
    ) {
        let text = value.as_str();
        match keyword {
            "$ref" => {
                let path = expected.as_str().and_then(|path| path.strip_prefix('#'));
                let target = path.and_then(|path| self.root.pointer(path)).expect("a reference");
                self.check(target, value, place);
            }
            "type" => self.expect(has_type(value, expected), place, "of another type"),
            "enum" => {
                let known = expected.as_array().expect("a list").contains(value);
                self.expect(known, place, "none of the known values");
            }
            "minimum" => {
                let low = value.as_f64().is_some_and(|n| Some(n) < expected.as_f64());
                self.expect(!low, place, "too small");
            }
            "maximum" => {
                let high = value.as_f64().is_some_and(|n| Some(n) > expected.as_f64());
                self.expect(!high, place, "too large");
            }
            "minItems" => {
                let few = value.as_array().is_some_and(|a| (a.len() as u64) < number(expected));
                self.expect(!few, place, "with too few items");
            }
            "uniqueItems" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let unique = items.iter().enumerate().all(|(i, item)| !items[..i].contains(item));
                self.expect(unique, place, "with an item twice");
            }
            "pattern" => {
                let pattern = Regex::new(word(expected)).expect("a pattern");
                self.expect(text.is_none_or(|t| pattern.is_match(t)), place, "not of the pattern");
            }
            "format" => {
                let valid = text.is_none_or(|text| has_format(text, word(expected)));
                self.expect(valid, place, "not of the format");
            }
            "required" => {
                for name in expected.as_array().expect("a list") {
                    let missing = value.as_object().is_some_and(|o| !o.contains_key(word(name)));
                    self.expect(!missing, place, &format!("without {name}"));
                }
            }
            "properties" | "additionalProperties" => self.properties(schema, keyword, value, place),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(expected, item, &format!("{place}[{index}]"));
                }
            }
            "anyOf" => {
                let any = self.count(expected, value) > 0;
                self.expect(any, place, "none of the alternatives");
            }
            "oneOf" => {
                let one = self.count(expected, value) == 1;
                self.expect(one, place, "not one of the alternatives");
            }
            "description" | "title" | "default" | "$schema" | "id" | "definitions" => {}
            other => panic!("the keyword {other} is not supported"),
        }
    }

    fn properties(
        &mut self,
        schema: &'a Map<String, Value>,
        keyword: &str,
        value: &Value,
        place: &str,
    ) {
        let named = schema.get("properties").and_then(Value::as_object);
        for (name, member) in value.as_object().into_iter().flatten() {
            let known = named.and_then(|named| named.get(name));
            let inner = format!("{place}.{name}");
            match (keyword, known) {
                ("properties", Some(known)) => self.check(known, member, &inner),
                ("additionalProperties", None) => self.check(&schema[keyword], member, &inner),
                _ => {}
            }
        }
    }

    fn count(&self, alternatives: &'a Value, value: &Value) -> usize {
        let alternatives = alternatives.as_array().expect("a list").iter();
        let holds = |alternative: &&'a Value| {
            let mut inner = Validator { root: self.root, found: Vec::new() };
            inner.check(alternative, value, "$");
            inner.found.is_empty()
        };
        alternatives.filter(holds).count()
    }

    fn expect(&mut self, holds: bool, place: &str, problem: &str) {
        if !holds {
            self.found.push(format!("{place} is {problem}"));
        }
    }
}

fn has_type(value: &Value, expected: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not supported"),
    };
    expected.as_array().map_or_else(|| is(expected), |several| several.iter().any(is))
}

/// RFC 3986: printable ASCII without quotes and the like; a colon needs a scheme in front of it.
fn has_format(text: &str, format: &str) -> bool {
    let characters = Regex::new("^[A-Za-z0-9._~:/?#\\[\\]@!$&'()*+,;=%-]*$").expect("a pattern");
    let absolute = Regex::new("^[A-Za-z][A-Za-z0-9+.-]*:").expect("a pattern");
    let segment = text.split('/').next().unwrap_or_default();
    match format {
        "uri" => characters.is_match(text) && absolute.is_match(text),
        "uri-reference" => {
            characters.is_match(text) && (absolute.is_match(text) || !segment.contains(':'))
        }
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        other => panic!("the format {other} is not supported"),
    }
}

fn word(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
