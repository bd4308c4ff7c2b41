//! Keys that tokens are signed with. All are listed at `/auth/keys`, for everybody.

use plura_policy::Permission;

use super::{
    answer::gone,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    key::Thumbprint,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const ONE: &str = "/api/v1/keys/{key}";
    let administer = Need::Installation(Permission::Administer);
    vec![Route::new(Verb::Delete, ONE, administer, "key.revoke", revoke).described(
        Description::new(
            "Takes back a key that tokens are signed with; what it signed is refused within seconds",
        )
        .gives_nothing(),
    )]
}

async fn revoke(call: Call) -> Answer {
    let kid: Thumbprint = call.parameter("key")?;
    call.access().revoke_key(&call.caller, kid.as_str()).await?;
    gone()
}
