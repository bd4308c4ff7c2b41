use super::{ORDER, Place};

#[tokio::test]
async fn the_command_line_promotes_shows_and_takes_back() {
    let mut place = Place::governed_by(ORDER).await;
    let (one, two) = (place.push().await, place.push().await);
    let dry = place.run(&format!("promote apps/search@{one} --to dev --dry-run"));
    dry.expect(0).expect_stdout("allow");
    let denied = place.run(&format!("promote apps/search@{one} --to prod"));
    denied.expect(1).expect_stdout("denied").expect_stdout("fix: promote it to stg:stable first");
    let first = place.run(&format!("promote apps/search@{one} --to dev --wait"));
    first.expect(0).expect_stdout("finished").expect_stderr("plura_rb_");
    place.run(&format!("promote apps/search@{two} --to dev --reason new")).expect(0);
    place.run("status").expect(0).expect_stdout(&two).expect_stdout("channels/dev/search:stable");
    let back = place.run("rollback apps/search --to dev --reason broken");
    back.expect(0).expect_stdout(&one).expect_stderr("plura reg release dev:stable search");
    let waits = place.run(&format!("promote apps/search@{two} --to dev"));
    waits.expect(0).expect_stdout("waiting").expect_stdout("held by");
    place.run("release dev:stable search").expect(0);
    place.run("history dev:stable search").expect(0).expect_stdout("rollback");
    place.run("metrics --repo apps/search").expect(0).expect_stdout("image_count_by_env.dev  1");
    place.run("history prod:stable search").expect(1).expect_stderr("nothing was ever promoted");
}
