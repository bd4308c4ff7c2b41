//! Who may sign: whoever may push, with a login that is kept or an API token.

use super::Workbench;
use crate::access::ClosedServer;

const IMAGE: &str = "apps/web:v1";

#[tokio::test]
async fn whoever_may_push_signs_and_whoever_may_pull_verifies() {
    let mut closed = ClosedServer::start();
    closed.project("apps").await;
    let developer = closed.member("alice", "developer", "apps").await;
    let reader = closed.member("bob", "reader", "apps").await;
    closed.image("apps/web").await;
    let tokens = [
        closed.api_token(&developer, &["repository:apps/**:pull,push"]).await.1,
        closed.api_token(&developer, &["repository:apps/**:pull"]).await.1,
    ];
    let mut bench = Workbench::at(closed.server);
    let sign = format!("sign {IMAGE} --key alice.key");
    let verify = format!("verify {IMAGE} --key alice.pub");
    bench.run(&sign).expect(2).expect_stderr("hint: log in");
    let log_in = |bench: &Workbench, name: &str, secret: &str| {
        let command = format!("login --user {name} --password-stdin {}", bench.server.base());
        bench.run_with(&command, &format!("{secret}\n")).expect(0);
    };
    log_in(&bench, &reader.name, &reader.secret);
    bench.run(&sign).expect(1);
    bench.run(&verify).expect(1).expect_stdout("it has no signature");
    // An identity token is kept, and exchanged for one that may push.
    log_in(&bench, &developer.name, &developer.secret);
    bench.run(&sign).expect(0);
    bench.run(&verify).expect(0);
    bench.run(&format!("{sign} --form tag")).expect(0);
    // Whom to trust is not theirs to say.
    let set = "trust policy set release --repositories apps/** --key alice.pub";
    bench.run(set).expect(1);
    log_in(&bench, &reader.name, &reader.secret);
    bench.run(&verify).expect(0);

    let [pushes, pulls] = tokens;
    bench.token = pulls;
    bench.run(&sign).expect(1);
    bench.run(&verify).expect(0);
    bench.token = pushes;
    bench.run(&format!("sign {IMAGE} --key bob.key")).expect(0);
    bench.run(&format!("{verify} --key bob.pub --required 2")).expect(0);
}
