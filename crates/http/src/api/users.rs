//! People.

use plura_access::{ChangeUser, Error, NewUser, User, password::Password, schema};
use plura_policy::{AccountName, Decision, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::{self, Need},
    call::{Answer, Call},
    describe::Description,
    page::Page,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/users";
    const ONE: &str = "/api/v1/users/{user}";
    const PASSWORD: &str = "/api/v1/users/{user}/password";
    const SESSIONS: &str = "/api/v1/users/{user}/sessions";
    vec![
        Route::new(Verb::Get, ALL, ADMINISTER, "user.list", list)
            .described(Description::new("Lists users, by name").asks::<Page>().gives::<Users>()),
        Route::new(Verb::Post, ALL, ADMINISTER, "user.create", create).described(
            Description::new("Adds a user; with the first administrator, an open server closes")
                .takes::<NewUser>()
                .makes::<User>(),
        ),
        Route::new(Verb::Get, ONE, Need::Oneself, "user.show", show)
            .described(Description::new("Shows a user").gives::<User>()),
        Route::new(Verb::Patch, ONE, Need::Oneself, "user.update", change).described(
            Description::new(
                "Changes a user; to make or disable an administrator takes another one",
            )
            .takes::<ChangeUser>()
            .gives::<User>(),
        ),
        Route::new(Verb::Delete, ONE, ADMINISTER, "user.delete", delete).described(
            Description::new("Removes a user with their tokens and roles").gives_nothing(),
        ),
        Route::new(Verb::Put, PASSWORD, Need::Oneself, "user.password", set_password).described(
            Description::new("Sets a password, and ends all sessions")
                .takes::<SetPassword>()
                .gives_nothing(),
        ),
        Route::new(Verb::Delete, SESSIONS, Need::Oneself, "user.logout", end_sessions).described(
            Description::new("Ends all sessions and refresh tokens of a user").gives::<Ended>(),
        ),
    ]
}

/// Users, by name.
#[derive(Serialize, ToSchema)]
struct Users {
    users: Vec<User>,
    /// `after` of the next page, if there is one.
    next: Option<String>,
}

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    /// The password that the user has; needed by who sets their own.
    #[schema(value_type = Option<schema::Password>)]
    current: Option<Password>,
    /// The password from now on.
    #[schema(value_type = schema::NewPassword)]
    new: Password,
}

/// What was ended.
#[derive(Serialize, ToSchema)]
struct Ended {
    /// How many sessions and refresh tokens.
    #[schema(minimum = 0)]
    ended: u64,
}

async fn list(call: Call) -> Answer {
    let page = call.query::<Page>()?.checked()?;
    let found = call.access().users(page.after(), page.wanted()).await?;
    let (users, next) = page.cut(found, |user| &user.name);
    ok(&Users { users, next })
}

async fn create(call: Call) -> Answer {
    let new: NewUser = call.json(
        r#"{"name": "alice", "password": "...", "email": "a@b.c", "display_name": "Alice", "administrator": false}; only `name` is required"#,
    )?;
    let user = call.access().create_user(&call.caller, new).await?;
    created(&call, &format!("/api/v1/users/{}", user.name), &user)
}

async fn show(call: Call) -> Answer {
    let name: AccountName = call.parameter("user")?;
    ok(&call.access().user(name.as_str()).await?)
}

async fn change(call: Call) -> Answer {
    let name: AccountName = call.parameter("user")?;
    let change: ChangeUser = call.json(
        r#"some of {"email": "a@b.c", "display_name": "Alice", "administrator": true, "disabled": false}"#,
    )?;
    if change.administrator.is_some() || change.disabled.is_some() {
        authorise::installation(&call, Permission::Administer).await?;
    }
    ok(&call.access().change_user(&call.caller, name.as_str(), change).await?)
}

async fn delete(call: Call) -> Answer {
    let name: AccountName = call.parameter("user")?;
    call.access().delete_user(&call.caller, name.as_str()).await?;
    gone()
}

async fn set_password(call: Call) -> Answer {
    let name: AccountName = call.parameter("user")?;
    let SetPassword { current, new } = call.json(r#"{"current": "...", "new": "..."}"#)?;
    let set = call
        .access()
        .set_password(&call.caller, name.as_str(), current.as_ref(), &new, call.address)
        .await;
    // The credentials of the request are good; it is the password in it that is not.
    let set = set.map_err(|error| match error {
        Error::BadCredentials => Error::Denied(Box::new(Decision::deny(
            "current password",
            "the current password is not right",
            "an administrator can set another one",
        ))),
        error => error,
    });
    call.done(set).await?;
    gone()
}

async fn end_sessions(call: Call) -> Answer {
    let name: AccountName = call.parameter("user")?;
    let ended = call.access().end_sessions(&call.caller, name.as_str()).await?;
    ok(&Ended { ended })
}
