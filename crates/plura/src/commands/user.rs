//! `plura user`.

use anyhow::Context;
use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask, login_command};
use crate::cli::{UserArgs, UserCommand, UserCreateArgs, UserPasswordArgs, UserUpdateArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::prompt;
use crate::runtime::runtime;
use crate::secret::Secret;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |user| cell(&user["name"])),
    ("EMAIL", |user| cell(&user["email"])),
    ("ADMINISTRATOR", |user| cell(&user["administrator"])),
    ("STATE", state),
    ("SOURCE", |user| cell(&user["source"])),
    ("LAST USED", |user| cell(&user["last_used_at"])),
];

const FIELDS: &[Column] = &[
    ("name", |user| cell(&user["name"])),
    ("display name", |user| cell(&user["display_name"])),
    ("email", |user| cell(&user["email"])),
    ("administrator", |user| cell(&user["administrator"])),
    ("state", state),
    ("source", |user| cell(&user["source"])),
    ("created", |user| cell(&user["created_at"])),
    ("last used", |user| cell(&user["last_used_at"])),
];

pub(super) fn run(command: &UserCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            UserCommand::List(args) => {
                let ask = Ask::api(Method::GET, ["users"]);
                let users = ApiClient::of(&args.server).await?.all("users", ask).await?;
                answers::list(&args.output, "users", &users, COLUMNS, printer)
            }
            UserCommand::Create(args) => create(args, printer).await,
            UserCommand::Show(args) => {
                let user = ask(args, Method::GET, None).await?;
                answers::one(&args.output, &user, FIELDS, printer)
            }
            UserCommand::Update(args) => update(args, printer).await,
            UserCommand::Disable(args) => set_disabled(args, true, printer).await,
            UserCommand::Enable(args) => set_disabled(args, false, printer).await,
            UserCommand::Delete(args) => {
                ask(args, Method::DELETE, None).await?;
                let note = format_args!("deleted user `{}`", args.name);
                answers::done(&args.output, &answers::deleted(&args.name), note, printer)
            }
            UserCommand::Password(args) => set_password(args, printer).await,
            UserCommand::Logout(args) => log_out(args, printer).await,
        }
    })
}

fn state(account: &Value) -> String {
    if account["disabled"] == Value::Bool(true) { "disabled" } else { "active" }.to_owned()
}

async fn ask(args: &UserArgs, method: Method, disabled: Option<bool>) -> anyhow::Result<Value> {
    let ask = Ask::api(method, ["users", &args.name]).field("disabled", disabled);
    ApiClient::of(&args.server).await?.ask(ask).await
}

async fn create(args: &UserCreateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let password = if args.without_password {
        None
    } else if args.password.password_stdin {
        Some(prompt::secret_from_stdin()?)
    } else {
        Some(prompt::new_password(printer)?)
    };
    let ask = Ask::api(Method::POST, ["users"])
        .field("name", Some(args.name.as_str()))
        .field("password", password.as_ref().map(Secret::expose))
        .field("email", args.email.as_deref())
        .field("display_name", args.display_name.as_deref())
        .field("administrator", Some(args.administrator));
    let user = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("created user `{}`", args.name);
    answers::done(&args.output, &user, note, printer)
}

async fn update(args: &UserUpdateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::PATCH, ["users", &args.name])
        .field("email", args.change.email.as_deref())
        .field("display_name", args.change.display_name.as_deref())
        .field("administrator", args.change.administrator);
    let user = ApiClient::of(&args.server).await?.ask(ask).await?;
    answers::done(&args.output, &user, format_args!("changed user `{}`", args.name), printer)
}

async fn set_disabled(
    args: &UserArgs,
    disabled: bool,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let user = ask(args, Method::PATCH, Some(disabled)).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    answers::done(&args.output, &user, format_args!("{done} user `{}`", args.name), printer)
}

async fn set_password(args: &UserPasswordArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let me = client.ask(Ask::api(Method::GET, ["me"])).await?;
    let own = me["name"].as_str().filter(|_| me["kind"] == "user");
    let name = args.name.as_deref().or(own);
    let name = name.context("you are no user here; name one: plura user password NAME")?;
    let current = own == Some(name);
    let passwords = match (args.password.password_stdin, current) {
        (true, true) => prompt::secrets_from_stdin(2)?,
        (true, false) => prompt::secrets_from_stdin(1)?,
        (false, true) => {
            vec![prompt::password("Current password: ", printer)?, prompt::new_password(printer)?]
        }
        (false, false) => vec![prompt::new_password(printer)?],
    };
    let mut passwords = passwords.iter().map(Secret::expose);
    let ask = Ask::api(Method::PUT, ["users", name, "password"])
        .field("current", current.then(|| passwords.next()).flatten())
        .field("new", passwords.next());
    client.ask(ask).await?;
    let answer = serde_json::json!({ "changed": name });
    answers::done(
        &args.output,
        &answer,
        format_args!("changed the password of `{name}`"),
        printer,
    )?;
    if current {
        let login = login_command(args.server.server.url());
        printer.hint(format_args!("a login that is kept is now out of date; again: {login}"));
    }
    Ok(ExitStatus::Done)
}

async fn log_out(args: &UserArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["users", &args.name, "sessions"]);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("ended {} sessions of `{}`", cell(&answer["ended"]), args.name);
    answers::done(&args.output, &answer, note, printer)
}
