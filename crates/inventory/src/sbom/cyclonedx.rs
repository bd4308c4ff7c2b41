use serde::Serialize;

use super::{SbomSubject, identifier, license};
use crate::{ImageFacts, ImagePackage, OsRelease, PackageKind};

/// The `CycloneDX` 1.6 document of an image, in JSON once it is serialized.
pub fn document<'a>(facts: &'a ImageFacts, subject: &SbomSubject<'a>) -> impl Serialize + use<'a> {
    let own = facts.packages.iter().map(|package| component(package, facts));
    Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{}", subject.uuid()),
        version: 1,
        metadata: Metadata {
            timestamp: subject.created,
            tools: Tools { components: [tool(subject)] },
            component: Component {
                kind: "container",
                reference: subject.digest.to_string(),
                name: subject.name.to_owned(),
                version: subject.digest.to_string(),
                ..Component::default()
            },
        },
        components: facts.os.iter().map(operating_system).chain(own).collect(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: &'a str,
    tools: Tools,
    component: Component,
}

#[derive(Serialize)]
struct Tools {
    components: [Component; 1],
}

#[derive(Default, Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenseChoice {
    License(License),
    #[serde(untagged)]
    Expression {
        expression: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum License {
    Id(&'static str),
    Name(String),
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

fn tool(subject: &SbomSubject<'_>) -> Component {
    Component {
        kind: "application",
        reference: "plura".to_owned(),
        name: "plura".to_owned(),
        version: subject.tool_version.to_owned(),
        ..Component::default()
    }
}

fn operating_system(os: &OsRelease) -> Component {
    Component {
        kind: "operating-system",
        reference: format!("os:{}", os.distro()),
        name: os.id.clone(),
        version: os.version_id.clone(),
        ..Component::default()
    }
}

fn component(package: &ImagePackage, facts: &ImageFacts) -> Component {
    let property = |name, value| Property { name, value };
    let layer = facts.layers.get(package.layer).map(ToString::to_string);
    let properties = [
        Some(property("plura:path", package.path.clone())),
        layer.map(|layer| property("plura:layer", layer)),
        package
            .package
            .source
            .as_ref()
            .map(|source| property("plura:source:name", source.name.clone())),
        package
            .package
            .source
            .as_ref()
            .map(|source| property("plura:source:version", source.version.clone())),
    ];
    let (group, name) = group_and_name(package);
    Component {
        kind: "library",
        reference: identifier(package),
        group,
        name,
        version: package.package.version.clone(),
        licenses: licenses(&package.package.licenses),
        purl: Some(package.purl.to_string()),
        properties: properties.into_iter().flatten().collect(),
    }
}

fn group_and_name(package: &ImagePackage) -> (Option<String>, String) {
    let name = &package.package.name;
    let split = match package.package.kind {
        PackageKind::Java => name.rsplit_once(':'),
        PackageKind::Npm | PackageKind::Composer => name.rsplit_once('/'),
        _ => None,
    };
    match split {
        Some((group, name)) => (Some(group.to_owned()), name.to_owned()),
        None => (None, name.clone()),
    }
}

/// Either one expression, or licenses by identifier or name: the schema does not allow both.
fn licenses(declared: &[String]) -> Vec<LicenseChoice> {
    if let [only] = declared
        && license::identifier(only).is_none()
        && let Some(expression) = license::expression(only)
    {
        return vec![LicenseChoice::Expression { expression }];
    }
    let choice = |name: &String| {
        LicenseChoice::License(match license::identifier(name) {
            Some(identifier) => License::Id(identifier),
            None => License::Name(name.clone()),
        })
    };
    declared.iter().map(choice).collect()
}
