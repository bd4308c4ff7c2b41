//! What a good password is: long, and not among those that are tried first.
//!
//! Besides the list, a rough count of the guesses that a password takes, in bits: a common word, a run
//! on the keyboard and a repetition count as one choice each, whatever their length.

use std::sync::LazyLock;

use super::{LONGEST, Password, SHORTEST};

/// Why a password is not accepted, and what is expected instead. It never contains the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than [`SHORTEST`] characters.
    #[error("a password has at least {SHORTEST} characters, this one has {0}")]
    TooShort(usize),
    /// More than [`LONGEST`] characters.
    #[error("a password has at most {LONGEST} characters, this one has {0}")]
    TooLong(usize),
    /// The name of the user is in it.
    #[error(
        "a password does not contain the name of its user; choose one that has nothing to do with \
         them"
    )]
    ContainsName,
    /// It is on the list, as it is or with letters written as digits.
    #[error("this password is one of those that are tried first; choose several unrelated words")]
    Common,
    /// It is on the list but for what was put before or behind it.
    #[error(
        "this is a common password with digits or punctuation added; choose several unrelated words"
    )]
    CommonWithAdditions,
    /// It is a shorter one, several times.
    #[error("without its repetition this password has a length of {0}; it needs {SHORTEST}")]
    Repeats(usize),
    /// Made of sequences, keyboard rows, single words or digits only.
    #[error(
        "this password is made of too few choices: sequences, rows of the keyboard, one or two common \
         words, digits; choose three or more unrelated words, or random characters"
    )]
    Predictable,
}

/// Whether `password` is good enough for the user `name`.
pub fn check_strength(password: &Password, name: &str) -> Result<(), WeakPassword> {
    let length = password.expose().chars().count();
    if length < SHORTEST {
        return Err(WeakPassword::TooShort(length));
    }
    if length > LONGEST {
        return Err(WeakPassword::TooLong(length));
    }
    let text: Vec<char> = password.expose().chars().flat_map(char::to_lowercase).collect();
    if contains_name(&text, name) {
        return Err(WeakPassword::ContainsName);
    }
    check_list(&text)?;
    let period = period(&text);
    if period < SHORTEST {
        return Err(WeakPassword::Repeats(period));
    }
    if guesses(&text) < FEWEST_GUESSES { Err(WeakPassword::Predictable) } else { Ok(()) }
}

/// Bits of guessing that a password takes at least: with argon2id on a fast machine, decades.
const FEWEST_GUESSES: u32 = 40;
/// Bits of one of some thousand words, however it is written.
const WORD: u32 = 12;
/// Bits of a sequence: which one, from where, in which direction.
const RUN: u32 = 6;
const DIGIT: u32 = 3;
const LETTER: u32 = 5;
const OTHER: u32 = 4;

/// Names shorter than this are in too many good passwords by chance.
const SHORTEST_NAME: usize = 3;

static LIST: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("common.txt").lines().filter(|line| !line.starts_with('#')).collect()
});

/// Length in characters of the shortest and the longest entry.
const ENTRY: std::ops::RangeInclusive<usize> = 5..=20;

/// What follows what in the alphabet and on keyboards.
const ROWS: [&str; 20] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "!@#$%^&*()",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "5tgb",
    "6yhn",
    "7ujm",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
    "!qaz@wsx#edc$rfv",
];

fn contains_name(text: &[char], name: &str) -> bool {
    let text: String = text.iter().collect();
    let name = name.to_lowercase();
    let local = name.split('@').next().unwrap_or_default();
    local.chars().count() >= SHORTEST_NAME && text.contains(local)
}

