use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

fn proxies() -> Vec<Network> {
    ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec()
}

/// The client's address, and whether its connection is encrypted, of a request that `peer` sends with
/// these headers. `None` for a refusal.
fn seen(peer: &str, headers: &[(&str, &str)]) -> Option<(String, bool)> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let peer = SocketAddr::new(peer.parse().unwrap(), 4321);
    let peer = Connection { peer, tls: false, client: None };
    let seen = connection(&peer, &map, &proxies()).ok()?;
    assert_eq!(seen.peer.port(), 4321);
    Some((seen.peer.ip().to_string(), seen.tls))
}

#[track_caller]
fn check(peer: &str, headers: &[(&str, &str)], client: &str) {
    assert_eq!(
        seen(peer, headers).map(|(client, _)| client).as_deref(),
        Some(client),
        "{headers:?}"
    );
}

#[test]
fn of_a_stranger_nothing_is_believed() {
    for peer in ["203.0.113.1", "11.0.0.1", "2001:db8::1", "127.0.0.1"] {
        for header in [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=192.0.2.1;proto=https"),
            ("x-forwarded-proto", "https"),
        ] {
            let expected = (peer.to_owned(), false);
            assert_eq!(seen(peer, &[header]), Some(expected), "{header:?}");
        }
        // Nor is anything refused.
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        check(peer, &both, peer);
    }
}

#[test]
fn the_client_is_the_last_address_that_is_no_proxy() {
    for (list, client) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("192.0.2.1,10.0.0.2 ,\tfd00::2", "192.0.2.1"),
        // What the client wrote itself stands in front.
        ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("nonsense, 192.0.2.1", "192.0.2.1"),
        ("\", 192.0.2.1", "192.0.2.1"),
        (", ,192.0.2.1, ,", "192.0.2.1"),
        ("192.0.2.1:55555", "192.0.2.1"),
        ("[2001:db8::1]:55555", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
        // Where it breaks off, the last proxy that can be told stands for the client.
        ("192.0.2.1, unknown", "10.0.0.1"),
        ("192.0.2.1, 300.0.0.1", "10.0.0.1"),
        ("192.0.2.1, 0300.0.0.1", "10.0.0.1"),
        ("192.0.2.1, [192.0.2.2]", "10.0.0.1"),
        ("192.0.2.1 192.0.2.2", "10.0.0.1"),
        ("192.0.2.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("", "10.0.0.1"),
    ] {
        check("10.0.0.1", &[("x-forwarded-for", list)], client);
    }
    check("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1");
    // Several lines are one list.
    let lines = [("x-forwarded-for", "198.51.100.7"), ("X-Forwarded-For", "192.0.2.1, 10.0.0.2")];
    check("10.0.0.1", &lines, "192.0.2.1");
    check(
        "10.0.0.1",
        &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "\u{e4}")],
        "10.0.0.1",
    );
}

#[test]
fn the_standard_header_is_read_alike() {
    for (list, client) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"192.0.2.1:80\";Proto=https;by=10.0.0.1", "192.0.2.1"),
        ("for=\"[2001:db8::1]:80\"", "2001:db8::1"),
        ("for=198.51.100.7, for=192.0.2.1;host=a, for=10.0.0.2", "192.0.2.1"),
        ("for=\"a,b\", for=192.0.2.1", "192.0.2.1"),
        ("for=\"192.0.2.9, for=192.0.2.1", "192.0.2.1"),
        ("for=unknown", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("192.0.2.1", "10.0.0.1"),
        ("for=192.0.2.1;for=192.0.2.2", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
    ] {
        check("10.0.0.1", &[("forwarded", list)], client);
    }
}

#[test]
fn the_last_proxy_says_whether_it_was_encrypted() {
    let tls = |headers: &[(&str, &str)]| seen("10.0.0.1", headers).map(|(_, tls)| tls);
    assert_eq!(tls(&[("x-forwarded-proto", "https")]), Some(true));
    assert_eq!(tls(&[("x-forwarded-proto", "HTTPS")]), Some(true));
    assert_eq!(tls(&[("x-forwarded-proto", "https, http")]), Some(false));
    assert_eq!(tls(&[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")]), Some(false));
    assert_eq!(tls(&[("x-forwarded-proto", "javascript")]), Some(false));
    assert_eq!(tls(&[("forwarded", "for=192.0.2.1;proto=https")]), Some(true));
    assert_eq!(tls(&[("forwarded", "proto=https, for=192.0.2.1")]), Some(false));
    assert_eq!(tls(&[("x-forwarded-for", "192.0.2.1")]), Some(false));
}

/// A proxy that writes one kind lets the other through, from whoever wrote it.
#[test]
fn kinds_that_contradict_each_other_are_refused() {
    let both = |common, standard| {
        seen("10.0.0.1", &[("x-forwarded-for", common), ("forwarded", standard)])
    };
    assert_eq!(both("192.0.2.1", "for=192.0.2.1"), Some(("192.0.2.1".to_owned(), false)));
    assert_eq!(both("192.0.2.1", "for=198.51.100.7"), None);
    assert_eq!(both("198.51.100.7", "for=192.0.2.1"), None);
    assert_eq!(both("192.0.2.1", "for=unknown"), None);
    assert_eq!(both("192.0.2.1", "for=192.0.2.1;proto=https"), None);
    let forged = [("x-forwarded-proto", "http"), ("forwarded", "for=192.0.2.1;proto=https")];
    assert_eq!(seen("10.0.0.1", &forged), None);
}

#[test]
fn a_chain_without_end_has_one_here() {
    let list = |hops: usize| vec!["10.0.0.2"; hops].join(",");
    for hops in [MOST_HOPS - 1, MOST_HOPS, MOST_HOPS + 1, 10_000] {
        let list = format!("192.0.2.1,{}", list(hops));
        let client = if hops < MOST_HOPS { "192.0.2.1" } else { "10.0.0.2" };
        check("10.0.0.1", &[("x-forwarded-for", &list)], client);
        let list = list.split(',').map(|hop| format!("for={hop}")).collect::<Vec<_>>().join(",");
        check("10.0.0.1", &[("forwarded", &list)], client);
    }
}

proptest! {
    /// Whatever a client writes in front of what its proxy adds, it is who it is.
    #[test]
    fn nothing_in_front_changes_who_it_is(written in "[ -~\t]{0,80}") {
        let list = format!("{written},192.0.2.1, 10.0.0.2");
        check("10.0.0.1", &[("x-forwarded-for", &list)], "192.0.2.1");
        let lines = [("x-forwarded-for", written.as_str()), ("x-forwarded-for", "192.0.2.1")];
        check("10.0.0.1", &lines, "192.0.2.1");
    }
}
