use std::collections::BTreeSet;

use crate::{Place, data};

#[test]
fn the_main_page_goes_to_standard_output() {
    let page = data(Place::empty().plura(&["man"]));
    assert!(page.contains(".TH plura 1"), "{page}");
}

#[test]
fn a_directory_gets_a_page_for_each_command() {
    let place = Place::empty();
    data(place.plura(&["man", "--directory", "share/man1"]));
    let pages = std::fs::read_dir(place.path().join("share/man1")).expect("it was made");
    let pages: BTreeSet<_> =
        pages.map(|page| page.expect("the page is listed").file_name()).collect();
    for name in ["plura.1", "plura-config.1", "plura-config-show.1", "plura-version.1"] {
        assert!(pages.contains(std::ffi::OsStr::new(name)), "{name} is missing: {pages:?}");
    }
}

#[test]
fn completion_knows_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = data(Place::empty().plura(&["completion", shell]));
        assert!(script.contains("config"), "{shell}");
    }
}
