//! From settings to a running server: the only place that names concrete parts and puts them together.

mod background;
mod knowledge;
mod storage;

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use plura_access::{
    Access, OidcLogin,
    oidc::{ClientSecret, LoginProvider},
    rate::Rate,
};
use plura_http::{App, AppOptions, Health, Knowledge, listen};
use plura_registry::{DatabaseServer, KeepUntagged, Registry};
use tokio::net::TcpListener;
use tracing::info;

use crate::exit::Hint;
use crate::settings::{self, DatabaseUrl, Keep, Named, Settings};

pub(crate) use self::storage::storage;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A server that has its installation open and its address taken, and accepts nothing yet.
pub(crate) struct Server {
    listener: TcpListener,
    options: listen::Options,
    registry: Registry,
    knowledge: Knowledge,
    access: Access,
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
        let registry_settings = registry_settings(&settings)?;
        storage::check_fitness(&registry_settings.storage).await?;
        let registry = Registry::open(&settings.data, registry_settings)
            .await
            .hint("choose another directory with `--data DIR`")?;
        let access = open_access(&registry, &settings).await?;
        let health = Arc::new(Health::default());
        let public_url = settings.server.public_url.as_ref().map(|url| url.url().as_str());
        let app_options = AppOptions {
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            anonymous_metrics: settings.access.anonymous_metrics,
            trusted_proxies: networks(&settings.server.trusted_proxies),
            connections: Arc::clone(&options.metrics),
            redirect: storage::redirect(&settings),
            public_log: settings.transparency.public,
        };
        let knowledge = knowledge::knowledge(&registry, &settings, listener.local_addr()?)?;
        if settings.transparency.integrate {
            let prepared = knowledge.transparency.prepare().await;
            prepared.hint("`keys/log.key` in the data directory is the key of the log")?;
        }
        let app = App::new(
            registry.clone(),
            knowledge.clone(),
            access.clone(),
            Arc::clone(&health),
            app_options,
        );
        Ok(Self { listener, options, registry, knowledge, access, health, app, settings })
    }

    /// Where it will accept connections.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("cannot tell the address")
    }

    /// Whether everybody may do everything, for want of an administrator.
    pub(crate) async fn is_open(&self) -> anyhow::Result<bool> {
        Ok(self.access.is_open().await?)
    }

    /// Whether connections are encrypted.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.options.tls.is_some() { "https" } else { "http" }
    }

    /// Serves until `shutdown` completes and the requests that run then are done.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { listener, options, registry, knowledge, access, health, app, settings } = self;
        let events = knowledge.events.clone();
        let parts = background::Parts { registry: &registry, knowledge, access: &access };
        let background = background::start(parts, health, &app, &settings);
        // Who follows would stay for ever: they come back to whoever is there then.
        let shutdown = async move {
            shutdown.await;
            events.close();
        };
        let drained = listen::serve(listener, options, app, shutdown).await;
        for task in background {
            task.abort();
            // Ends with the cancellation that was just asked for.
            let _ = task.await;
        }
        if let Err(error) = access.flush_denials().await {
            tracing::error!(%error, "cannot write down what was refused of late");
        }
        registry.close().await;
        let drained = drained.context("cannot accept connections")?;
        info!(finished = drained.finished, cut = drained.cut, "stopped");
        Ok(())
    }
}

fn networks(settings: &[settings::Network]) -> Vec<plura_http::Network> {
    settings.iter().map(|network| network.network()).collect()
}

fn database(settings: &settings::Database) -> anyhow::Result<Option<DatabaseServer>> {
    let read = |path: &Path, key: &str, holds: &str| {
        std::fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .with_context(|| format!("cannot read {}", path.display()))
            .hint(format!("`{key}` names a file with {holds} alone"))
    };
    let mut server = match settings.server() {
        None => return Ok(None),
        Some(Named::Directly(url)) => DatabaseServer::new(url.expose())?,
        Some(Named::InFile(path)) => {
            let url: Result<DatabaseUrl, _> =
                read(path, "database.url_file", "the URL of a database")?.parse();
            let url = url.map_err(|expected| anyhow!("{}: {expected}", path.display()))?;
            DatabaseServer::new(url.expose())?
        }
    };
    if let Some(path) = &settings.password_file {
        server = server.password(&read(path, "database.password_file", "the password")?);
    }
    if let Some(path) = &settings.ca_file {
        server = server.certificate_authorities(path);
    }
    Ok(Some(server.max_connections(settings.max_connections.get())))
}

