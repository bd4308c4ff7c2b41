//! `plura token`.

use reqwest::Method;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("ID", |token| cell(&token["id"])),
    ("NAME", |token| cell(&token["name"])),
    ("USER", |token| cell(&token["user"])),
    ("SCOPES", |token| cell(&token["scopes"])),
    ("EXPIRES", |token| cell(&token["expires_at"])),
    ("LAST USED", |token| cell(&token["last_used_at"])),
];

pub(super) fn run(command: &TokenCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            TokenCommand::List(args) => list(args, printer).await,
            TokenCommand::Create(args) => create(args, printer).await,
            TokenCommand::Revoke(args) => revoke(args, printer).await,
        }
    })
}

async fn list(args: &TokenListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["tokens"]).query("user", args.user.as_ref());
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    answers::list(&args.output, "tokens", &listed(&mut answer, "tokens")?, COLUMNS, printer)
}

async fn create(args: &TokenCreateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::POST, ["tokens"])
        .field("name", Some(args.name.as_str()))
        .field("scopes", Some(args.scope.clone()))
        .field("expires_in_days", args.expires_in_days);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let token = &answer["token"];
    let note = format!("created token `{}`, id {}", cell(&token["name"]), cell(&token["id"]));
    answers::secret(&args.output, &answer, note, printer)
}

async fn revoke(args: &TokenRevokeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["tokens", &args.id]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("revoked token {}", args.id);
    answers::done(&args.output, &answers::deleted(&args.id), note, printer)
}
