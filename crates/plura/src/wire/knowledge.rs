//! What is known of images, and what is decided from it, as the settings want it.

use std::{net::SocketAddr, sync::Arc};

use plura_contents::{Contents, SbomFormat};
use plura_events::{Events, Jobs};
use plura_evidence::Evidence;
use plura_governance::{Attestor, Governance, Sources};
use plura_http::Knowledge;
use plura_registry::Registry;
use plura_rollout::Rollout;
use plura_transparency::{KeyName, Transparency};
use plura_vulnerabilities::Vulnerabilities;

use super::networks;
use crate::exit::Hint;
use crate::settings::{self, Settings};

/// What is known of the images of the registry, and what is decided from it.
pub(super) fn knowledge(
    registry: &Registry,
    settings: &Settings,
    address: SocketAddr,
) -> anyhow::Result<Knowledge> {
    let evidence = Evidence::new(registry.clone());
    let contents = Contents::new(registry.clone(), contents_settings(settings));
    let known =
        plura_vulnerabilities::Sources { contents: contents.clone(), evidence: evidence.clone() };
    let vulnerabilities =
        Vulnerabilities::new(registry.clone(), known, vulnerability_settings(settings));
    let public_url = settings.server.public_url.as_ref().map(ToString::to_string);
    let attestor = Attestor::open(&settings.data.join("keys"), public_url.as_deref())
        .hint("only the user that runs plura may read `keys` below the data directory")?;
    let transparency = Transparency::new(registry.clone(), transparency_settings(settings));
    let sources = Sources {
        evidence: evidence.clone(),
        contents: contents.clone(),
        vulnerabilities: vulnerabilities.clone(),
        rollout: Rollout::new(rollout_settings(settings)),
        attestor,
        transparency: transparency.clone(),
    };
    let governance = Governance::new(registry.clone(), sources);
    let events = Events::new(registry.clone(), event_settings(settings, address))?;
    let jobs = Jobs::new(registry.clone());
    Ok(Knowledge { evidence, contents, vulnerabilities, governance, transparency, events, jobs })
}

fn contents_settings(settings: &Settings) -> plura_contents::Settings {
    let attach_sbom = match settings.contents.attach_sbom {
        settings::AttachedSbom::None => None,
        settings::AttachedSbom::CycloneDx => Some(SbomFormat::CycloneDx),
        settings::AttachedSbom::Spdx => Some(SbomFormat::Spdx),
    };
    plura_contents::Settings { attach_sbom }
}

fn vulnerability_settings(settings: &Settings) -> plura_vulnerabilities::Settings {
    plura_vulnerabilities::Settings {
        directory: settings.data.clone(),
        longest_exception: settings.vulnerabilities.longest_exception.duration(),
        expiry_warning: settings.vulnerabilities.exception_warning.duration(),
    }
}

/// What canaries are measured by, and who moves traffic.
fn rollout_settings(settings: &Settings) -> plura_rollout::Settings {
    let settings::Rollout { timeout, prometheus, traffic } = &settings.rollout;
    let server = prometheus.url.as_ref().map(|url| plura_rollout::Prometheus {
        url: url.url().clone(),
        token_file: prometheus.token_file.clone(),
    });
    let hook = traffic.hook().map(|(url, secret_file)| plura_rollout::Traffic {
        url: url.url().clone(),
        secret_file: secret_file.to_owned(),
    });
    plura_rollout::Settings { prometheus: server, traffic: hook, timeout: timeout.duration() }
}

fn transparency_settings(settings: &Settings) -> plura_transparency::Settings {
    let host = |url: &settings::BaseUrl| -> Option<KeyName> {
        let (host, port) = (url.url().host_str()?, url.url().port());
        port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")).parse().ok()
    };
    plura_transparency::Settings {
        directory: settings.data.clone(),
        origin: settings.transparency.origin.clone(),
        default_origin: settings.server.public_url.as_ref().and_then(host),
    }
}

fn event_settings(settings: &Settings, address: SocketAddr) -> plura_events::Settings {
    let allowed = networks(&settings.events.allow_private_targets);
    let scheme = if settings.server.tls.files().is_some() { "https" } else { "http" };
    let public = settings.server.public_url.as_ref().map(|url| url.url().as_str());
    let source = public.map_or_else(|| format!("{scheme}://{address}"), str::to_owned);
    let source = source.trim_end_matches('/').to_owned();
    plura_events::Settings {
        host: source.split_once("://").map_or(source.as_str(), |(_, host)| host).to_owned(),
        source,
        is_allowed: Arc::new(move |address| {
            allowed.iter().any(|network| network.contains(address))
        }),
        secrets: settings.events.secrets.clone(),
    }
}