fn check_list(text: &[char]) -> Result<(), WeakPassword> {
    if is_common(text) {
        return Err(WeakPassword::Common);
    }
    let letter = |char: &char| char.is_alphabetic();
    let (first, last) = (text.iter().position(letter), text.iter().rposition(letter));
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    // What was added begins nobody knows where: digits and signs are in entries of the list, too.
    let common = (0..=first).any(|start| {
        let ends =
            ENTRY.map(|length| start + length).filter(|end| (last + 1..=text.len()).contains(end));
        ends.filter(|end| text.len() - end + start < SHORTEST)
            .any(|end| text.get(start..end).is_some_and(is_common))
    });
    if common { Err(WeakPassword::CommonWithAdditions) } else { Ok(()) }
}

/// Whether it is on the list, read as it is or with digits read as the letters they look like.
fn is_common(text: &[char]) -> bool {
    if !ENTRY.contains(&text.len()) {
        return false;
    }
    let listed = |text: String| LIST.binary_search(&text.as_str()).is_ok();
    listed(text.iter().collect())
        || ['i', 'l']
            .into_iter()
            .any(|one| listed(text.iter().map(|c| letter_for(*c, one)).collect()))
}

/// The letter that is meant, where `one` is what a `1` or `!` stands for.
fn letter_for(char: char, one: char) -> char {
    match char {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => one,
        '0' => 'o',
        '$' | '5' => 's',
        '7' | '+' => 't',
        other => other,
    }
}

/// Length of the shortest beginning that, repeated, gives the whole text; the last time may be cut.
/// The text's own length if there is none that is there twice.
fn period(text: &[char]) -> usize {
    let repeats = |length: &usize| text.iter().zip(&text[*length..]).all(|(a, b)| a == b);
    (1..=text.len() / 2).find(repeats).unwrap_or(text.len())
}

/// Bits of the cheapest way to put the text together.
fn guesses(text: &[char]) -> u32 {
    // cheapest[i]: of the first i characters.
    let mut cheapest = vec![u32::MAX; text.len() + 1];
    cheapest[0] = 0;
    for start in 0..text.len() {
        let so_far = cheapest[start];
        let mut reach = |length: usize, bits: u32| {
            let cost = &mut cheapest[start + length];
            *cost = (*cost).min(so_far.saturating_add(bits));
        };
        reach(1, of_one(text[start]));
        // A part of a run is as cheap as the whole of it.
        for length in 3..=run(&text[start..]) {
            reach(length, RUN);
        }
        for length in ENTRY.filter(|length| start + length <= text.len()) {
            if is_common(&text[start..start + length]) {
                reach(length, WORD);
            }
        }
    }
    cheapest[text.len()]
}

fn of_one(char: char) -> u32 {
    match char {
        '0'..='9' => DIGIT,
        char if char.is_alphabetic() => LETTER,
        _ => OTHER,
    }
}

/// Length of the longest sequence or repetition that the text begins with.
fn run(text: &[char]) -> usize {
    let same = text.iter().take_while(|char| Some(*char) == text.first()).count();
    let along = ROWS
        .iter()
        .flat_map(|row| [common_run(text, row.chars()), common_run(text, row.chars().rev())]);
    along.max().unwrap_or_default().max(same)
}

