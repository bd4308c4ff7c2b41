//! The log as its specification has it, and who may read it.

use plura_testkit::Server;

use super::{Site, binary};

#[tokio::test]
async fn the_log_is_served_as_the_specification_says() {
    let site = Site::with(&[("PLURA_TRANSPARENCY__ORIGIN", "log.example.com/plura")]);
    let empty = site.client.get("/log/checkpoint").await.expect(200);
    assert!(empty.body.starts_with(b"log.example.com/plura\n0\n"), "{}", empty.describe());
    site.client.get("/log/tile/0/000.p/1").await.expect(404);
    site.grant("CVE-1").await;
    site.integrated(1).await;

    let checkpoint = site.client.get("/log/checkpoint").await.expect(200);
    let checkpoint = checkpoint.expect_header("content-type", "text/plain; charset=utf-8");
    assert!(checkpoint.body.starts_with(b"log.example.com/plura\n1\n"));
    let tile = site.client.get("/log/tile/0/000.p/1").await.expect(200);
    let tile = tile.expect_header("content-type", "application/octet-stream");
    assert!(tile.header("cache-control").contains("immutable"), "{}", tile.describe());
    assert_eq!(tile.body.len(), 32);
    site.client.get("/log/tile/entries/000.p/1").await.expect(200);
    for wrong in ["0/000", "0/000.p/2", "1/000.p/1", "0/001", "0/00", "x", "0/..%2f000", "64/000"] {
        site.client.get(&format!("/log/tile/{wrong}")).await.expect(404);
    }

    let status = site.status().await;
    assert_eq!((&status["size"], &status["integrated"]), (&1.into(), &1.into()));
    let key = status["keys"][0].as_str().expect("a key");
    assert!(key.starts_with("log.example.com/plura+"), "{key}");
    site.client.get("/api/v1/log/proof?index=1").await.expect(404);
    site.client.get("/api/v1/log/proof?index=1&wait=31").await.expect(400);
    site.client.get("/api/v1/log/proof?index=-1").await.expect(400);
    site.client.get("/api/v1/log/entries?limit=0").await.expect(400);
}

#[tokio::test]
async fn reading_the_log_takes_a_login_unless_it_is_public() {
    const PASSWORD: &str = "a long password for the log 71";
    for (public, expected) in [("false", 401), ("true", 200)] {
        let builder = Server::builder(binary()).env("PLURA_TRANSPARENCY__PUBLIC", public);
        let server = builder.administrator("root", PASSWORD).start();
        for path in ["/log/checkpoint", "/api/v1/log"] {
            server.client().get(path).await.expect(expected);
            server.client().basic("root", PASSWORD).get(path).await.expect(200);
        }
        for path in ["/api/v1/log/entries", "/api/v1/log/check"] {
            server.client().get(path).await.expect(401);
            server.client().basic("root", PASSWORD).get(path).await.expect(200);
        }
    }
}

/// The name of a log is part of what is signed.
#[tokio::test]
async fn a_log_keeps_its_name_and_its_key() {
    let mut site = Site::start();
    let before = site.status().await;
    let origin = before["origin"].as_str().expect("a name");
    assert!(origin.starts_with("plura.local/"), "{origin}");
    site.server.stop();
    site.server.start_again_with(&[("PLURA_SERVER__PUBLIC_URL", "https://registry.example.com")]);
    let after = site.status().await;
    assert_eq!((&after["origin"], &after["keys"]), (&before["origin"], &before["keys"]));
    site.server.stop();
    let named = [("PLURA_TRANSPARENCY__ORIGIN", "another")];
    site.server.start_again_with(&named);
    let after = site.status().await;
    assert_eq!(after["origin"], "another");
    assert!(site.server.log().contains("the log has another name"));

    let fresh = Site::with(&[("PLURA_SERVER__PUBLIC_URL", "https://registry.example.com:8443")]);
    assert_eq!(fresh.status().await["origin"], "registry.example.com:8443");
}

#[tokio::test]
async fn a_process_that_does_not_integrate_has_no_key() {
    let site = Site::with(&[("PLURA_TRANSPARENCY__INTEGRATE", "false")]);
    site.grant("CVE-1").await;
    let status = site.status().await;
    assert_eq!((&status["size"], &status["integrated"]), (&1.into(), &0.into()));
    assert!(!site.path("keys/log.key").exists());
    site.client.get("/log/checkpoint").await.expect(404);
    site.client.get("/api/v1/log/proof?index=0").await.expect(409);
}
