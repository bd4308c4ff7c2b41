//! In what two images differ.

use std::collections::BTreeMap;

use plura_oci::{Digest, Reference, image::Platform};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Configuration, Image, ImageError, ImageQuery, Layer, Step};
use crate::Registry;

/// In what two images differ.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImageDiff {
    /// The one, which is taken to be the older.
    pub from: DiffSide,
    /// The other.
    pub to: DiffSide,
    /// Whether they are one and the same.
    pub same: bool,
    /// How much larger the other one is, in bytes; less than nothing if it is smaller.
    pub size_difference: i64,
    /// Fields that differ.
    pub fields: Vec<Change>,
    /// Variables of the environment that differ.
    pub environment: Vec<MapChange>,
    /// Labels that differ.
    pub labels: Vec<MapChange>,
    /// Annotations of the manifests that differ.
    pub annotations: Vec<MapChange>,
    /// The layers: those at the bottom that both have, and what stands above them.
    pub layers: ListChange<Layer>,
    /// The history, likewise.
    pub history: ListChange<Step>,
    /// What could not be read, and so was not compared.
    pub problems: Vec<String>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DiffSide {
    /// Where it is.
    pub repository: String,
    /// As what it was asked for.
    pub reference: String,
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it runs on.
    #[schema(value_type = Option<String>)]
    pub platform: Option<Platform>,
    /// When it was built, as its builder wrote it.
    pub created: Option<String>,
    /// The bytes of configuration and layers as they are stored.
    pub content_size: u64,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// Its name.
    #[schema(value_type = String)]
    pub field: &'static str,
    /// What it is in the one.
    pub from: Value,
    /// What it is in the other.
    pub to: Value,
}

/// A named value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MapChange {
    /// The name.
    pub name: String,
    /// The value in the one; `null` where there is none.
    pub from: Option<String>,
    /// The value in the other; `null` where there is none.
    pub to: Option<String>,
}

/// A list that grows at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListChange<T> {
    /// How many entries both begin with.
    pub common: usize,
    /// Those that only the one has behind them.
    pub removed: Vec<T>,
    /// Those that only the other has behind them.
    pub added: Vec<T>,
}

impl Registry {
    /// In what two images differ. An index stands for its image for the platform, or for the only one.
    pub async fn image_diff(
        &self,
        from: &ImageQuery,
        to: &ImageQuery,
    ) -> Result<ImageDiff, ImageError> {
        Ok(ImageDiff::of(self.one_image(from).await?, self.one_image(to).await?))
    }

    async fn one_image(&self, query: &ImageQuery) -> Result<Image, ImageError> {
        let found = self.find_single(query).await?;
        let mut image = super::described(query, &found);
        let config = self.configuration(&query.repository, &found).await?;
        match config {
            Ok(Some(config)) => image.configure(config),
            Ok(None) => {}
            Err(problem) => image.problems.push(problem),
        }
        Ok(image)
    }
}

impl ImageDiff {
    fn of(from: Image, to: Image) -> Self {
        let side = |image: &Image| DiffSide {
            repository: image.repository.clone(),
            reference: image.reference.clone(),
            digest: image.digest,
            platform: image.platform.clone(),
            created: image.created.clone(),
            content_size: image.content_size,
        };
        let config = |image: &Image| image.config.clone().unwrap_or_default();
        let (one, other) = (config(&from), config(&to));
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Self {
            same: from.digest == to.digest,
            size_difference: signed(to.content_size).saturating_sub(signed(from.content_size)),
            fields: fields(&one, &other),
            environment: named(&variables(&one), &variables(&other)),
            labels: named(&one.labels, &other.labels),
            annotations: named(&from.annotations, &to.annotations),
            problems: [&from, &to].into_iter().flat_map(problems_of).collect(),
            from: side(&from),
            to: side(&to),
            layers: ListChange::of(from.layers, to.layers, |layer| layer.digest),
            // Of images without rebuilt layers, only what was done is compared, not when.
            history: ListChange::of(from.history, to.history, |step| {
                (step.created_by.clone(), step.empty_layer, step.layer)
            }),
        }
    }
}

fn problems_of(image: &Image) -> impl Iterator<Item = String> {
    let separator = match image.reference.parse() {
        Ok(Reference::Digest(_)) => '@',
        _ => ':',
    };
    let name = format!("{}{separator}{}", image.repository, image.reference);
    image.problems.iter().map(move |problem| format!("{name}: {problem}"))
}

impl<T> ListChange<T> {
    fn of<K: PartialEq>(mut from: Vec<T>, mut to: Vec<T>, key: impl Fn(&T) -> K) -> Self {
        let common = from.iter().zip(&to).take_while(|(one, two)| key(one) == key(two)).count();
        Self { common, removed: from.split_off(common), added: to.split_off(common) }
    }
}

fn fields(from: &Configuration, to: &Configuration) -> Vec<Change> {
    let pairs = [
        ("user", json!(from.user), json!(to.user)),
        ("entrypoint", json!(from.entrypoint), json!(to.entrypoint)),
        ("command", json!(from.command), json!(to.command)),
        ("working_directory", json!(from.working_directory), json!(to.working_directory)),
        ("exposed_ports", json!(from.exposed_ports), json!(to.exposed_ports)),
        ("volumes", json!(from.volumes), json!(to.volumes)),
        ("stop_signal", json!(from.stop_signal), json!(to.stop_signal)),
        ("health_check", json!(from.health_check), json!(to.health_check)),
        ("shell", json!(from.shell), json!(to.shell)),
        ("on_build", json!(from.on_build), json!(to.on_build)),
    ];
    let changed = pairs.into_iter().filter(|(_, from, to)| from != to);
    changed.map(|(field, from, to)| Change { field, from, to }).collect()
}

fn variables(config: &Configuration) -> BTreeMap<String, String> {
    let variable = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    config.environment.iter().map(variable).collect()
}

fn named(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<MapChange> {
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name)).map(|(name, _)| name);
    let mut names: Vec<&String> = gone.chain(to.keys()).collect();
    names.sort_unstable();
    let change = |name: &String| {
        let (from, to) = (from.get(name).cloned(), to.get(name).cloned());
        (from != to).then(|| MapChange { name: name.clone(), from, to })
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_the_same_from_their_bottom() {
        for (from, to, common, removed, added) in [
            ("abc", "abcd", 3, "", "d"),
            ("abc", "abd", 2, "c", "d"),
            ("abc", "xbc", 0, "abc", "xbc"),
            ("", "", 0, "", ""),
        ] {
            let list = |text: &str| text.chars().collect::<Vec<_>>();
            let change = ListChange::of(list(from), list(to), |c| *c);
            let expected = ListChange { common, removed: list(removed), added: list(added) };
            assert_eq!(change, expected, "{from} {to}");
        }
    }

    #[test]
    fn only_what_differs_is_named() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let changes = named(&map(&[("a", "1"), ("b", "1")]), &map(&[("b", "2"), ("c", "1")]));
        let text = |change: &MapChange| {
            format!("{} {:?} {:?}", change.name, change.from.as_deref(), change.to.as_deref())
        };
        let changes: Vec<_> = changes.iter().map(text).collect();
        assert_eq!(
            changes,
            [r#"a Some("1") None"#, r#"b Some("1") Some("2")"#, r#"c None Some("1")"#]
        );
    }
}
