//! Rules of retention, ours or another registry's: they are read or refused, and what is imported can be
//! used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_policy::retention::{
    Inventory, RetentionRules, Roots, import_artifact_registry, import_ecr, import_harbor, plan,
};

fuzz_target!(|input: &[u8]| {
    let empty = Inventory::new("apps/search".parse().expect("a name"));
    match RetentionRules::from_json(input) {
        Ok(rules) => assert_eq!(plan(&rules, &empty, &Roots::default(), 0).delete, []),
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| problem.to_string().len() < 1000));
        }
    }
    let imports =
        [import_ecr(input), import_harbor(input, "apps"), import_artifact_registry(input)];
    for imported in imports {
        match imported {
            Ok(imported) => assert!(RetentionRules::new(&imported.document).is_ok()),
            Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
        }
    }
});
