//! Everything beside `/v2`, most of it `/api/v1`.
//!
//! A [`Route`] says what it needs; it is [`authorise`] that decides, before the handler runs. The router,
//! the description for clients and the tests are made from the same routes.

mod access;
mod advisories;
mod answer;
mod approvals;
mod audit;
mod authorise;
mod blocks;
mod bounded;
mod call;
mod channels;
mod contents;
mod decisions;
mod describe;
mod events;
mod evidence;
mod exceptions;
mod holds;
mod images;
mod jobs;
mod key;
mod keys;
mod log;
mod members;
mod openapi;
mod page;
mod policies;
mod projects;
mod promotions;
mod refusals;
mod reports;
mod retention;
mod robots;
mod route;
mod scanner;
mod scanners;
mod site;
mod tokens;
mod trust;
mod trust_policies;
mod users;
mod vulnerabilities;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use http::{Method, StatusCode};
use plura_oci::ErrorCode;

pub use authorise::Need;
pub(crate) use call::read;
pub(crate) use describe::Description;
pub(crate) use route::Route;
pub use route::Verb;

use crate::{app::State, auth, error::ApiError};

/// What a route is, for those who test that each decides as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    /// What it does to what its path names.
    pub verb: Verb,
    /// Its path; names in braces stand for a segment.
    pub path: &'static str,
    /// What it needs of who asks.
    pub need: Need,
    /// Its name in the description and the audit.
    pub action: &'static str,
}

/// All routes beside `/v2`.
pub fn routes() -> Vec<RouteFacts> {
    let facts = |route: Route| {
        let Route { verb, path, need, action, .. } = route;
        RouteFacts { verb, path, need, action }
    };
    all().into_iter().map(facts).collect()
}

fn all() -> Vec<Route> {
    [
        site::routes,
        auth::routes,
        access::routes,
        users::routes,
        tokens::routes,
        projects::routes,
        members::routes,
        robots::routes,
        trust::routes,
        trust_policies::routes,
        evidence::routes,
        keys::routes,
        images::routes,
        contents::routes,
        vulnerabilities::routes,
        advisories::routes,
        exceptions::routes,
        log::routes,
        channels::routes,
        promotions::routes,
        reports::routes,
        scanner::routes,
        scanners::routes,
        policies::routes,
        decisions::routes,
        approvals::routes,
        blocks::routes,
        holds::routes,
        retention::routes,
        audit::routes,
        events::routes,
        webhooks::routes,
        jobs::routes,
        openapi::routes,
    ]
    .into_iter()
    .flat_map(|routes| routes())
    .collect()
}

pub(crate) fn router(state: Arc<State>) -> Router {
    all()
        .into_iter()
        .fold(Router::new(), |router, route| route.mount(router))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(state)
}

async fn no_such_path() -> ApiError {
    let message = "no such path; container clients use /v2/";
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, message)
}

async fn no_such_method(method: Method) -> ApiError {
    let message = format!("this path does not take {method}; `Allow` says what it takes");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plura_policy::Permission;

    use super::*;

    #[test]
    fn every_route_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for route in routes() {
            assert!(names.insert(route.action), "{} is there twice", route.action);
        }
    }

    #[test]
    fn what_needs_nothing_is_on_this_list() {
        let open: Vec<&str> = routes()
            .into_iter()
            .filter(|route| route.need == Need::Nothing)
            .map(|route| route.path)
            .collect();
        assert_eq!(
            open,
            [
                "/",
                "/healthz",
                "/readyz",
                "/auth/token",
                "/auth/token",
                "/auth/keys",
                "/auth/exchange",
                "/auth/login",
                "/auth/logout",
                "/auth/oidc/login",
                "/auth/oidc/callback",
                "/api/v1/keys/attestation",
                "/api/v1/openapi.json",
            ]
        );
    }

    #[test]
    fn what_changes_something_needs_more_than_a_login() {
        // Documents are only looked at, and nothing of what is here is told.
        const CHANGES_NOTHING: &str = "policy.check";
        for route in routes().into_iter().filter(|route| route.action != CHANGES_NOTHING) {
            let weak = matches!(
                route.need,
                Need::Login | Need::Log | Need::SeeProject | Need::Project(Permission::ViewProject)
            );
            assert!(route.verb.is_safe() || !weak, "{route:?}");
        }
    }

    #[test]
    fn needs_of_something_in_the_path_have_it_there() {
        for route in routes() {
            let placeholder = match route.need {
                Need::SeeProject | Need::Project(_) => "/{project}",
                _ => continue,
            };
            assert!(route.path.contains(placeholder), "{route:?}");
        }
    }
}
