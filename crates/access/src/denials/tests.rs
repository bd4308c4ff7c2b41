use plura_meta::audit::Outcome;

use super::*;

const HOME: &str = "192.0.2.1";

fn origin(actor: &str, address: &str) -> Origin {
    Origin { actor: actor.to_owned(), address: address.to_owned(), ..Origin::system() }
}

fn event(target: &str) -> Event {
    let detail = json!({ "reason": "no" }).to_string();
    Event { outcome: Outcome::Denied, detail, ..Event::done("login", target) }
}

/// What was refused, and how much of it the rows stand for.
#[derive(Default)]
struct Ledger {
    denials: Denials,
    refused: u64,
    written: u64,
    rows: usize,
}

impl Ledger {
    fn refuse(&mut self, actor: &str, address: &str, target: &str, now: Instant) -> Noted {
        self.refused += 1;
        let noted = self.denials.note(&origin(actor, address), &event(target), now);
        if noted == Noted::First {
            self.written += 1;
            self.rows += 1;
        }
        noted
    }

    fn write(&mut self, begun_by: Instant) -> Vec<(Origin, Event)> {
        let rows = self.denials.take(begun_by).rows();
        for (_, event) in &rows {
            let detail: Value = serde_json::from_str(&event.detail).unwrap();
            assert!(detail["reason"].is_string() && event.outcome == Outcome::Denied, "{event:?}");
            self.written += detail["count"].as_u64().unwrap();
        }
        self.rows += rows.len();
        rows
    }
}

#[test]
fn what_is_alike_is_written_down_first_and_last() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    assert_eq!(ledger.refuse("anonymous", HOME, "account:dora", start), Noted::First);
    for _ in 0..1000 {
        assert_eq!(ledger.refuse("anonymous", HOME, "account:dora", start), Noted::Counted);
    }
    // Another name, address or target is something else.
    assert_eq!(ledger.refuse("dora", HOME, "account:dora", start), Noted::First);
    assert_eq!(ledger.refuse("anonymous", "192.0.2.2", "account:dora", start), Noted::First);
    assert_eq!(ledger.refuse("anonymous", HOME, "account:rita", start), Noted::First);
    assert!(ledger.write(start.checked_sub(WINDOW).unwrap()).is_empty(), "the window is open");
    let rows = ledger.write(start);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let detail: Value = serde_json::from_str(&rows[0].1.detail).unwrap();
    assert_eq!((&detail["count"], &rows[0].1.target), (&json!(1000), &"account:dora".to_owned()));
    assert!(ledger.write(start).is_empty());
    // It begins anew.
    assert_eq!(ledger.refuse("anonymous", HOME, "account:dora", start + WINDOW), Noted::First);
    assert_eq!(ledger.written, ledger.refused);
}

#[test]
fn one_address_does_not_fill_the_audit() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    for target in 0..10_000 {
        ledger.refuse("anonymous", HOME, &target.to_string(), start);
    }
    // The network of 64 bits is one address.
    for target in 0..10_000 {
        let address = format!("2001:db8::{target:x}");
        ledger.refuse("anonymous", &address, &target.to_string(), start);
    }
    assert_eq!(ledger.refuse("anonymous", "192.0.2.2", "x", start), Noted::First);
    let rows = ledger.write(start);
    let mut places: Vec<_> = rows.iter().map(|(origin, _)| origin.address.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, [HOME, "2001:db8::/64"]);
    assert_eq!(ledger.rows, 2 * MOST_ROWS as usize + 3);
    assert_eq!(ledger.written, ledger.refused);
}

#[test]
fn memory_is_bounded_whoever_asks() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    for number in 0..20_000_u32 {
        let address = std::net::Ipv4Addr::from_bits(number << 8).to_string();
        ledger.refuse("anonymous", &address, &number.to_string(), start);
        ledger.refuse("anonymous", &address, "the same", start);
        ledger.refuse("anonymous", &address, "the same", start);
    }
    {
        let counts = ledger.denials.counts();
        assert!(counts.repeated.len() <= MOST_REPEATED, "{}", counts.repeated.len());
        assert!(counts.tallies.len() <= MOST_ADDRESSES + 1, "{}", counts.tallies.len());
    }
    ledger.write(start);
    assert!(ledger.rows <= 2 * MOST_REPEATED + MOST_ADDRESSES + 1, "{}", ledger.rows);
    assert_eq!(ledger.written, ledger.refused);
}

#[test]
fn what_cannot_be_written_down_is_counted_on() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    for target in ["a", "a", "a"].into_iter().chain(["b"; 5]) {
        ledger.refuse("anonymous", HOME, target, start);
    }
    for target in 0..500 {
        ledger.refuse("anonymous", HOME, &target.to_string(), start);
    }
    let taken = ledger.denials.take(start);
    assert_eq!(taken.rows().len(), 3);
    ledger.refuse("anonymous", HOME, "a", start);
    ledger.refuse("anonymous", HOME, "a", start);
    ledger.denials.put_back(taken);
    ledger.write(start);
    assert_eq!(ledger.written, ledger.refused);
    // Who is answered that the server could not look was not refused; the next one is the first.
    ledger.refuse("anonymous", HOME, "c", start);
    ledger.denials.not_recorded(&origin("anonymous", HOME), &event("c"));
    assert_eq!(ledger.refuse("anonymous", HOME, "c", start), Noted::First);
    assert_eq!(ledger.refuse("anonymous", HOME, "c", start), Noted::Counted);
}

#[test]
fn a_reason_has_a_bearable_length() {
    let detail = json!({ "reason": "x".repeat(100_000), "subject": "s" }).to_string();
    let event = bounded(Event { detail, ..event("x") });
    assert!(event.detail.len() < 2 * LONGEST_REASON, "{}", event.detail.len());
    assert!(event.detail.contains(r#""subject":"s""#));
}
