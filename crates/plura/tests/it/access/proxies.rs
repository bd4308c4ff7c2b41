//! Clients behind proxies: who they are counts, and only who is trusted says so.

use plura_testkit::{Client, eventually};

use super::Closed;

const WRONG: &str = "not the password of anybody";

/// Guesses until it is locked; whether that was ever.
async fn is_locked_out(client: &Client) -> bool {
    for _ in 0..12 {
        if client.basic("root", WRONG).get("/v2/").await.expect_one_of(&[401, 429]).status == 429 {
            return true;
        }
    }
    false
}

fn behind(client: &Client, address: &str) -> Client {
    client.sending("x-forwarded-for", address)
}

async fn addresses(closed: &Closed) -> Vec<String> {
    let entries = closed.audit("&action=login&outcome=denied").await;
    let mut addresses: Vec<_> =
        entries.iter().map(|entry| entry["address"].as_str().expect("text").to_owned()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

#[tokio::test]
async fn without_a_trusted_proxy_nobody_says_who_a_client_is() {
    for settings in [&[][..], &[("PLURA_SERVER__TRUSTED_PROXIES", r#"["192.0.2.0/24"]"#)]] {
        let closed = Closed::with(settings);
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.1"),
            ("x-forwarded-for", "192.0.2.1, 203.0.113.1"),
            ("forwarded", "for=203.0.113.1"),
            ("x-real-ip", "203.0.113.1"),
        ] {
            let client = closed.client.sending(name, value).bearer("nonsense");
            client.get("/v2/").await.expect(401);
        }
        assert_eq!(addresses(&closed).await, ["127.0.0.1"]);
        let answer = closed.client.sending("x-forwarded-proto", "https").get("/v2/").await;
        let challenge = answer.expect(401).header("www-authenticate").to_owned();
        assert!(challenge.contains("realm=\"http://"), "{challenge}");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_one_of_its_own() {
    let trusted = r#"["127.0.0.1/32", "10.0.0.0/8"]"#;
    let closed = Closed::with(&[("PLURA_SERVER__TRUSTED_PROXIES", trusted)]);
    let (guesser, other) =
        (behind(&closed.client, "203.0.113.1"), behind(&closed.client, "203.0.113.2"));
    assert!(is_locked_out(&guesser).await);
    // Whatever it writes in front of what the proxy adds.
    for forged in ["203.0.113.2, 203.0.113.1", "127.0.0.1,203.0.113.1, 10.0.0.7"] {
        let again = behind(&closed.client, forged).basic("root", &closed.root_password);
        again.get("/v2/").await.expect_error(429, "TOOMANYREQUESTS");
    }
    other.basic("root", &closed.root_password).get("/v2/").await.expect(200);
    // The proxy itself is another one, as is whoever it cannot tell.
    for unknown in ["unknown", "203.0.113.1, nonsense", ""] {
        behind(&closed.client, unknown).bearer("nonsense").get("/v2/").await.expect(401);
    }
    assert_eq!(addresses(&closed).await, ["127.0.0.1", "203.0.113.1"]);
    let secure = other.sending("x-forwarded-proto", "https").get("/v2/").await.expect(401);
    assert!(secure.header("www-authenticate").contains("realm=\"https://"));
    let both = other.sending("forwarded", "for=198.51.100.7");
    both.get("/v2/").await.expect_error(400, "INVALID");
    let root = closed.account("root", &closed.root_password);
    let let_in = || async {
        let client = behind(&root.client, "203.0.113.1");
        (client.get("/v2/").await.status == 200).then_some(())
    };
    eventually("the lock ends", let_in).await;
}

#[tokio::test]
async fn rates_are_those_of_clients() {
    let closed = Closed::with(&[
        ("PLURA_SERVER__TRUSTED_PROXIES", r#"["127.0.0.0/8"]"#),
        ("PLURA_LIMITS__ADDRESS_RATE", "1"),
        ("PLURA_LIMITS__BURST", "3"),
    ]);
    let one = behind(&closed.client, "203.0.113.1");
    let mut refused = false;
    for _ in 0..20 {
        refused |= one.get("/auth/token").await.expect_one_of(&[200, 429]).status == 429;
    }
    assert!(refused);
    behind(&closed.client, "203.0.113.2").get("/auth/token").await.expect(200);
}
