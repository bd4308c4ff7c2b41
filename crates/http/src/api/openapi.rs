//! The description of the API (OpenAPI 3.1), made from the routes; `docs/openapi.json` is a copy.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;
use plura_access::schema;
use utoipa::{
    ToSchema,
    openapi::{
        Components, Info, License, OpenApi, Paths,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    describe::{Description, Schemas},
    refusals::{self, Errors},
    route::{Route, Verb},
};
use crate::identify::SESSION_COOKIE;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::open(Verb::Get, "/api/v1/openapi.json", "openapi", get)
            .described(Description::new("This description").gives::<serde_json::Value>()),
    ]
}

async fn get() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

/// The description as text, as it is answered and checked in.
fn text() -> String {
    // What is serialised has text keys only, for which this cannot fail.
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn document() -> OpenApi {
    let (mut paths, mut schemas) = (Paths::new(), Schemas::new());
    for mut route in super::all() {
        let Some(description) = route.description.take() else { continue };
        let operation = description.operation(&route, &mut schemas);
        paths.add_path_operation(route.path, vec![route.verb.into()], operation);
    }
    add::<Errors>(&mut schemas);
    // Those that only paths and queries name.
    add::<schema::UserName>(&mut schemas);
    add::<schema::ProjectName>(&mut schemas);
    add::<schema::RobotName>(&mut schemas);
    add::<schema::RepositoryName>(&mut schemas);
    add::<schema::TrustName>(&mut schemas);
    add::<schema::Key>(&mut schemas);
    add::<schema::Thumbprint>(&mut schemas);
    add::<schema::VersionNumber>(&mut schemas);
    add::<schema::SourceName>(&mut schemas);
    add::<schema::ExceptionName>(&mut schemas);
    add::<schema::DigestText>(&mut schemas);
    add::<schema::Explained>(&mut schemas);
    add::<schema::Permission>(&mut schemas);
    add::<schema::Outcome>(&mut schemas);
    add::<schema::Since>(&mut schemas);
    let components = Components::builder().schemas_from_iter(schemas);
    let components = components.responses_from_iter(refusals::all());
    let components = security_schemes()
        .into_iter()
        .fold(components, |components, (name, scheme)| components.security_scheme(name, scheme));
    let mut info = Info::new("plura", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Access control of a container registry: users, projects, members, robots, trust in other \
         issuers, and the audit; and what its images are. Errors are `{\"errors\": [{\"code\", \"message\", \"detail\"}]}`."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    OpenApi::builder().info(info).paths(paths).components(Some(components.build())).build()
}

fn add<T: ToSchema>(schemas: &mut Schemas) {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    schemas.extend(found);
}

fn security_schemes() -> [(&'static str, SecurityScheme); 3] {
    let http = |scheme, text: &str| {
        let scheme = HttpBuilder::new().scheme(scheme).description(Some(text)).build();
        SecurityScheme::Http(scheme)
    };
    let cookie = ApiKeyValue::with_description(SESSION_COOKIE, "A browser's session");
    [
        (
            "bearer",
            http(HttpAuthScheme::Bearer, "An API token, a robot's secret or an exchanged token"),
        ),
        (
            "basic",
            http(HttpAuthScheme::Basic, "A name and a password, API token or robot's secret"),
        ),
        ("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_that_is_checked_in_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let current = text();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let same = kept.lines().zip(current.lines()).take_while(|(kept, now)| kept == now).count();
        assert!(
            kept == current,
            "docs/openapi.json differs from line {} on; update it with \
             `UPDATE_OPENAPI=1 cargo test -p plura-http openapi`, and look at the difference",
            same + 1
        );
    }

    #[test]
    fn every_form_that_is_referred_to_is_there() {
        let document = serde_json::to_value(document()).unwrap();
        let mut missing = Vec::new();
        visit(&document, &mut |reference| {
            let pointer = reference.trim_start_matches('#');
            if document.pointer(pointer).is_none() {
                missing.push(reference.to_owned());
            }
        });
        assert!(missing.is_empty(), "{missing:?}");
    }

    fn visit(value: &serde_json::Value, found: &mut impl FnMut(&str)) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(reference) if name == "$ref" => found(reference),
                        _ => visit(value, found),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
            _ => {}
        }
    }
}
