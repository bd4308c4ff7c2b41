//! With a real Prometheus, which `scripts/install-test-tools` installs.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use plura_policy::{TimeSpan, analysis::Measured};
use plura_rollout::Rollout;
use plura_testkit::{WebReply, WebServer};

use crate::given::{about, measuring, metric};

/// A server that is killed with its handle.
struct Running {
    rollout: Rollout,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended by itself was told of by the test that could not ask it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(exporter: &WebServer) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let target = exporter.url().strip_prefix("http://").expect("an address");
    let settings = format!(
        "scrape_configs:\n- job_name: test\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  \
         static_configs:\n  - targets: ['{target}']\n"
    );
    let file = directory.path().join("prometheus.yml");
    fs::write(&file, settings).expect("a file");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("a free port");
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is installed, see scripts/install-test-tools");
    let rollout = measuring(&format!("http://{address}"), None, Duration::from_secs(5));
    Running { rollout, process, _directory: directory }
}

#[tokio::test]
async fn a_real_prometheus_is_understood() {
    let figures = |digest: String, value: u8| format!("errors{{digest=\"{digest}\"}} {value}\n");
    let (new, old) = (about().digest.to_string(), about().previous.unwrap().to_string());
    let text = figures(new, 7) + &figures(old, 3);
    let exporter = WebServer::start([WebReply::Status(200, text)]).await;
    let running = start(&exporter);
    let mut compared =
        metric("errors{digest=\"{{digest}}\"}", Some("errors{digest=\"{{previous}}\"}"));
    compared.every = TimeSpan::from_seconds(1);
    let single = metric("errors{digest=\"{{digest}}\"}", None);
    let since = Timestamp::now();
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let now = Timestamp::now();
        let one = running.rollout.measure(&single, &about(), since, now).await;
        let both = running.rollout.measure(&compared, &about(), since, now).await;
        if let (Measured::Number(number), Measured::Samples(samples)) = (&one.value, &both.value)
            && samples.canary.len() >= 3
            && samples.baseline.len() >= 3
        {
            assert_eq!(number.to_string(), "7");
            assert!(samples.canary.iter().all(|figure| figure.to_string() == "7"), "{samples:?}");
            assert!(samples.baseline.iter().all(|figure| figure.to_string() == "3"), "{samples:?}");
            break;
        }
        assert!(Instant::now() < deadline, "{one:?} {both:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let now = Timestamp::now();
    let wrong = running.rollout.measure(&metric("errors{", None), &about(), since, now).await;
    assert!(wrong.missing().is_some_and(|why| why.starts_with("400: ")), "{wrong:?}");
    let several = running.rollout.measure(&metric("errors", None), &about(), since, now).await;
    assert!(several.missing().is_some_and(|why| why.contains("2 numbers")), "{several:?}");
}
