//! The two kinds of headers, taken apart.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use super::{MOST_HOPS, Said};

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED: &str = "forwarded";

/// What `X-Forwarded-For` and `X-Forwarded-Proto` say, if there is one of them.
pub(super) fn x_forwarded(headers: &HeaderMap) -> Option<Said> {
    if !headers.contains_key(X_FORWARDED_FOR) && !headers.contains_key(X_FORWARDED_PROTO) {
        return None;
    }
    let hops = elements(headers, X_FORWARDED_FOR).map(|text| address(text?));
    let protocol = elements(headers, X_FORWARDED_PROTO).next().flatten();
    Some(Said { hops: hops.take(MOST_HOPS).collect(), tls: protocol.and_then(is_tls) })
}

/// What `Forwarded` says, if there is one.
pub(super) fn forwarded(headers: &HeaderMap) -> Option<Said> {
    if !headers.contains_key(FORWARDED) {
        return None;
    }
    let elements = elements(headers, FORWARDED).take(MOST_HOPS);
    let pairs: Vec<(Option<&str>, Option<&str>)> =
        elements.map(|element| element.map_or((None, None), by_and_protocol)).collect();
    let tls = pairs.first().and_then(|(_, protocol)| is_tls((*protocol)?));
    let hops = pairs.iter().map(|(hop, _)| address((*hop)?)).collect();
    Some(Said { hops, tls })
}

/// The elements of a header that is a list, the last first; `None` where it is not text. Empty ones
/// are none (RFC 9110, "Lists").
fn elements<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = Option<&'h str>> {
    let mut lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.reverse();
    lines.into_iter().flat_map(|line| {
        let texts = line.to_str().map(split);
        let texts = texts.map_or(vec![None], |texts| texts.into_iter().map(Some).collect());
        texts.into_iter().filter(|text| text.is_none_or(|text| !text.is_empty()))
    })
}

/// Splits a list from its end: where a quote was opened and not closed in front, what stands behind
/// it, and is what the nearest proxy wrote, is still read rightly.
fn split(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let separates = |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    };
    line.rsplit(separates).map(str::trim).collect()
}

/// The values of `for` and `proto` of an element of `Forwarded`; neither, where one is there twice.
fn by_and_protocol(element: &str) -> (Option<&str>, Option<&str>) {
    let (mut hop, mut protocol) = (None, None);
    for pair in element.split(';') {
        let Some((name, value)) = pair.trim().split_once('=') else { return (None, None) };
        let value =
            value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let slot = match name {
            _ if name.eq_ignore_ascii_case("for") => &mut hop,
            _ if name.eq_ignore_ascii_case("proto") => &mut protocol,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return (None, None);
        }
    }
    (hop, protocol)
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(inside) => inside.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok().or_else(|| text.parse().ok().map(|with: SocketAddr| with.ip())),
    };
    address.map(|address| address.to_canonical())
}

fn is_tls(protocol: &str) -> Option<bool> {
    match protocol {
        _ if protocol.eq_ignore_ascii_case("https") => Some(true),
        _ if protocol.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}
