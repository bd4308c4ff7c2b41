//! `plura demo` walks to its end. Each of its steps checks what it shows, so the end says that all
//! of them held.

use super::plura;

#[test]
fn the_demo_walks_to_its_end() {
    let outcome = plura(&["demo"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("bytes were given back"), "{outcome:?}");
    assert!(outcome.stdout.ends_with("Done. Run your own: plura serve\n"), "{outcome:?}");
}
