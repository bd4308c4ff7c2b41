//! `plura demo`: the life of an image, step by step, on a server of its own.

mod access;
mod client;
mod governance;
mod image;
mod release;
mod steps;
mod traffic;

use anyhow::Context;
use tokio::sync::oneshot;

use self::client::Client;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::{Flag, Settings, Sources, resolve};
use crate::wire::Server;

pub(super) fn run(printer: &Printer) -> anyhow::Result<ExitStatus> {
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    runtime()?.block_on(async {
        let settings = settings(directory.path(), &traffic::listen().await?)?;
        let (address, running) = start(settings.clone()).await?;
        printer
            .data(format!("A registry on {address}, data in {}\n\n", directory.path().display()))?;
        let client = Client::new(&address, printer);
        let image = steps::push(&client).await?;
        steps::pull(&client, &image).await?;
        steps::attach(&client, &image).await?;
        steps::list(&client).await?;
        running.stop().await?;

        let (address, running) = start(settings).await?;
        let client = client.moved_to(&address);
        steps::survive(&client, &image).await?;
        let client = access::close(client).await?;
        access::robot(&client).await?;
        access::explain(&client).await?;
        steps::collect(&client, &image).await?;
        governance::walk(&client).await?;
        running.stop().await?;
        printer.data("\nDone. Run your own: plura serve\n")
    })?;
    Ok(ExitStatus::Done)
}

/// The defaults on a free port, and nothing kept once it is garbage: a demo has no days to wait.
fn settings(directory: &std::path::Path, traffic: &str) -> anyhow::Result<Settings> {
    let secret = directory.join("traffic-secret");
    std::fs::write(&secret, "whoever moves the traffic of the demo knows it")
        .context("cannot write to the temporary directory")?;
    let flag = |key, value: &std::ffi::OsStr| Flag { name: "demo", key, value: value.to_owned() };
    let flags = vec![
        flag("data", directory.as_os_str()),
        flag("server.listen", "127.0.0.1:0".as_ref()),
        flag("rollout.traffic.url", traffic.as_ref()),
        flag("rollout.traffic.secret_file", secret.as_os_str()),
        flag("collection.enabled", "false".as_ref()),
        flag("collection.grace", "0s".as_ref()),
        flag("collection.keep_untagged", "0s".as_ref()),
    ];
    Ok(resolve(&Sources { flags, ..Sources::default() })?.settings)
}

/// A server in the background.
struct Running {
    shutdown: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

async fn start(settings: Settings) -> anyhow::Result<(String, Running)> {
    let server = Server::open(settings).await?;
    let address = server.address()?.to_string();
    let (shutdown, asked) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(async {
        // A dropped sender ends the demo as well as a signal.
        let _ = asked.await;
    }));
    Ok((address, Running { shutdown, task }))
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        drop(self.shutdown);
        self.task.await.context("the server failed")?
    }
}
