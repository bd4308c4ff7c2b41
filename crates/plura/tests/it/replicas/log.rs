//! The log of several replicas is one log.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use crate::log::{grant, integrated};

#[tokio::test]
async fn what_is_decided_at_any_replica_is_in_one_log_soon() {
    let mut cluster = Cluster::start(2, &[]);
    let clients = cluster.clients();
    for round in 0..10_u32 {
        for (number, client) in clients.iter().enumerate() {
            grant(client, &format!("CVE-{round}-{number}")).await;
        }
    }
    let begun = Instant::now();
    for client in &clients {
        integrated(client, 20).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
    // Every replica serves what any of them wrote.
    let mut seen = BTreeSet::new();
    for client in &clients {
        let tile = client.get("/log/tile/entries/000.p/20").await.expect(200);
        seen.insert(tile.body.to_vec());
        client.get("/api/v1/log/proof?index=7").await.expect(200);
        let check = client.get("/api/v1/log/check").await.expect(200).json();
        assert_eq!(check["findings"], serde_json::json!([]));
        let status = client.get("/api/v1/log").await.expect(200).json();
        assert_eq!(status["keys"].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(seen.len(), 1);
    cluster.stop();
    cluster.check_sound();
}

#[tokio::test]
async fn the_others_go_on_when_a_replica_is_killed() {
    let mut cluster = Cluster::start(2, &[]);
    let clients = cluster.clients();
    let mut servers = cluster.take_servers();
    for round in 0..5_u32 {
        grant(&clients[0], &format!("CVE-{round}")).await;
    }
    servers[0].kill_hard();
    grant(&clients[1], "CVE-9").await;
    integrated(&clients[1], 6).await;
    let check = clients[1].get("/api/v1/log/check").await.expect(200).json();
    assert_eq!(check["findings"], serde_json::json!([]));
    servers[0].start_again();
    integrated(&clients[0], 6).await;
    cluster.give_servers(servers);
    cluster.stop();
    cluster.check_sound();
}
