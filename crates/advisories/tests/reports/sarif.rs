use plura_advisories::report::sarif::{Entry, Subject, log};
use serde_json::{Value, json};

use crate::{json_schema::violations, matches};

const SUBJECT: Subject<'_> =
    Subject { uri: "pkg:oci/web@sha256%3Aabc", name: "apps/web:1.0", version: "0.1.0" };

fn schema() -> Value {
    let text = include_str!("../schemas/sarif-2.1.0-rtm.5.json");
    serde_json::from_str(text).expect("a schema")
}

fn sarif() -> Value {
    let matches = matches();
    let entries = matches.iter().enumerate().map(|(index, found)| Entry {
        found,
        suppressed: (index == 0).then_some("CHG-1: not reachable"),
    });
    log(SUBJECT, entries)
}

#[test]
fn a_log_is_valid() {
    assert_eq!(violations(&schema(), &sarif()), [""; 0]);
    assert_eq!(violations(&schema(), &log(SUBJECT, [])), [""; 0]);
}

#[test]
fn the_schema_is_looked_at() {
    let mut broken = sarif();
    broken["runs"][0]["results"][0]["level"] = "bad".into();
    broken["runs"][0]["artifacts"][0]["location"]["uri"] = "a b".into();
    broken["runs"][0]["tool"]["driver"]["name"] = Value::Null;
    broken["runs"][0]["surprise"] = json!(1);
    let found = violations(&schema(), &broken);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn each_package_is_a_result_of_its_rule() {
    let log = sarif();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), matches().len());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
    }
    let musl = &results[0];
    assert_eq!(musl["level"], "error");
    assert_eq!(
        musl["message"]["text"],
        "CVE-2025-26519: ALPINE-CVE-2025-26519: musl 1.2.4_git20230717-r4 is before \
         1.2.4_git20230717-r5, which fixes it, which began with 0.9.13. Fixed in 1.2.4_git20230717-r5."
    );
    assert_eq!(musl["suppressions"][0]["justification"], "CHG-1: not reachable");
    let undecided = results.iter().find(|result| result["kind"] == "open").unwrap();
    assert_eq!((&undecided["ruleId"], &undecided["level"]), (&json!("TEST-0015"), &json!("none")));
    assert_eq!(rules[0]["properties"]["security-severity"], "7.0");
}
