//! Clients behind proxies: what a trusted proxy says about whom it forwards a request for.
//!
//! Each proxy adds the address that it was connected to from at the end of `X-Forwarded-For`, or of
//! `Forwarded` (RFC 7239). What stands before that was there when the request reached it: anybody may
//! have written it. So the list is read from its end, and the first address that is not a trusted
//! proxy's is the client's. From peers that are not trusted, nothing of it is read.

mod header;

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use plura_oci::ErrorCode;

use crate::{error::ApiError, listen::Connection, network::Network};

/// Proxies that are looked past; of a longer chain the last one that was is taken for the client.
const MOST_HOPS: usize = 32;

/// What one kind of header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// The addresses, the last first; `None` for what is not an address.
    hops: Vec<Option<IpAddr>>,
    /// Whether the client's connection is encrypted, as the last proxy says.
    tls: Option<bool>,
}

/// The connection as it is at the client's end: that of the peer, unless a proxy that is trusted
/// forwards for another.
pub(crate) fn connection(
    peer: &Connection,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Result<Connection, ApiError> {
    if !is_trusted(peer.peer.ip(), trusted) {
        return Ok(peer.clone());
    }
    let (common, standard) = (header::x_forwarded(headers), header::forwarded(headers));
    let said = match (common, standard) {
        (None, None) => return Ok(peer.clone()),
        (Some(said), None) | (None, Some(said)) => said,
        // A proxy writes one of them; the other came through it, from anybody. Which is which is not
        // known here.
        (Some(common), Some(standard)) => agreed(peer, common, &standard, trusted)?,
    };
    let client = client(peer.peer.ip(), &said.hops, trusted);
    let mut connection = peer.clone();
    // A certificate is the proxy's, and proves nothing about whom it forwards for.
    connection.client = None;
    connection.tls = said.tls.unwrap_or(peer.tls);
    connection.peer.set_ip(client);
    Ok(connection)
}

fn agreed(
    peer: &Connection,
    common: Said,
    standard: &Said,
    trusted: &[Network],
) -> Result<Said, ApiError> {
    let client = |said: &Said| client(peer.peer.ip(), &said.hops, trusted);
    if client(&common) == client(standard) && (common.tls == standard.tls || standard.tls.is_none())
    {
        return Ok(common);
    }
    let message = "`Forwarded` and `X-Forwarded-For` or `X-Forwarded-Proto` contradict each other; the \
                   proxy in front of the registry has to set one kind and remove the other";
    Err(ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::Invalid, message))
}

/// The first address from the end that is not a proxy's. Where something else than an address stands,
/// or nothing more, it is the last proxy that can be told.
fn client(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut known = peer;
    for hop in hops.iter().take(MOST_HOPS) {
        let Some(address) = hop else { return known };
        known = *address;
        if !is_trusted(known, trusted) {
            return known;
        }
    }
    known
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests;
