use plura_oci::RepositoryName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChannelName,
    document::problem::{Place, shortened},
};

/// Where services and their channels are, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyLayout)]
pub struct LayoutDocument {
    /// The repositories of channels: `channels/{environment}/{service}`.
    pub channels: String,
    /// The repositories of services, the first that fits: `apps/{service}/**`.
    pub services: Vec<String>,
}

impl Default for LayoutDocument {
    fn default() -> Self {
        let services = ["apps/{service}", "apps/{service}/**"].map(str::to_owned).to_vec();
        Self { channels: "channels/{environment}/{service}".to_owned(), services }
    }
}

/// Where services and their channels are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    channels: Template,
    services: Vec<Template>,
}

/// A path with names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Environment,
    Service,
    One,
    Rest,
}

/// What stands where a template has names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found<'r> {
    environment: Option<&'r str>,
    service: Option<&'r str>,
}

impl Layout {
    /// The service that a repository belongs to.
    pub fn service_of<'r>(&self, repository: &'r RepositoryName) -> Option<&'r str> {
        let mut found = self.services.iter().filter_map(|template| template.read(repository));
        found.find_map(|found| found.service)
    }

    /// The repository in which a service's channel is a tag.
    pub fn repository_of(&self, channel: &ChannelName, service: &str) -> Option<RepositoryName> {
        let segments = self.channels.0.iter().map(|segment| match segment {
            Segment::Literal(text) => text.as_str(),
            Segment::Environment => channel.environment(),
            Segment::Service => service,
            // The templates of channels have none, which is checked.
            Segment::One | Segment::Rest => "",
        });
        segments.collect::<Vec<_>>().join("/").parse().ok()
    }

    /// The environment and the service whose channels are tags of the repository, if it is such a one.
    pub fn channels_of<'r>(&self, repository: &'r RepositoryName) -> Option<(&'r str, &'r str)> {
        let found = self.channels.read(repository)?;
        found.environment.zip(found.service)
    }
}

impl LayoutDocument {
    pub(super) fn compile(&self, place: &mut Place<'_>) -> Option<Layout> {
        let mut at = place.at("channels");
        let channels = Template::new(&self.channels, &mut at)?;
        let has = |segment| channels.0.iter().filter(|one| **one == segment).count() == 1;
        let stars = channels.0.iter().any(|one| matches!(one, Segment::One | Segment::Rest));
        if !has(Segment::Environment) || !has(Segment::Service) || stars {
            let observed = format!("`{}`", shortened(&self.channels));
            at.problem(observed, "expected one `{environment}` and one `{service}`, and no stars");
        }
        // A channel that is of a service would be governed as what is pushed to it.
        let mut services = Vec::new();
        let mut at = place.at("services");
        for (index, text) in self.services.iter().enumerate() {
            let mut at = at.item(index);
            let template = Template::new(text, &mut at)?;
            let count = template.0.iter().filter(|one| **one == Segment::Service).count();
            if count != 1 || template.0.contains(&Segment::Environment) {
                let observed = format!("`{}`", shortened(text));
                at.problem(observed, "expected one `{service}`, such as `apps/{service}/**`");
            }
            services.push(template);
        }
        Some(Layout { channels, services })
    }
}

impl Template {
    fn new(text: &str, place: &mut Place<'_>) -> Option<Self> {
        let segment = |text: &str| match text {
            "{environment}" => Some(Segment::Environment),
            "{service}" => Some(Segment::Service),
            "*" => Some(Segment::One),
            "**" => Some(Segment::Rest),
            // Every segment of a name is a name.
            text => text.parse::<RepositoryName>().ok().map(|_| Segment::Literal(text.to_owned())),
        };
        let segments: Option<Vec<Segment>> = text.split('/').map(segment).collect();
        let rest_inside = |segments: &Vec<Segment>| {
            segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest)
        };
        let template = segments.filter(|segments| !rest_inside(segments)).map(Self);
        if template.is_none() {
            let observed = format!("`{}`", shortened(text));
            place.problem(
                observed,
                "expected a path of names, `{service}`, `{environment}`, `*` for one segment and \
                 `**` at the end for the rest",
            );
        }
        template
    }

    fn read<'r>(&self, repository: &'r RepositoryName) -> Option<Found<'r>> {
        let mut found = Found::default();
        let mut segments = repository.as_str().split('/');
        for expected in &self.0 {
            let segment = segments.next()?;
            match expected {
                Segment::Literal(text) if text == segment => {}
                Segment::Literal(_) => return None,
                Segment::Environment => found.environment = Some(segment),
                Segment::Service => found.service = Some(segment),
                Segment::One => {}
                Segment::Rest => return Some(found),
            }
        }
        segments.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(channels: &str, services: &[&str]) -> Result<Layout, Vec<String>> {
        let services = services.iter().map(ToString::to_string).collect();
        let document = LayoutDocument { channels: channels.to_owned(), services };
        let mut problems = Vec::new();
        let layout = document.compile(&mut Place::root(&mut problems));
        let paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
        layout.filter(|_| paths.is_empty()).ok_or(paths)
    }

    #[test]
    fn services_and_channels_find_each_other() {
        let layout = layout("channels/{environment}/{service}", &["apps/{service}/**"]).unwrap();
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        assert_eq!(layout.service_of(&name("apps/search/web/api")), Some("search"));
        assert_eq!(layout.service_of(&name("apps/search")), None);
        assert_eq!(layout.service_of(&name("charts/search/web")), None);
        let channel = "prod:candidate".parse().unwrap();
        let repository = layout.repository_of(&channel, "search").unwrap();
        assert_eq!(repository.as_str(), "channels/prod/search");
        assert_eq!(layout.channels_of(&repository), Some(("prod", "search")));
        assert_eq!(layout.channels_of(&name("channels/prod/search/x")), None);
        assert_eq!(layout.repository_of(&channel, "no service"), None);
    }

    #[test]
    fn templates_that_say_too_little_are_refused() {
        for (channels, services) in [
            ("channels/{environment}", "apps/{service}"),
            ("channels/{environment}/{service}/**", "apps/{service}"),
            ("{service}/{service}/{environment}", "apps/{service}"),
            ("Channels/{environment}/{service}", "apps/{service}"),
            ("c/{environment}/{service}", "apps/*"),
            ("c/{environment}/{service}", "apps/**/{service}"),
            ("c/{environment}/{service}", "{environment}/{service}"),
        ] {
            assert_eq!(layout(channels, &[services]).map_err(|paths| paths.len()), Err(1));
        }
    }
}
