//! Forms of values as the description of the API has them (JSON Schema). Each says what is enforced
//! where the value is parsed, so that a client can check before it asks.

use std::borrow::Cow;

use plura_policy::{AccountName, Pattern, Permission as Action, ProjectName as Project};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AnyOf, KnownFormat, Object, ObjectBuilder, SchemaFormat, Type},
    },
};

use crate::password;

/// The most characters of what people write: descriptions, full names.
pub const LONGEST_TEXT: usize = 256;
/// The largest quota: the largest whole number that every reader of JSON takes for itself.
pub const LARGEST_QUOTA: i64 = (1 << 53) - 1;
/// What a robot's name begins with takes this much of the length of a name.
const ROBOT: usize = "robot+".len();

macro_rules! forms {
    ($($(#[doc = $text:literal])+ $name:ident = $schema:expr;)+) => {$(
        $(#[doc = $text])+
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: Object = $schema.description(Some(concat!($($text),+).trim())).build();
                schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

macro_rules! word {
    () => {
        "[a-z0-9]+([._@-][a-z0-9]+)*"
    };
}

macro_rules! component {
    () => {
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    };
}

macro_rules! pattern {
    () => {
        r"[a-z0-9._/*-]+"
    };
}

/// A segment of the path of a SPIFFE ID: neither empty, nor `.` or `..`.
macro_rules! segment {
    () => {
        r"(\.*[A-Za-z0-9_-][A-Za-z0-9._-]*|\.{3,})"
    };
}

macro_rules! spiffe_id {
    () => {
        concat!(r"spiffe://[a-z0-9._-]{1,255}(/", segment!(), ")*")
    };
}

macro_rules! spiffe_pattern {
    () => {
        concat!(r"spiffe://[a-z0-9._-]{1,255}(/(\*|", segment!(), r"))*(/\*\*)?")
    };
}

forms! {
    /// The name of a user.
    UserName = text(1, AccountName::MAX_LENGTH, concat!("^", word!(), "$"));
    /// The name of a robot: `robot+NAME`, or `robot+PROJECT+NAME`.
    RobotName = text(
        1,
        AccountName::MAX_LENGTH,
        concat!(r"^robot\+(", component!(), r"\+)?", word!(), "$"),
    );
    /// The last part of a robot's name.
    RobotWord = text(1, AccountName::MAX_LENGTH - ROBOT, concat!("^", word!(), "$"));
    /// The name of a project: the first segment of the names of its repositories.
    ProjectName = text(1, Project::MAX_LENGTH, concat!("^", component!(), "$"));
    /// The name of a repository.
    RepositoryName = text(
        1,
        plura_oci::RepositoryName::MAX_LENGTH,
        concat!("^", component!(), "(/", component!(), ")*$"),
    );
    /// Which repositories: `*` stands for characters within a path segment, `**` for any characters.
    RepositoryPattern = text(1, Pattern::MAX_LENGTH, concat!("^", pattern!(), "$"));
    /// The name of a trust entry.
    TrustName = text(1, 64, "^[a-z0-9]+([._-][a-z0-9]+)*$");
    /// What a token is limited to: `repository:NAME:pull,push,delete`, where the name may be a
    /// pattern, or `registry:catalog:*`.
    Scope = string().pattern(Some(concat!(
        r"^(repository(\([^:]*)?:(?=[^:])", pattern!(), r":[^:]*|registry(\([^:]*)?:catalog:[^:]*)$"
    )));
    /// Whom a role is given to: `user:NAME`, `robot:NAME`, `group:NAME`, `spiffe:spiffe://DOMAIN/PATH`,
    /// `dns:NAME`, `trust:NAME` or `everyone`.
    Subject = string().pattern(Some(concat!(
        "^(everyone|user:", word!(), r"|robot:robot\+(", component!(), r"\+)?", word!(),
        r"|(group|dns|trust):[^\s\x00-\x1f\x7f-\x9f]{1,256}|spiffe:", spiffe_pattern!(), ")$"
    )));
    /// As whom something is explained: a name, `user:NAME`, `robot:NAME`, `trust:NAME`,
    /// `spiffe://DOMAIN/PATH` or `anonymous`.
    Explained = string().pattern(Some(concat!(
        "^(anonymous|(user:)?", word!(), r"|(robot:)?robot\+(", component!(), r"\+)?", word!(),
        r"|trust:[^\s\x00-\x1f\x7f-\x9f]{1,256}|(spiffe:)?", spiffe_id!(), ")$"
    )));
    /// Words for people, without control characters.
    Text = text(0, LONGEST_TEXT, r"^[^\x00-\x1f\x7f-\x9f]*$");
    /// The same, with a character at least.
    Label = text(1, LONGEST_TEXT, r"^[^\x00-\x1f\x7f-\x9f]+$");
    /// The key of something that has no name.
    Key = text(36, 36, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        .format(Some(SchemaFormat::Custom("uuid".to_owned())));
    /// What a key that tokens are signed with goes by (`kid`): its thumbprint (RFC 7638).
    Thumbprint = text(43, 43, "^[A-Za-z0-9_-]+$");
    /// The name of a source of advisories.
    SourceName = text(1, 64, "^[A-Za-z0-9._-]+$");
    /// The name of an exception.
    ExceptionName = text(1, 128, "^[A-Za-z0-9][A-Za-z0-9._:-]*$");
    /// A digest.
    DigestText = text(71, 135, "^sha(256|512):[0-9a-f]+$");
    /// An instant (RFC 3339).
    Instant = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    /// A password to be set. It is also refused if it is a common one, or has the name in it.
    NewPassword = string()
        .min_length(Some(password::SHORTEST))
        .max_length(Some(password::LONGEST))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    /// A password.
    Password = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    /// A secret. It is told once.
    Secret = string().pattern(Some("^plura_[a-z]{2}_[0-9A-Za-z]+$"));
    /// The number of a version.
    VersionNumber = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0_i64))
        .maximum(Some(i64::from(u32::MAX)));
    /// How much there may be.
    Quota = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0_i64))
        .maximum(Some(LARGEST_QUOTA));
    /// What a member may do.
    Role = string().enum_values(Some(plura_policy::Role::ALL.map(plura_policy::Role::as_str)));
    /// Something that one may or may not do.
    Permission = string().enum_values(Some(Action::ALL.map(Action::as_str)));
    /// Where a user's password is: here, or with the issuer that they log in at.
    UserSource = string().enum_values(Some(["local", "oidc"]));
    /// Whether it was done or refused.
    Outcome = string().enum_values(Some(["allowed", "denied"]));
}

/// A date, or an instant (RFC 3339).
#[derive(Debug)]
pub struct Since;

impl PartialSchema for Since {
    fn schema() -> RefOr<Schema> {
        let form = |format| string().format(Some(SchemaFormat::KnownFormat(format)));
        let forms =
            AnyOf::builder().item(form(KnownFormat::DateTime)).item(form(KnownFormat::Date));
        forms.description(Some("A date, or an instant (RFC 3339).")).into()
    }
}

impl ToSchema for Since {}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text(shortest: usize, longest: usize, pattern: &str) -> ObjectBuilder {
    string().min_length(Some(shortest)).max_length(Some(longest)).pattern(Some(pattern))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ExplainAs, members::Subject as ParsedSubject};

    /// The pattern of a form.
    fn matches<F: PartialSchema>(text: &str) -> bool {
        let RefOr::T(Schema::Object(object)) = F::schema() else { panic!("a form is no object") };
        let pattern = object.pattern.expect("a pattern");
        let pattern = regex::bytes::RegexBuilder::new(&pattern).unicode(false).build();
        pattern.expect("an expression").is_match(text.as_bytes())
    }

    /// The paths of SPIFFE IDs, and of patterns, that are worth a look.
    const PATHS: [&str; 22] = [
        "", "/", "/a", "/a/", "//a", "/a//b", "/.", "/..", "/...", "/.a", "/..a", "/a.", "/a/../b",
        "/*", "/*/a", "/**", "/a/**", "/**/a", "/a*", "/***", "/a b", "/%41",
    ];

    fn check(spiffe: &str) {
        let subject = format!("spiffe:{spiffe}");
        let parsed = subject.parse::<ParsedSubject>();
        assert_eq!(matches::<Subject>(&subject), parsed.is_ok(), "{subject}");
        for explained in [spiffe, &subject] {
            let parsed = explained.parse::<ExplainAs>();
            assert_eq!(matches::<Explained>(explained), parsed.is_ok(), "{explained}");
        }
    }

    #[test]
    fn the_forms_of_spiffe_ids_are_what_the_parser_takes() {
        for domain in ["td", "example.org", "", "TD", "td:8080", "u@td", "*"] {
            for path in PATHS {
                check(&format!("spiffe://{domain}{path}"));
            }
        }
        for other in ["spiffe:/td/a", "SPIFFE://td/a", "https://td/a", "spiffe://"] {
            check(other);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_the_form_and_the_parser_agree(path in "(/[a-z.*_-]{0,4}){0,4}") {
            check(&format!("spiffe://td{path}"));
        }
    }
}
