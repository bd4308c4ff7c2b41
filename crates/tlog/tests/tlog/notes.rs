//! Notes, checkpoints and keys that follow each other.

use plura_tlog::{
    Checkpoint, EMPTY_ROOT, KeyName, MAX_SIGNATURES, Note, NoteError, ParseCheckpointError,
    SigningKey, VerifierKey,
};
use proptest::prelude::*;

const ORIGIN: &str = "registry.example.com/log";

fn name() -> KeyName {
    ORIGIN.parse().expect("a name")
}

fn key() -> SigningKey {
    SigningKey::generate(name()).expect("a key")
}

fn open(note: &str, keys: &[VerifierKey]) -> Result<Checkpoint, ParseCheckpointError> {
    Checkpoint::open(note.as_bytes(), ORIGIN, keys).map(|(checkpoint, _)| checkpoint)
}

#[test]
fn a_key_follows_another() {
    let (old, new) = (key(), key());
    let (knows_old, knows_new) = ([old.verifier().clone()], [new.verifier().clone()]);
    let checkpoint = Checkpoint::new(&name(), 0, EMPTY_ROOT);
    let both = checkpoint.sign(&[&old, &new]).expect("signed");
    assert_eq!(open(&both, &knows_old).as_ref(), Ok(&checkpoint));
    assert_eq!(open(&both, &knows_new).as_ref(), Ok(&checkpoint));
    let keys = [old.verifier().clone(), new.verifier().clone()];
    let (_, signers) = Checkpoint::open(both.as_bytes(), ORIGIN, &keys).expect("believed");
    assert_eq!(signers, [&keys[0], &keys[1]]);
    let later = checkpoint.sign(&[&new]).expect("signed");
    assert_eq!(open(&later, &knows_old), Err(NoteError::Unsigned.into()));
    assert_eq!(open(&later, &[]), Err(NoteError::Unsigned.into()));
    assert!(checkpoint.sign(&[]).is_err());
}

#[test]
fn a_wrong_signature_in_the_name_of_a_known_key_spoils_the_note() {
    let (one, other) = (key(), key());
    let checkpoint = Checkpoint::new(&name(), 0, EMPTY_ROOT).sign(&[&one, &other]).expect("signed");
    let keys = [one.verifier().clone(), other.verifier().clone()];
    let (text, last) = checkpoint.trim_end().rsplit_once('\n').expect("two signatures");
    let (_, encoded) = last.rsplit_once(' ').expect("a signature");
    let swapped = if encoded.contains('A') { ("A", "B") } else { ("a", "b") };
    let at = encoded.rfind(swapped.0).filter(|at| *at > 8 && *at < encoded.len() - 4);
    if let Some(at) = at {
        let mut forged = encoded.to_owned();
        forged.replace_range(at..=at, swapped.1);
        let note = format!("{text}\n{}\n", last.replace(encoded, &forged));
        assert_eq!(open(&note, &keys), Err(NoteError::Forged(name()).into()));
        assert!(open(&note, &keys[..1]).is_ok(), "who does not know the key passes it over");
    }
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let key = SigningKey::generate("other.example.com".parse().expect("a name")).expect("a key");
    let other =
        Checkpoint::new(key.verifier().name(), 0, EMPTY_ROOT).sign(&[&key]).expect("signed");
    let opened = open(&other, &[key.verifier().clone()]);
    assert_eq!(opened, Err(ParseCheckpointError::OtherOrigin(ORIGIN.to_owned())));
}

#[test]
fn a_secret_is_not_shown() {
    let key = key();
    let text = key.to_text();
    let secret = text.rsplit_once('+').expect("three fields").1;
    assert!(!format!("{key:?}").contains(secret));
}

#[test]
fn what_is_no_note_is_refused() {
    let line = "\u{2014} name AAAAAAA=\n";
    assert!(Note::from_bytes(format!("text\n\n{line}").as_bytes()).is_ok());
    assert!(Note::from_bytes(format!("te\n\nxt\n\n{line}").as_bytes()).is_ok());
    for wrong in [
        String::new(),
        "\n\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{line}"),
        format!("text\n\n{line}\n"),
        format!("text\n\n{}", line.trim_end()),
        format!("te\rxt\n\n{line}"),
        format!("te\0xt\n\n{line}"),
        format!("text\n\n-{line}"),
        "text\n\n- name AAAAAAA=\n".to_owned(),
        "text\n\n\u{2014} name AAAAAAA\n".to_owned(),
        "text\n\n\u{2014} name AAAAAAB=\n".to_owned(),
        "text\n\n\u{2014} name AAAA\n".to_owned(),
        "text\n\n\u{2014} na+me AAAAAAA=\n".to_owned(),
        "text\n\n\u{2014}  AAAAAAA=\n".to_owned(),
        "text\n\n\u{2014} na\u{a0}me AAAAAAA=\n".to_owned(),
        format!("text\n\n{}", line.repeat(MAX_SIGNATURES + 1)),
        format!("{}\n\n{line}", "x".repeat(200_000)),
    ] {
        assert!(Note::from_bytes(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
    assert!(Note::from_bytes(b"\xff\n\n").is_err());
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = EMPTY_ROOT.to_string();
    assert!(Checkpoint::from_text(&format!("o\n0\n{root}\n")).is_ok());
    assert!(Checkpoint::from_text(&format!("o\n1\n{root}\nmore\nand more\n")).is_ok());
    for wrong in [
        String::new(),
        "\n".to_owned(),
        format!("\n1\n{root}\n"),
        format!("o\n01\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        format!("o\n1\n{root}"),
        format!("o\n1\n{root}A\n"),
        format!("o\n1\n{root}\n\n"),
        format!("o\n1\n{root}\n{}", "x\n".repeat(33)),
        "o\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_owned(),
    ] {
        assert!(Checkpoint::from_text(&wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_note_is_read_as_it_was_written(text in "[^\\x00-\\x1f]{0,40}(\n[^\\x00-\\x1f]{0,9}){0,5}\n") {
        let key = key();
        let note = Note::sign(&text, &[&key]).expect("signed");
        let read = Note::from_bytes(note.to_string().as_bytes()).expect("a note");
        prop_assert_eq!(&read, &note);
        prop_assert_eq!(read.text(), text);
        prop_assert!(read.verify(&[key.verifier().clone()]).is_ok());
    }

    #[test]
    fn no_byte_of_a_checkpoint_can_be_changed(size: u64, place: prop::sample::Index, bit in 0_u32..8) {
        let key = key();
        let note = Checkpoint::new(&name(), size.max(1), EMPTY_ROOT).sign(&[&key]).expect("signed");
        let mut bytes = note.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(Checkpoint::open(&bytes, ORIGIN, &[key.verifier().clone()]).is_err());
    }
}
