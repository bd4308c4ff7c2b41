//! `plura login` and `plura logout`.

use crate::api_client::http;
use crate::cli::{LoginArgs, LogoutArgs, is_local};
use crate::docker_config::{Credentials, Logins, host_of};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::prompt;
use crate::runtime::runtime;
use crate::secret::Secret;
use crate::token_endpoint::{Challenge, challenge, check, exchange_password};

pub(super) fn run(args: &LoginArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let host = host_of(args.address.server.url());
    // Asked first, so that a file that is damaged is told before a password is typed.
    let logins = Logins::from_environment()?;
    let Some(credentials) = runtime()?.block_on(log_in(args, printer))? else {
        printer.note(format_args!("{host} needs no login"));
        return Ok(ExitStatus::Done);
    };
    let place = logins.keep(&host, &credentials)?;
    printer.note(format_args!("logged in to {host}; kept in {place}"));
    Ok(ExitStatus::Done)
}

pub(super) fn log_out(args: &LogoutArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let host = host_of(args.address.server.url());
    let logins = Logins::from_environment()?;
    if logins.forget(&host)? {
        printer.note(format_args!("logged out of {host}"));
    } else {
        printer.note(format_args!("there was no login for {host}"));
    }
    if let Ok(Some(_)) = logins.find(&host) {
        printer.hint(format_args!("podman has a login of its own: podman logout {host}"));
    }
    Ok(ExitStatus::Done)
}

/// What to keep, once the server has accepted it. Nothing if the server asks for no login.
async fn log_in(args: &LoginArgs, printer: &Printer) -> anyhow::Result<Option<Credentials>> {
    let address = &args.address.server;
    let base = address.url();
    let http = http(base, &args.authority)?;
    let challenge = challenge(&http, base).await?;
    if challenge == Challenge::Open {
        return Ok(None);
    }
    if base.scheme() == "http" && !is_local(address) {
        printer.warning(format_args!("the password goes to {address} without encryption"));
    }
    let (name, password) = ask(args, printer)?;
    let identity = match challenge {
        Challenge::Bearer { realm, service } => {
            let endpoint = (&realm, service.as_deref());
            let token = exchange_password(&http, endpoint, &name, &password).await?;
            check(&http, base, |request| request.bearer_auth(token.bearer.expose())).await?;
            token.identity
        }
        Challenge::Open | Challenge::Basic => {
            let prove = |request: reqwest::RequestBuilder| {
                request.basic_auth(&name, Some(password.expose()))
            };
            check(&http, base, prove).await?;
            None
        }
    };
    Ok(Some(match identity {
        Some(token) => Credentials::IdentityToken { name: Some(name), token },
        None => Credentials::Password { name, password },
    }))
}

fn ask(args: &LoginArgs, printer: &Printer) -> anyhow::Result<(String, Secret)> {
    let name = match &args.user {
        Some(name) => name.clone(),
        None => prompt::line("User name: ", "give it with `--user NAME`", printer)?,
    };
    let password = if args.password.password_stdin {
        prompt::secret_from_stdin()?
    } else {
        prompt::password("Password: ", printer)?
    };
    Ok((name, password))
}
