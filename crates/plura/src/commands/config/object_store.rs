//! What `plura config check` finds out about an object store, and what it advises.

use std::fmt::Write;

use plura_registry::Storage;
use serde::Serialize;
use serde_json::{Value, json};

use crate::runtime::runtime;
use crate::settings::Settings;
use crate::wire;

/// What was tried of an object store.
#[derive(Serialize)]
pub(super) struct Store {
    tried: Vec<Tried>,
    /// Where clients fetch blobs, if it is somewhere else; nothing was tried there.
    #[serde(skip_serializing_if = "Option::is_none")]
    clients_reach_it_at: Option<String>,
    /// The rule that the bucket should have.
    lifecycle: Value,
}

#[derive(Serialize)]
struct Tried {
    what: &'static str,
    needed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
}

/// Days after which nobody goes on with an upload, whatever `registry.upload_expiry` says.
const DAYS: u32 = 7;

/// Tries what is needed of the object store, if the settings name one.
pub(super) fn examine(settings: &Settings) -> anyhow::Result<Option<Store>> {
    let storage = wire::storage(settings)?;
    if storage == Storage::Directory {
        return Ok(None);
    }
    let found = runtime()?.block_on(plura_registry::examine(&storage))?;
    let tried = found.into_iter().map(|fitness| Tried {
        what: fitness.requirement.describe(),
        needed: fitness.needed,
        problem: fitness.problem,
        fix: fitness.fix,
    });
    let prefix = settings.storage.s3.prefix.as_deref();
    Ok(Some(Store {
        tried: tried.collect(),
        clients_reach_it_at: settings.storage.redirect.endpoint.as_ref().map(ToString::to_string),
        lifecycle: lifecycle(prefix),
    }))
}

/// What a crash leaves in parts that were never put together is found by plura where the object store
/// can list it; the bucket's own rule finds it in any case.
fn lifecycle(prefix: Option<&str>) -> Value {
    let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    json!({
        "Rules": [{
            "ID": "plura-unfinished-uploads",
            "Status": "Enabled",
            "Filter": { "Prefix": format!("{prefix}blobs/") },
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": DAYS },
        }],
    })
}

impl Store {
    /// Whether plura can work with it.
    pub(super) fn is_fit(&self) -> bool {
        self.tried.iter().all(|tried| tried.problem.is_none() || !tried.needed)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for tried in &self.tried {
            let _ = match (&tried.problem, tried.needed) {
                (None, _) => writeln!(text, "ok     {}", tried.what),
                (Some(problem), true) => writeln!(text, "WRONG  {}: {problem}", tried.what),
                (Some(problem), false) => writeln!(text, "note   {}: {problem}", tried.what),
            };
            if let Some(fix) = tried.fix {
                let _ = writeln!(text, "       fix: {fix}");
            }
        }
        if let Some(endpoint) = &self.clients_reach_it_at {
            let _ = writeln!(
                text,
                "note   clients that are redirected use {endpoint}; not tried from here"
            );
        }
        if self.is_fit() {
            let _ = writeln!(
                text,
                "\nGive the bucket this lifecycle rule, if its object store knows such:\n{:#}",
                self.lifecycle
            );
        }
        text
    }
}
