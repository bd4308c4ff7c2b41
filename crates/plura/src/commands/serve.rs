//! `plura serve`: the registry.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::fmt;

use crate::cli::ServeArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::{Log, LogFormat};
use crate::wire::Server;

pub(super) fn run(args: &ServeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.installation, args.flags())?.settings;
    start_log(&settings.log, printer);
    // A log for machines shares standard error with no prose.
    let for_people = matches!(settings.log.format, LogFormat::Text);
    let data = settings.data.display().to_string();
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
        let server = Server::open(settings).await?;
        let address = server.address()?;
        let url = format!("{}://{address}", server.scheme());
        printer.data(format!("Listening on {url}\n"))?;
        let open = server.is_open().await?;
        if for_people {
            let plain = server.scheme() == "http";
            printer.note(how_to_push(&address.to_string(), plain, open, &data));
        }
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping; running requests finish first");
        };
        server.run(shutdown).await
    })?;
    Ok(ExitStatus::Done)
}

fn how_to_push(address: &str, plain: bool, open: bool, data: &str) -> String {
    let who = if open {
        "There is no login: whoever reaches this address may push, pull and delete. `plura init` makes\n\
         the first administrator, and closes it."
    } else {
        "Log in first: docker login, skopeo login or plura login."
    };
    let plain = if plain { " --dest-tls-verify=false" } else { "" };
    format!(
        "\nData is in {data}. Push an image:\n  \
         docker tag IMAGE {address}/apps/hello:1.0.0 && docker push {address}/apps/hello:1.0.0\n  \
         skopeo copy{plain} docker-archive:image.tar docker://{address}/apps/hello:1.0.0\n\n\
         {who} Stop with Ctrl-C.\n"
    )
}

/// Lines go to standard error: standard output is for what was asked.
fn start_log(log: &Log, printer: &Printer) {
    let builder = fmt().with_env_filter(log.level.filter()).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.with_ansi(printer.colors_log()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
