//! From settings to a running server: the only place that names concrete parts and puts them together.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use plura_http::{App, AppOptions, Health, listen};
use plura_registry::{CollectRequest, KeepUntagged, Registry, Timestamp};
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::exit::Hint;
use crate::settings::{self, Keep, Settings};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A server that has its installation open and its address taken, and accepts nothing yet.
pub(crate) struct Server {
    listener: TcpListener,
    options: listen::Options,
    registry: Registry,
    health: Arc<Health>,
    app: App,
    settings: Settings,
}

impl Server {
    /// Opens the installation and takes the address.
    pub(crate) async fn open(settings: Settings) -> anyhow::Result<Self> {
        let listen = settings.server.listen.socket();
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))
            .hint("choose another address with `--listen ADDR:PORT`; port 0 takes a free one")?;
        let options = options(&settings)?;
        let registry = Registry::open(&settings.data, registry_settings(&settings))
            .await
            .hint("choose another directory with `--data DIR`")?;
        let health = Arc::new(Health::default());
        let public_url = settings.server.public_url.as_ref().map(|url| url.url().as_str());
        let app_options = AppOptions {
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            connections: Arc::clone(&options.metrics),
        };
        let app = App::new(registry.clone(), Arc::clone(&health), app_options);
        Ok(Self { listener, options, registry, health, app, settings })
    }

    /// Where it will accept connections.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("cannot tell the address")
    }

    /// Whether connections are encrypted.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.options.tls.is_some() { "https" } else { "http" }
    }

    /// Serves until `shutdown` completes and the requests that run then are done.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { listener, options, registry, health, app, settings } = self;
        let probing = watch_health(health, registry.clone(), settings.health.clone());
        let collecting = collect(registry.clone(), app.clone(), settings.collection.clone());
        let background = [tokio::spawn(probing), tokio::spawn(collecting)];
        let drained = listen::serve(listener, options, app, shutdown).await;
        for task in background {
            task.abort();
            // Ends with the cancellation that was just asked for.
            let _ = task.await;
        }
        registry.close().await;
        let drained = drained.context("cannot accept connections")?;
        info!(finished = drained.finished, cut = drained.cut, "stopped");
        Ok(())
    }
}

/// What the registry is told.
pub(crate) fn registry_settings(settings: &Settings) -> plura_registry::Settings {
    let (registry, collection) = (&settings.registry, &settings.collection);
    plura_registry::Settings {
        sparse: match registry.sparse {
            settings::Sparse::None => plura_registry::Sparse::None,
            settings::Sparse::Index => plura_registry::Sparse::Index,
            settings::Sparse::All => plura_registry::Sparse::All,
        },
        upload_expiry: registry.upload_expiry.duration(),
        minimum_chunk: registry.minimum_chunk.bytes(),
        delete: registry.delete,
        manifest_limit: registry.manifest_limit.bytes(),
        grace: collection.grace.duration(),
        keep_untagged: match collection.keep_untagged {
            Keep::Forever => KeepUntagged::Forever,
            Keep::For(span) => KeepUntagged::For(span.duration()),
        },
    }
}

fn options(settings: &Settings) -> anyhow::Result<listen::Options> {
    let server = &settings.server;
    Ok(listen::Options {
        tls: server.tls.files().map(|files| tls(files, &server.tls)).transpose()?,
        max_connections: usize::try_from(server.max_connections.get()).unwrap_or(usize::MAX),
        header_timeout: server.header_timeout.duration(),
        handshake_timeout: HANDSHAKE,
        idle_timeout: server.idle_timeout.duration(),
        stall_timeout: server.stall_timeout.duration(),
        drain_timeout: server.drain_timeout.duration(),
        ..listen::Options::default()
    })
}

fn tls(
    (certificate, key): (&Path, &Path),
    settings: &settings::Tls,
) -> anyhow::Result<listen::Tls> {
    let authorities = || settings.client_ca.clone().context("`server.tls.client_ca` is not set");
    let clients = match settings.client_certificates {
        settings::ClientCertificates::Off => listen::ClientCertificates::Off,
        settings::ClientCertificates::Optional => {
            listen::ClientCertificates::Optional { authorities: authorities()? }
        }
        settings::ClientCertificates::Required => {
            listen::ClientCertificates::Required { authorities: authorities()? }
        }
    };
    let files = listen::TlsFiles { certificate: certificate.into(), key: key.into(), clients };
    listen::Tls::load(files, settings.reload_interval.duration()).hint(
        "`server.tls.certificate` and `server.tls.key` are PEM files of one certificate; \
         `server.tls.client_ca` is a PEM file of authorities",
    )
}

async fn watch_health(health: Arc<Health>, registry: Registry, settings: settings::Health) {
    health.watch(&registry, settings.interval.duration(), settings.failures.get().into()).await;
}

/// Collects at every interval, for ever. What failed is tried again with the next.
async fn collect(registry: Registry, app: App, settings: settings::Collection) {
    if !settings.enabled {
        return;
    }
    let mut ticks = tokio::time::interval(settings.interval.duration());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Timestamp::now();
        let request = CollectRequest { repository: None, dry_run: false, now };
        let collected = registry.collect(request).await;
        app.metrics().collection(collected.as_ref().ok(), now);
        match collected {
            Ok(report) if report.items.is_empty() && report.uploads == 0 => {}
            Ok(report) => info!(
                manifests = report.manifests,
                links = report.links,
                blobs = report.blobs,
                uploads = report.uploads,
                bytes = report.bytes,
                kept = report.kept,
                waiting = report.waiting,
                "collected"
            ),
            Err(error) => error!(%error, "collection failed; trying again at the next interval"),
        }
    }
}
