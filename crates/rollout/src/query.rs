//! Queries, with what they are about in them.

use crate::About;

/// The query with values in place of names. None of the values can end a text within the query, in
/// whichever quotes it stands: they have no other characters than names and digests have.
pub(crate) fn filled(query: &str, about: &About) -> Result<String, String> {
    let previous = about.previous.as_ref().map(ToString::to_string);
    let mut text = String::with_capacity(query.len() + 128);
    let mut rest = query;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        text.push_str(before);
        let value = match name.trim() {
            "service" => about.service.clone(),
            "environment" => about.channel.environment().to_owned(),
            "digest" => about.digest.to_string(),
            "previous" => {
                previous.clone().ok_or("there is nothing there to compare with".to_owned())?
            }
            other => return Err(format!("queries cannot name `{}`", other.escape_debug())),
        };
        if !value.chars().all(is_plain) {
            return Err(format!("`{}` cannot stand in a query", value.escape_debug()));
        }
        text.push_str(&value);
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-:".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(service: &str, previous: bool) -> About {
        let digest = plura_oci::Digest::sha256(b"new");
        let previous = previous.then(|| plura_oci::Digest::sha256(b"old"));
        let channel = "prod:stable".parse().unwrap();
        About { service: service.to_owned(), channel, digest, previous }
    }

    #[test]
    fn values_stand_in_place_of_names() {
        let about = about("search", true);
        let (new, old) = (about.digest, about.previous.unwrap());
        for (query, expected) in [
            ("up", "up".to_owned()),
            ("up{s=\"{{service}}\"}", "up{s=\"search\"}".to_owned()),
            ("{{ service }}{{environment}}", "searchprod".to_owned()),
            ("a='{{digest}}',b='{{previous}}'", format!("a='{new}',b='{old}'")),
            ("sum by (a) ({__name__=\"x\"})", "sum by (a) ({__name__=\"x\"})".to_owned()),
            ("open {{service", "open {{service".to_owned()),
        ] {
            assert_eq!(filled(query, &about), Ok(expected));
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_text() {
        for service in ["a\"} or up{x=\"", "a'", "a`", "a\\", "a b", "{{digest}}", "é"] {
            filled("up{s=\"{{service}}\"}", &about(service, true)).unwrap_err();
        }
        filled("{{frobnicate}}", &about("a", true)).unwrap_err();
        filled("{{previous}}", &about("a", false)).unwrap_err();
    }
}
