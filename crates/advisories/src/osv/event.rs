use serde::{Deserialize, Deserializer, Serialize};

/// Where being affected begins or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first version that is; `0` is in front of all versions.
    Introduced(Box<str>),
    /// The first version that is not any more.
    Fixed(Box<str>),
    /// The last version that is.
    LastAffected(Box<str>),
    /// Nothing is said about this version and later ones; `*` is behind all versions.
    Limit(Box<str>),
    /// A kind of event that this reader does not know.
    Unknown(()),
}

/// The schema wants one key of each event; older records have several, which mean several events.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    introduced: Option<Box<str>>,
    #[serde(default)]
    fixed: Option<Box<str>>,
    #[serde(default)]
    last_affected: Option<Box<str>>,
    #[serde(default)]
    limit: Option<Box<str>>,
}

impl Keys {
    fn events(self) -> impl Iterator<Item = Event> {
        let known = [
            self.introduced.map(Event::Introduced),
            self.fixed.map(Event::Fixed),
            self.last_affected.map(Event::LastAffected),
            self.limit.map(Event::Limit),
        ];
        let unknown = known.iter().all(Option::is_none).then_some(Event::Unknown(()));
        known.into_iter().flatten().chain(unknown)
    }
}

pub(super) fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Event>, D::Error> {
    let keys = Vec::<Keys>::deserialize(deserializer)?;
    Ok(keys.into_iter().flat_map(Keys::events).collect())
}
