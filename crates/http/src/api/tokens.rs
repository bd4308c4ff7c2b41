//! API tokens: what people give to programs.

use plura_access::{ApiToken, Identity, NewApiToken, schema};
use plura_policy::AccountName;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    key::Key,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/tokens";
    const ONE: &str = "/api/v1/tokens/{token}";
    vec![
        Route::new(Verb::Get, ALL, Need::Oneself, "token.list", list).described(
            Description::new("Lists the API tokens of a user, the oldest first")
                .asks::<Whose>()
                .gives::<Tokens>(),
        ),
        Route::new(Verb::Post, ALL, Need::Oneself, "token.create", create).described(
            Description::new("Makes an API token for oneself")
                .takes::<NewApiToken>()
                .makes::<NewToken>(),
        ),
        Route::new(Verb::Delete, ONE, Need::Oneself, "token.delete", delete).described(
            Description::new("Ends an API token; administrators end anybody's").gives_nothing(),
        ),
    ]
}

/// Whose tokens.
#[derive(Deserialize, IntoParams)]
struct Whose {
    /// The user; oneself without.
    #[param(value_type = Option<schema::UserName>)]
    user: Option<AccountName>,
}

/// API tokens, the oldest first.
#[derive(Serialize, ToSchema)]
struct Tokens {
    tokens: Vec<ApiToken>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
struct NewToken<'s> {
    token: ApiToken,
    /// The token itself. It is told once.
    #[schema(value_type = schema::Secret)]
    secret: &'s str,
}

async fn list(call: Call) -> Answer {
    let Whose { user } = call.query()?;
    let own = match &call.caller.principal.identity {
        Identity::User(_, name) => Some(name.clone()),
        _ => None,
    };
    let tokens = match user.or(own) {
        Some(user) => call.access().api_tokens(user.as_str()).await?,
        // API tokens are for people.
        None => Vec::new(),
    };
    ok(&Tokens { tokens })
}

async fn create(call: Call) -> Answer {
    let new: NewApiToken = call.json(
        r#"{"name": "laptop", "scopes": ["repository:apps/**:pull"], "expires_in_days": 90}; only `name` is required"#,
    )?;
    let (token, secret) = call.access().create_api_token(&call.caller, new).await?;
    let path = format!("/api/v1/tokens/{}", token.id);
    created(&call, &path, &NewToken { token, secret: secret.expose() })
}

async fn delete(call: Call) -> Answer {
    let key: Key = call.parameter("token")?;
    call.access().delete_api_token(&call.caller, key.as_str()).await?;
    gone()
}
