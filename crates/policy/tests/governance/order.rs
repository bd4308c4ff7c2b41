//! How channels follow one another, and when they may be moved.

use plura_policy::{document::ChannelError, gate::Effect};

use crate::given::{decide, governance, hours_ago, image, in_hours, now, stable};

const ORDER: &str = r#"
[[channels]]
name = "stg"

[[channels]]
name = "prod:candidate"
from = ["stg"]

[[channels]]
name = "prod:stable"
repositories = ["apps/**"]
from = ["prod:candidate"]
soak = "90m"
windows = ["noon", "night"]

[windows.noon]
time_zone = "Asia/Seoul"
days = ["friday"]
from = "11:00"
to = "13:00"

[windows.night]
time_zone = "UTC"
from = "22:00"
to = "04:00"

[[freezes]]
name = "launch"
reason = "the launch"
from = "2026-11-24"
to = "2026-11-25"
channels = ["prod:*"]
"#;

#[test]
fn an_image_stays_where_it_was_for_long_enough() {
    let governance = governance(ORDER);
    let mut facts = image();
    let decision = decide(&governance, &facts);
    assert_eq!(decision.effect, Effect::Wait);
    assert_eq!(decision.blocking().next().unwrap().until, Some(hours_ago(-1) - minutes(30)));
    facts.channels[0].since = hours_ago(2);
    assert_eq!(decide(&governance, &facts).effect, Effect::Allow);
    facts.channels.clear();
    let decision = decide(&governance, &facts);
    assert_eq!(decision.effect, Effect::Deny);
    assert!(decision.to_string().contains("promote it to prod:candidate first"), "{decision}");
}

fn minutes(minutes: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_mins(minutes)
}

#[test]
fn channels_move_within_windows_and_not_in_a_freeze() {
    let governance = governance(ORDER);
    let mut facts = image();
    facts.channels[0].since = hours_ago(2);
    let at = |now: &str| {
        let decision = governance.decide(&facts, &stable(), now.parse().unwrap()).unwrap();
        let blocking: Vec<String> = decision.blocking().map(|one| one.gate.clone()).collect();
        let until = decision.blocking().filter_map(|one| one.until).max();
        (blocking.join(" "), until.map(|until| until.to_string()))
    };
    let clear = (String::new(), None);
    assert_eq!(at("2026-11-20T03:00:00Z"), clear, "noon in Seoul, on a Friday");
    let closed = ("window".to_owned(), Some("2026-11-20T22:00:00Z".to_owned()));
    assert_eq!(at("2026-11-20T04:00:00Z"), closed);
    assert_eq!(at("2026-11-20T22:00:00Z"), clear);
    let frozen = ("freeze".to_owned(), Some("2026-11-26T00:00:00Z".to_owned()));
    assert_eq!(at("2026-11-24T00:00:00Z"), frozen);
    assert_eq!(at("2026-11-25T23:59:59Z"), frozen);
    let both = ("window freeze".to_owned(), Some("2026-11-26T00:00:00Z".to_owned()));
    assert_eq!(at("2026-11-25T12:00:00Z"), both);
    assert_eq!(at("2026-11-26T00:00:00Z"), clear);
}

#[test]
fn a_decision_holds_until_time_changes_it() {
    let governance = governance(ORDER);
    let mut facts = image();
    facts.channels[0].since = hours_ago(2);
    let decision = decide(&governance, &facts);
    assert_eq!(decision.until, Some(in_hours(1)), "when the window closes");
    assert_eq!(decision.decided_at, now());
    assert_eq!(decision.policy, governance.source);
    assert_eq!(decision.facts, facts.digest());
}

#[test]
fn what_is_no_channel_is_said() {
    let governance = governance(ORDER);
    let unknown = governance.decide(&image(), &"prod:blue".parse().unwrap(), now());
    let Err(ChannelError::Unknown { known, .. }) = &unknown else { panic!("{unknown:?}") };
    assert_eq!(known.len(), 3);
    let mut facts = image();
    facts.repository = "charts/search".parse().unwrap();
    let other = governance.decide(&facts, &stable(), now());
    assert!(matches!(other, Err(ChannelError::OtherRepository { .. })), "{other:?}");
}

#[test]
fn what_is_in_a_channel_is_not_asked_how_it_came_there() {
    let gates = "[gates.g]\nnon_root = {}\napprovals = {}\nchecks = { required = [\"x\"] }\n";
    let channels = ORDER.replace("soak = \"90m\"", "soak = \"90m\"\ngates = [\"g\"]");
    let governance = governance(&format!("{channels}{gates}"));
    let facts = image();
    let frozen = "2026-11-24T12:00:00Z".parse().unwrap();
    assert_ne!(governance.decide(&facts, &stable(), frozen).unwrap().effect, Effect::Allow);
    let staying = governance.verify(&facts, &stable(), frozen).unwrap();
    let asked: Vec<&str> = staying.outcomes.iter().map(|one| one.gate.as_str()).collect();
    assert_eq!(
        (asked.as_slice(), staying.effect),
        (["blocked", "non_root"].as_slice(), Effect::Allow)
    );
}