/// What the registry is told: all that it takes to open an installation.
pub(crate) fn registry_settings(settings: &Settings) -> anyhow::Result<plura_registry::Settings> {
    let (registry, collection) = (&settings.registry, &settings.collection);
    Ok(plura_registry::Settings {
        storage: storage(settings)?,
        database: database(&settings.database)?,
        sparse: match registry.sparse {
            settings::Sparse::None => plura_registry::Sparse::None,
            settings::Sparse::Index => plura_registry::Sparse::Index,
            settings::Sparse::All => plura_registry::Sparse::All,
        },
        upload_expiry: registry.upload_expiry.duration(),
        minimum_chunk: registry.minimum_chunk.bytes(),
        delete: registry.delete,
        manifest_limit: registry.manifest_limit.bytes(),
        blob_limit: registry.blob_limit.map(settings::ByteSize::bytes),
        grace: collection.grace.duration(),
        keep_untagged: match collection.keep_untagged {
            Keep::Forever => KeepUntagged::Forever,
            Keep::For(span) => KeepUntagged::For(span.duration()),
        },
    })
}

/// Opens access control. An address that others can reach needs somebody who lets them in.
async fn open_access(registry: &Registry, settings: &Settings) -> anyhow::Result<Access> {
    let (listen, server) = (settings.server.listen, &settings.server);
    let access = access(registry, settings).await?;
    if listen.is_loopback() || server.allow_unauthenticated || access.has_administrator().await? {
        return Ok(access);
    }
    let data = settings.data.display();
    Err(anyhow!("other machines can reach {listen}, and there is no administrator yet")).hint(
        format!("run `plura init --data {data}` to make one, or listen on 127.0.0.1 to try it"),
    )
}

/// Access control of the installation that the registry has open.
pub(crate) async fn access(registry: &Registry, settings: &Settings) -> anyhow::Result<Access> {
    let database = registry.database().clone();
    Ok(Access::open(database, Some(&settings.data), access_settings(settings)?).await?)
}

fn access_settings(settings: &Settings) -> anyhow::Result<plura_access::Settings> {
    let (access, limits) = (&settings.access, &settings.limits);
    let rate = |count: Option<settings::Count>| {
        let per_second = count.map(|count| f64::from(count.get()));
        per_second.map(|rate| Rate::new(rate, limits.burst.get())).transpose()
    };
    Ok(plura_access::Settings {
        open_without_administrator: settings.server.listen.is_loopback()
            || settings.server.allow_unauthenticated,
        create_projects: access.create_projects,
        token_life: access.token_life.duration(),
        refresh_life: access.refresh_life.duration(),
        session_life: access.session_life.duration(),
        key_rotation: access.key_rotation.duration(),
        robot_life: access.robot_life.duration(),
        robot_warning: access.robot_warning.duration(),
        oidc: oidc(settings)?,
        identity_rate: rate(limits.identity_rate)?,
        address_rate: rate(limits.address_rate)?,
    })
}

fn oidc(settings: &Settings) -> anyhow::Result<Option<OidcLogin>> {
    let oidc = &settings.access.oidc;
    let Some((issuer, client_id, secret)) = oidc.client() else { return Ok(None) };
    let public = settings.server.public_url.as_ref().map(|url| url.url().as_str());
    let base = public.unwrap_or_default().trim_end_matches('/');
    let secret = secret.map(|path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("`access.oidc.client_secret_file` names a file with the secret alone")
    });
    let provider = LoginProvider {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: secret.transpose()?.map(|text| ClientSecret::new(text.trim().to_owned())),
        redirect_uri: format!("{base}/auth/oidc/callback"),
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        groups_claim: Some(oidc.groups_claim.clone()),
    };
    Ok(Some(OidcLogin { provider, administrator_group: oidc.administrator_group.clone() }))
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