/// How far the text follows the row, from where in the row it begins.
fn common_run(text: &[char], row: impl Iterator<Item = char> + Clone) -> usize {
    let Some(first) = text.first() else { return 0 };
    let row = row.skip_while(|char| char != first);
    text.iter().zip(row).take_while(|(char, expected)| *char == expected).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(password: &str) -> Result<(), WeakPassword> {
        check_strength(&password.into(), "alice")
    }

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(LIST.len() > 5000);
        assert!(LIST.is_sorted_by(|a, b| a < b));
        for entry in LIST.iter() {
            assert_eq!(*entry, entry.to_lowercase());
            assert!(ENTRY.contains(&entry.len()), "{entry}");
        }
    }

    #[test]
    fn good_passwords_are_accepted() {
        for password in [
            "correct horse battery staple",
            "correcthorsebatterystaple",
            "trombone-glacier-noodle",
            "kX9#vTq2!mZp",
            "3f9a0b7c1d2e",
            "83649172650193847261",
            "wir trinken Tee um halb vier",
            "пароль который никто не знает",
            "密码密碼不容易猜到的一句话",
            "ymvpxkqzthab",
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn length_counts_characters() {
        assert_eq!(check("kX9#vTq2!mZ"), Err(WeakPassword::TooShort(11)));
        assert_eq!(check("ключ-от-дом"), Err(WeakPassword::TooShort(11)));
        let long: String = "correct horse battery ".chars().cycle().take(257).collect();
        assert_eq!(check(&long), Err(WeakPassword::TooLong(257)));
    }

    #[test]
    fn common_passwords_are_refused_however_they_are_decorated() {
        for password in ["finalfantasy", "FinalFantasy", "q1w2e3r4t5y6", "f1nalf4nta5y"] {
            assert_eq!(check(password), Err(WeakPassword::Common), "{password}");
        }
        for password in [
            "Password2024!",
            "password4711",
            "!!!password!!!",
            "P@ssw0rd#2024",
            "Sunshine-2019",
            "123princess456",
            "Administrator1!",
            "plura1234567",
            "letmein#$%&*(9",
        ] {
            assert_eq!(check(password), Err(WeakPassword::CommonWithAdditions), "{password}");
        }
    }

    #[test]
    fn repetitions_are_refused() {
        for (password, repeated) in [
            ("aaaaaaaaaaaa", 1),
            ("aAaAaAaAaAaA", 1),
            ("abababababab", 2),
            ("xK3xK3xK3xK3xK3", 3),
            ("hunter2hunter2", 7),
            ("vT7#mqvT7#mqv", 6),
        ] {
            assert_eq!(check(password), Err(WeakPassword::Repeats(repeated)), "{password}");
        }
    }

    #[test]
    fn sequences_are_refused() {
        for password in [
            "qwertyuiopas",
            "abcdefghijkl",
            "123456789012",
            "0987654321098",
            "zyxwvutsrqpo",
            "1qaz2wsx3edc4rfv5tgb",
            "aaaabbbbcccc",
            "qwertzuiop12",
            "!@#$%^&*()12",
            "849201746253",
            "dragonbaseball",
            "Baseball-Dragon-99",
        ] {
            let refused =
                matches!(check(password), Err(WeakPassword::Predictable | WeakPassword::Common));
            assert!(refused, "{password}: {:?}", check(password));
        }
    }

    #[test]
    fn the_name_of_the_user_is_refused() {
        assert_eq!(check("xk9-Alice-vTq2mZ"), Err(WeakPassword::ContainsName));
        let of = |name| check_strength(&"the trombone of bob.smith".into(), name);
        assert_eq!(of("bob.smith@example.org"), Err(WeakPassword::ContainsName));
        assert_eq!(of("bo"), Ok(()), "too short to mean anything");
        assert_eq!(of(""), Ok(()));
    }

    #[test]
    fn messages_say_what_is_expected() {
        assert_eq!(
            WeakPassword::TooShort(5).to_string(),
            "a password has at least 12 characters, this one has 5"
        );
        assert_eq!(
            WeakPassword::Repeats(1).to_string(),
            "without its repetition this password has a length of 1; it needs 12"
        );
    }

    proptest! {
        #[test]
        fn random_characters_are_accepted(password in "[a-zA-Z0-9#+/_-]{16,40}") {
            prop_assert_eq!(check(&password), Ok(()));
        }

        #[test]
        fn any_text_is_judged(password in ".{0,300}", name in ".{0,80}") {
            let _ = check_strength(&password.into(), &name);
        }

        #[test]
        fn any_common_password_with_digits_is_refused(
            index in any::<prop::sample::Index>(),
            digits in "[0-9!.#-]{1,7}",
        ) {
            let common = *index.get(&LIST);
            let password = format!("{common}{digits}");
            prop_assert!(check(&password).is_err(), "{}", password);
        }
    }
}
