//! Maven's `ComparableVersion`: a version is a chain of lists of numbers and qualifiers, of which
//! whatever is missing counts as 0 or as the qualifier of a release.
//!
//! `ComparableVersion` itself is no order: it finds `1-sp` < `1.0.alpha.1` < `1` < `1-sp`. Here what is
//! less than nothing is always less than what is more, which decides those cases and no others.

use std::cmp::Ordering;

use super::{
    VersionKey,
    key::{KeyWriter, is_number},
};

/// In ascending order. `EMPTY` stands for 0, and for the qualifier of a release, and says by what
/// follows it whether it is more than nothing.
mod tag {
    pub(super) const QUALIFIER_BEFORE: u8 = 1;
    pub(super) const EMPTY_QUALIFIER_BEFORE: u8 = 2;
    pub(super) const LIST_BEFORE: u8 = 3;
    pub(super) const ZERO_BEFORE: u8 = 4;
    pub(super) const END: u8 = 5;
    pub(super) const QUALIFIER_BEHIND: u8 = 6;
    pub(super) const LIST_BEHIND: u8 = 7;
    pub(super) const ZERO_BEHIND: u8 = 8;
    pub(super) const NUMBER: u8 = 9;
}

/// Ranks of qualifiers; the one of a release is `RELEASE`, and unknown ones are behind all of them.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: u8 = 5;
const UNKNOWN: u8 = 7;

#[derive(Debug)]
enum Item<'a> {
    Number(&'a str),
    Qualifier(&'a str),
}

pub(super) fn key(version: &str) -> VersionKey {
    let lower = version.to_lowercase();
    let mut lists = lists(&lower);
    normalise(&mut lists);
    let signs = signs(&lists);
    let mut key = KeyWriter::default();
    for (index, list) in lists.iter().enumerate() {
        if index > 0 {
            let behind = signs[index].list == Ordering::Greater;
            key.tag(if behind { tag::LIST_BEHIND } else { tag::LIST_BEFORE });
        }
        for (item, follows) in list.iter().zip(&signs[index].behind) {
            write(&mut key, item, *follows == Ordering::Greater);
        }
    }
    key.tag(tag::END);
    key.finish()
}

fn write(key: &mut KeyWriter, item: &Item<'_>, behind: bool) {
    match (item, item.sign(), behind) {
        (Item::Number(digits), Ordering::Greater, _) => {
            key.tag(tag::NUMBER);
            key.number(digits);
        }
        (Item::Number(_), _, true) => key.tag(tag::ZERO_BEHIND),
        (Item::Number(_), _, false) => key.tag(tag::ZERO_BEFORE),
        (Item::Qualifier(_), Ordering::Equal, false) => key.tag(tag::EMPTY_QUALIFIER_BEFORE),
        (Item::Qualifier(name), Ordering::Less, _) => {
            key.tag(tag::QUALIFIER_BEFORE);
            key.tag(rank(name));
        }
        (Item::Qualifier(name), ..) => {
            key.tag(tag::QUALIFIER_BEHIND);
            key.tag(rank(name));
            if rank(name) == UNKNOWN {
                key.text(name);
            }
        }
    }
}

impl Item<'_> {
    /// How it compares to nothing.
    fn sign(&self) -> Ordering {
        match self {
            Self::Number(digits) if digits.bytes().all(|b| b == b'0') => Ordering::Equal,
            Self::Number(_) => Ordering::Greater,
            Self::Qualifier(name) => rank(name).cmp(&RELEASE),
        }
    }
}

fn rank(qualifier: &str) -> u8 {
    let known = QUALIFIERS.iter().position(|known| *known == qualifier);
    known.and_then(|rank| u8::try_from(rank).ok()).unwrap_or(UNKNOWN)
}

/// How a list, and what follows each of its items, compare to nothing.
struct Signs {
    list: Ordering,
    behind: Vec<Ordering>,
}

/// From the end, so that each item is looked at once.
fn signs(lists: &[Vec<Item<'_>>]) -> Vec<Signs> {
    let mut sign = Ordering::Equal;
    let mut all: Vec<Signs> = Vec::with_capacity(lists.len());
    for list in lists.iter().rev() {
        let mut behind = Vec::with_capacity(list.len());
        for item in list.iter().rev() {
            behind.push(sign);
            sign = item.sign().then(sign);
        }
        behind.reverse();
        all.push(Signs { list: sign, behind });
    }
    all.reverse();
    all
}

/// Takes away what is nothing: at the end of each list, and lists that are empty then.
fn normalise(lists: &mut Vec<Vec<Item<'_>>>) {
    for list in lists.iter_mut() {
        let kept = list.iter().rposition(|item| item.sign() != Ordering::Equal);
        list.truncate(kept.map_or(0, |last| last + 1));
    }
    while lists.len() > 1 && lists.last().is_some_and(Vec::is_empty) {
        lists.pop();
    }
}

/// Each list is the last item of the one before it: behind a hyphen, and where letters and digits meet.
fn lists(version: &str) -> Vec<Vec<Item<'_>>> {
    let mut lists = Lists { all: vec![Vec::new()], text: version, start: 0, digits: false };
    for (index, character) in version.char_indices() {
        match character {
            '.' => lists.separate(index),
            '-' => {
                lists.separate(index);
                lists.all.push(Vec::new());
            }
            digit if digit.is_ascii_digit() => lists.digit(index),
            _ => lists.letter(index),
        }
    }
    lists.end()
}

struct Lists<'a> {
    all: Vec<Vec<Item<'a>>>,
    text: &'a str,
    /// Where the item began that is being read, and whether it is a number.
    start: usize,
    digits: bool,
}

impl<'a> Lists<'a> {
    fn push(&mut self, item: Item<'a>) {
        if let Some(list) = self.all.last_mut() {
            list.push(item);
        }
    }

    fn open(&mut self) {
        self.all.push(Vec::new());
    }

    fn open_unless_empty(&mut self) {
        if self.all.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
    }

    fn item(&self, end: usize) -> Item<'a> {
        let text = &self.text[self.start..end];
        if text.is_empty() {
            Item::Number("0")
        } else if self.digits && is_number(text) {
            Item::Number(text)
        } else {
            Item::Qualifier(alias(text))
        }
    }

    fn separate(&mut self, index: usize) {
        let item = self.item(index);
        self.push(item);
        self.start = index + 1;
    }

    fn digit(&mut self, index: usize) {
        if !self.digits && index > self.start {
            self.open_unless_empty();
            self.push(Item::Qualifier(abbreviation(&self.text[self.start..index])));
            self.start = index;
            self.open();
        }
        self.digits = true;
    }

    fn letter(&mut self, index: usize) {
        if self.digits && index > self.start {
            let item = self.item(index);
            self.push(item);
            self.start = index;
            self.open();
        }
        self.digits = false;
    }

    fn end(mut self) -> Vec<Vec<Item<'a>>> {
        if self.text.len() > self.start {
            if !self.digits {
                self.open_unless_empty();
            }
            let item = self.item(self.text.len());
            self.push(item);
        }
        self.all
    }
}

fn alias(qualifier: &str) -> &str {
    match qualifier {
        "ga" | "final" | "release" => "",
        "cr" => "rc",
        other => other,
    }
}

/// One letter in front of a digit.
fn abbreviation(qualifier: &str) -> &str {
    match qualifier {
        "a" => "alpha",
        "b" => "beta",
        "m" => "milestone",
        other => alias(other),
    }
}
