//! Whole numbers of JSON, which has one kind of numbers: `5.0` is as whole as `5` (JSON Schema,
//! "integer"), and some clients can write it in no other way.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

use crate::Change;

/// Reads a whole number from zero up.
pub fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    convert(Whole::deserialize(from)?)
}

/// Reads a whole number from zero up that may be left out; give the field `default`, too.
pub fn optional<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Option::<Whole>::deserialize(from)?.map(convert).transpose()
}

/// Reads a change of a whole number from zero up; give the field `default`, too.
pub fn change<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<Change<T>, D::Error> {
    Ok(optional(from)?.map_or(Change::Clear, Change::Set))
}

struct Whole(u64);

fn convert<T: TryFrom<u64>, E: de::Error>(Whole(number): Whole) -> Result<T, E> {
    let wrong = |_| E::invalid_value(Unexpected::Unsigned(number), &"a smaller number");
    T::try_from(number).map_err(wrong)
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u64(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from zero up")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        let wrong = |_| E::invalid_value(Unexpected::Signed(number), &self);
        number.try_into().map(Whole).map_err(wrong)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        // From here on, a double does not hold every whole number.
        const END: f64 = 9_007_199_254_740_992.0;
        if !(0.0..END).contains(&number) || number.fract() != 0.0 {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, and neither negative nor large"
        )]
        Ok(Whole(number as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Form {
        #[serde(default, deserialize_with = "optional")]
        small: Option<u32>,
        #[serde(default, deserialize_with = "change")]
        large: Change<u64>,
    }

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        for (text, expected) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("50e-1", Some(5)),
            ("0.5e1", Some(5)),
            ("-0.0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("null", None),
        ] {
            let form = format!(r#"{{"small": {text}, "large": {text}}}"#);
            let form: Form = serde_json::from_str(&form).expect(text);
            assert_eq!(form.small, expected, "{text}");
            assert_eq!(form.large.value().copied(), expected.map(u64::from), "{text}");
        }
        let nothing: Form = serde_json::from_str("{}").expect("an empty form");
        assert_eq!((nothing.small, nothing.large), (None, Change::Keep));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for text in ["5.5", "-1", "-1.0", "1e300", "4294967296", "4294967296.0", "\"5\"", "[5]"] {
            let form = format!(r#"{{"small": {text}}}"#);
            assert!(serde_json::from_str::<Form>(&form).is_err(), "{text}");
        }
    }
}
