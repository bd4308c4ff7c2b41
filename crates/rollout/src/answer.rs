//! What servers answer that speak as Prometheus does.

use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(Sample),
    Vector(Vec<Point>),
    Matrix(Vec<Series>),
}

/// A time and a number, which is a text since JSON knows no infinity.
type Sample = (f64, String);

#[derive(Deserialize)]
struct Point {
    value: Sample,
}

#[derive(Deserialize)]
struct Series {
    values: Vec<Sample>,
}

/// The one number of an answer.
pub(crate) fn number(body: &[u8]) -> Result<f64, String> {
    let sample = match data(body)? {
        Data::Scalar(sample) => sample,
        Data::Vector(points) => one(points)?.value,
        Data::Matrix(_) => return Err("the query gives a range; ask for a number".to_owned()),
    };
    let number = read(&sample)?;
    if number.is_finite() { Ok(number) } else { Err(format!("the query gives {}", sample.1)) }
}

/// The numbers of an answer about a range. Where there is none, such as of no requests, there is no
/// figure.
pub(crate) fn samples(body: &[u8]) -> Result<Vec<f64>, String> {
    let Data::Matrix(series) = data(body)? else {
        return Err("the query gives no range".to_owned());
    };
    if series.is_empty() {
        return Ok(Vec::new());
    }
    let values = one(series)?.values;
    let numbers: Vec<f64> = values.iter().map(read).collect::<Result<_, String>>()?;
    Ok(numbers.into_iter().filter(|number| number.is_finite()).collect())
}

fn data(body: &[u8]) -> Result<Data, String> {
    let document: Document = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is not understood (line {})", error.line()))?;
    match document {
        Document { status, data: Some(data), .. } if status == "success" => Ok(data),
        Document { error: Some(error), .. } => Err(shortened(&error)),
        Document { .. } => Err("the answer says neither success nor an error".to_owned()),
    }
}

/// What a server says for itself, if it says anything.
pub(crate) fn error(body: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(body).ok()?;
    document.error.map(|error| shortened(&error))
}

fn one<T>(mut all: Vec<T>) -> Result<T, String> {
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), others) => {
            Err(format!("the query gives {} numbers; make it one, as by sum()", others + 1))
        }
        (None, _) => Err("the query gives nothing".to_owned()),
    }
}

fn read((_, text): &Sample) -> Result<f64, String> {
    let word = match text.as_str() {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    let number = word.or_else(|| text.parse().ok());
    number.ok_or_else(|| format!("`{}` is no number", shortened(text)))
}

/// A text on one line, as long as an error may be.
pub(crate) fn shortened(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(200).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(result: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
    }

    fn matrix(result: &str) -> String {
        vector(result).replace("vector", "matrix")
    }

    #[test]
    fn an_answer_is_one_number_or_none() {
        let point = |value: &str| format!(r#"{{"metric":{{}},"value":[1.5,"{value}"]}}"#);
        for (body, expected) in [
            (vector(&format!("[{}]", point("0.25"))), Ok(0.25)),
            (vector(r#"[1,"7"]"#).replace("vector", "scalar"), Ok(7.0)),
            (vector("[]"), Err("gives nothing")),
            (vector(&format!("[{},{}]", point("1"), point("2"))), Err("2 numbers")),
            (vector(&format!("[{}]", point("NaN"))), Err("gives NaN")),
            (vector(&format!("[{}]", point("+Inf"))), Err("gives +Inf")),
            (vector(&format!("[{}]", point("inf"))), Err("gives inf")),
            (vector(&format!("[{}]", point("x"))), Err("no number")),
            (matrix("[]"), Err("gives a range")),
            (r#"{"status":"error","error":"parse\nerror"}"#.to_owned(), Err("parse error")),
            ("{}".to_owned(), Err("not understood")),
            (r#"{"status":"success"}"#.to_owned(), Err("neither")),
            ("<html>".to_owned(), Err("not understood")),
        ] {
            match (number(body.as_bytes()), expected) {
                (Ok(number), Ok(expected)) => assert_eq!(number.to_string(), expected.to_string()),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                (found, _) => panic!("{body}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_range_is_of_one_series_and_of_numbers() {
        let series = r#"{"metric":{},"values":[[1,"1"],[2,"NaN"],[3,"2.5"]]}"#;
        assert_eq!(samples(matrix(&format!("[{series}]")).as_bytes()), Ok(vec![1.0, 2.5]));
        assert_eq!(samples(matrix("[]").as_bytes()), Ok(Vec::new()));
        samples(matrix(&format!("[{series},{series}]")).as_bytes()).unwrap_err();
        samples(vector("[]").as_bytes()).unwrap_err();
    }
}
