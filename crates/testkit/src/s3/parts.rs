//! The parts of an object that is being written, as S3 lists them: in order, each with what it is called,
//! and with whether that is all. `s3s-fs` leaves that out, and clients of S3 rely on it.

/// What S3 would have answered instead.
pub(super) fn complete(xml: &str) -> String {
    let Some((head, list)) = xml.split_once("<Part>") else {
        return xml
            .replace("</ListPartsResult>", "<IsTruncated>false</IsTruncated></ListPartsResult>");
    };
    let list = list.trim_end_matches("</ListPartsResult>").trim_end_matches("</Part>");
    let mut parts: Vec<(u32, &str)> =
        list.split("</Part><Part>").map(|part| (number(part), part)).collect();
    parts.sort_unstable();
    let parts = parts
        .into_iter()
        .map(|(number, part)| format!("<Part>{part}<ETag>&quot;part-{number}&quot;</ETag></Part>"));
    let parts: String = parts.collect();
    format!("{head}{parts}<IsTruncated>false</IsTruncated></ListPartsResult>")
}

fn number(part: &str) -> u32 {
    let number = part.split_once("<PartNumber>").and_then(|(_, rest)| rest.split_once('<'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_in_order_and_have_names() {
        let xml = "<ListPartsResult><Key>k</Key><Part><PartNumber>2</PartNumber></Part><Part>\
                   <PartNumber>1</PartNumber></Part></ListPartsResult>";
        let expected = "<ListPartsResult><Key>k</Key>\
                        <Part><PartNumber>1</PartNumber><ETag>&quot;part-1&quot;</ETag></Part>\
                        <Part><PartNumber>2</PartNumber><ETag>&quot;part-2&quot;</ETag></Part>\
                        <IsTruncated>false</IsTruncated></ListPartsResult>";
        assert_eq!(complete(xml), expected);
        assert_eq!(
            complete("<ListPartsResult></ListPartsResult>"),
            "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>"
        );
    }
}
