use crate::Place;

const ESCAPE: char = '\x1b';

#[test]
fn a_pipe_gets_colour_only_on_demand() {
    let place = Place::empty();
    let wrong = ["config", "show", "--config", "missing.toml"];
    assert!(!place.run(&wrong).contains(ESCAPE));
    assert!(place.run(&[&wrong[..], &["--color", "always"]].concat()).contains(ESCAPE));
}

#[test]
fn help_and_usage_errors_follow_the_same_wish() {
    let place = Place::empty();
    for words in [["--help"], ["--nonsense"]] {
        assert!(!place.run(&words).contains(ESCAPE));
        assert!(place.run(&[&["--color=always"], &words[..]].concat()).contains(ESCAPE));
        assert!(!place.run(&[&["--color=never"], &words[..]].concat()).contains(ESCAPE));
    }
}

#[test]
fn an_explicit_wish_is_stronger_than_no_color() {
    let arguments = ["config", "show", "--config", "missing.toml", "--color", "always"];
    assert!(Place::empty().run_with(("NO_COLOR", "1"), &arguments).contains(ESCAPE));
}
