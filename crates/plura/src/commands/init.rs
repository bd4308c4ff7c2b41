//! `plura init`: the first administrator.

use std::sync::Arc;

use anyhow::Context;
use plura_access::{AccountName, Caller, NewUser, Origin, Principal, password::Password};
use plura_registry::Registry;
use serde_json::json;

use crate::cli::InitArgs;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::{prompt, wire};

pub(super) fn run(args: &InitArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.installation.flags())?.settings;
    let runtime = runtime()?;
    let (registry, access) = runtime.block_on(async {
        let registry =
            Registry::open(&settings.data, wire::registry_settings(&settings)?).await.hint(
                "stop the server first; or, while it is open, make the administrator through it: \
                 plura user create --administrator NAME",
            )?;
        let access = wire::access(&registry, &settings).await?;
        anyhow::Ok((registry, access))
    })?;
    if runtime.block_on(access.has_administrator())? {
        printer.note(format_args!("{} has an administrator already", settings.data.display()));
        return Ok(if args.if_none { ExitStatus::Done } else { ExitStatus::No });
    }
    let name: AccountName = args.name.parse().context("not a name for an administrator")?;
    let password = match &args.password_file {
        Some(file) => prompt::secret_from_file(file)?,
        None if args.password.password_stdin => prompt::secret_from_stdin()?,
        None => prompt::new_password(printer)?,
    };
    let password = Password::from(password.expose());
    runtime.block_on(async {
        let new = administrator(name, password);
        let made = access.create_user(&caller(), new).await;
        let user = made.hint("choose another password; it is asked for again")?;
        registry.close().await;
        if args.output.json {
            return printer.json(&json!({ "name": user.name, "data": settings.data }));
        }
        printer.data(format!(
            "{} is the administrator of {}\n",
            user.name,
            settings.data.display()
        ))?;
        printer.note("next: plura serve, and then plura login or docker login");
        Ok(())
    })?;
    Ok(ExitStatus::Done)
}

fn administrator(name: AccountName, password: Password) -> NewUser {
    let (email, display_name) = (None, None);
    NewUser { name, password: Some(password), email, display_name, administrator: true }
}

/// Who has the files of an installation may do everything anyway.
fn caller() -> Caller {
    let origin = Origin { method: "local".into(), ..Origin::system() };
    Caller { principal: Arc::new(Principal::local()), origin: Arc::new(origin) }
}
