//! What is told about a route to those who write clients (OpenAPI 3.1).

use std::collections::BTreeMap;

use http::StatusCode;
use plura_access::schema;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Object, Ref, RefOr, Required, Response, Schema, SecurityRequirement,
        content::Content,
        path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        response::ResponseBuilder,
        schema::{SchemaType, Type},
    },
};

use super::{
    authorise::Need,
    refusals::{self, header},
    route::{Route, Verb},
};

/// Forms by name, as the description lists them.
pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

const JSON: &str = "application/json";

/// What a route takes and answers, besides what all routes do.
pub(crate) struct Description {
    summary: &'static str,
    query: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: Vec<(StatusCode, Response)>,
    /// Other refusals than those that follow from what the route takes.
    refusals: Vec<StatusCode>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Description {
    /// What a route does, in a line.
    pub(crate) fn new(summary: &'static str) -> Self {
        Self {
            summary,
            query: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// The query has these parameters.
    pub(crate) fn asks<Q: IntoParams>(mut self) -> Self {
        let parameters = Q::into_params(|| Some(ParameterIn::Query)).into_iter();
        self.query.extend(parameters.map(without_null));
        self
    }

    /// The body is JSON of this form.
    pub(crate) fn takes<T: ToSchema>(self) -> Self {
        self.body::<T>(JSON, Required::True)
    }

    /// The body is bytes of one of these media types.
    pub(crate) fn takes_content(self, media_types: &[&str]) -> Self {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let content = |body: RequestBodyBuilder, media_type: &&str| {
            body.content(*media_type, Content::default())
        };
        Self { body: Some(media_types.iter().fold(body, content).build()), ..self }
    }

    /// The same, and there need not be one.
    pub(crate) fn may_take<T: ToSchema>(self) -> Self {
        self.body::<T>(JSON, Required::False)
    }

    /// The body is a form, as web pages send it.
    pub(crate) fn takes_form<T: ToSchema>(self) -> Self {
        self.body::<T>("application/x-www-form-urlencoded", Required::True)
    }

    /// Answers 200 with JSON of this form.
    pub(crate) fn gives<T: ToSchema>(mut self) -> Self {
        let content = self.content::<T>();
        self.answer(StatusCode::OK, Response::builder().description("Done").content(JSON, content))
    }

    /// Answers 200 with JSON of this form, or with what another media type says.
    pub(crate) fn gives_or<T: ToSchema>(mut self, media_type: &str) -> Self {
        let content = self.content::<T>();
        let answer = Response::builder().description("Done").content(JSON, content);
        self.answer(StatusCode::OK, answer.content(media_type, Content::default()))
    }

    /// Answers 200 with a JSON object whose form somebody else says.
    pub(crate) fn gives_an_object(self) -> Self {
        let content = Content::new(Some(Object::new()));
        self.answer(StatusCode::OK, Response::builder().description("Done").content(JSON, content))
    }

    /// Answers 200 with bytes that plura did not write, and their digest.
    pub(crate) fn gives_bytes(self) -> Self {
        let text = "The digest of the bytes";
        let answer = Response::builder().description("Done, as it was pushed");
        let answer = answer.content("application/octet-stream", Content::default());
        self.answer(
            StatusCode::OK,
            answer.header("Docker-Content-Digest", header(String::schema(), text)),
        )
    }

    /// Answers 200 with a JSON object of one of these media types, whose form somebody else says.
    pub(crate) fn gives_documents(self, media_types: &[&str]) -> Self {
        let answer = Response::builder().description("Done");
        let answer = media_types.iter().fold(answer, |answer, media_type| {
            answer.content(*media_type, Content::new(Some(Object::new())))
        });
        self.answer(StatusCode::OK, answer)
    }

    /// Answers 200 with JSON of this form, or with a line of JSON for each entry.
    pub(crate) fn gives_or_streams<T: ToSchema, L: ToSchema>(mut self) -> Self {
        let (page, line) = (self.content::<T>(), self.content::<L>());
        let answer = Response::builder().description("Done; or a line of JSON for each entry");
        let answer = answer.content(JSON, page).content(super::audit::LINES, line);
        self.answer(StatusCode::OK, answer)
    }

    /// Answers 201 with JSON of this form.
    pub(crate) fn makes<T: ToSchema>(mut self) -> Self {
        let content = self.content::<T>();
        let answer = Response::builder().description("Made").content(JSON, content);
        let answer = answer.header("Location", header(String::schema(), "Where it is"));
        self.answer(StatusCode::CREATED, answer)
    }

    /// Answers 204.
    pub(crate) fn gives_nothing(self) -> Self {
        self.answer(StatusCode::NO_CONTENT, Response::builder().description("Done"))
    }

    /// Answers 303: the browser goes on elsewhere.
    pub(crate) fn redirects(self) -> Self {
        let answer = Response::builder().description("Go on there");
        let answer = answer.header("Location", header(String::schema(), "Where"));
        self.answer(StatusCode::SEE_OTHER, answer)
    }

    /// May also be refused with these.
    pub(crate) fn refuses(mut self, statuses: &[StatusCode]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// The parameters that the query may have.
    pub(super) fn query_names(&self) -> Vec<String> {
        self.query.iter().map(|parameter| parameter.name.clone()).collect()
    }

    fn answer(mut self, status: StatusCode, answer: ResponseBuilder) -> Self {
        self.answers.push((status, answer.build()));
        self
    }

    fn body<T: ToSchema>(mut self, media_type: &str, required: Required) -> Self {
        let content = self.content::<T>();
        let body = RequestBodyBuilder::new().content(media_type, content);
        Self { body: Some(body.required(Some(required)).build()), ..self }
    }

    fn content<T: ToSchema>(&mut self) -> Content {
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.schemas);
        Content::new(Some(Ref::from_schema_name(name)))
    }

    /// The description of a route; its forms go to `schemas`.
    pub(super) fn operation(self, route: &Route, schemas: &mut Schemas) -> Operation {
        let placeholders = placeholders(route.path);
        let names_something = !placeholders.is_empty() || self.body.is_some();
        let refusals = self.all_refusals(route, names_something || !self.query.is_empty());
        schemas.extend(self.schemas);
        let mut operation = OperationBuilder::new()
            .operation_id(Some(route.action))
            .summary(Some(self.summary))
            .description(describe_need(route.need))
            .tag(tag(route.path))
            .request_body(self.body);
        for placeholder in placeholders {
            operation = operation.parameter(parameter(placeholder));
        }
        for parameter in self.query {
            operation = operation.parameter(parameter);
        }
        for (status, answer) in self.answers {
            operation = operation.response(status.as_str(), answer);
        }
        for status in refusals {
            let shared = Ref::from_response_name(refusals::name(status));
            operation = operation.response(status.as_str(), shared);
        }
        for requirement in security(route.need) {
            operation = operation.security(requirement);
        }
        operation.build()
    }

    /// How the route may refuse: follows from what it takes and needs.
    fn all_refusals(&self, route: &Route, names_something: bool) -> Vec<StatusCode> {
        use StatusCode as S;
        let mut refusals = self.refusals.clone();
        if !self.query.is_empty() || self.body.is_some() || route.need != Need::Nothing {
            refusals.push(S::BAD_REQUEST);
        }
        if self.body.is_some() {
            refusals.push(S::PAYLOAD_TOO_LARGE);
        }
        if route.need != Need::Nothing {
            if names_something {
                refusals.push(S::NOT_FOUND);
            }
            refusals.extend([S::UNAUTHORIZED, S::FORBIDDEN, S::TOO_MANY_REQUESTS]);
            refusals.extend([S::INTERNAL_SERVER_ERROR, S::SERVICE_UNAVAILABLE]);
            if !route.verb.is_safe() {
                refusals.extend([S::CONFLICT, S::INSUFFICIENT_STORAGE]);
            }
        }
        refusals.sort_unstable();
        refusals.dedup();
        refusals
    }
}

/// The names in braces.
fn placeholders(path: &'static str) -> Vec<&'static str> {
    let segments = path.split('/');
    segments.filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect()
}

fn parameter(placeholder: &'static str) -> Parameter {
    let (description, schema) = match placeholder {
        "user" => ("The user", schema::UserName::name()),
        "project" => ("The project", schema::ProjectName::name()),
        "robot" => ("The robot", schema::RobotName::name()),
        "trust" => ("The trust entry", schema::TrustName::name()),
        "trust_policy" => ("The trust policy", schema::TrustName::name()),
        "source" => ("The source", schema::SourceName::name()),
        "exception" => ("The exception", schema::ExceptionName::name()),
        "scanner" => ("The scanner", schema::SourceName::name()),
        "webhook" => ("The webhook", schema::TrustName::name()),
        "job" => ("The job", schema::TrustName::name()),
        "digest" => ("The digest", schema::DigestText::name()),
        "version" => ("The version", schema::VersionNumber::name()),
        "key" => ("The key", schema::Thumbprint::name()),
        _ => ("Its key", schema::Key::name()),
    };
    ParameterBuilder::new()
        .name(placeholder)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(Ref::from_schema_name(schema)))
        .build()
}

/// What is left out of a query is not there; there is no `null` in it.
fn without_null(mut parameter: Parameter) -> Parameter {
    parameter.schema = parameter.schema.map(|schema| match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = single(object.schema_type);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = single(array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            let mut forms = one_of.items.into_iter();
            forms.find(|form| matches!(form, RefOr::Ref(_))).unwrap_or_default()
        }
        other => other,
    });
    parameter
}

fn single(schema_type: SchemaType) -> SchemaType {
    match schema_type {
        SchemaType::Array(types) => {
            let found = types.into_iter().find(|of| *of != Type::Null);
            found.map_or(SchemaType::AnyValue, SchemaType::Type)
        }
        other => other,
    }
}

/// `users` of `/api/v1/users/{user}`, `registry` of `/v1/registry/promote`, `auth` of `/auth/token`.
fn tag(path: &str) -> &str {
    let prefixes = ["/api/v1/", "/v1/", "/"];
    let rest = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    rest.split(['/', '.']).next().unwrap_or_default()
}

fn describe_need(need: Need) -> Option<String> {
    let everywhere = |permission| format!("`{permission}` on the whole installation");
    let administer = everywhere(plura_policy::Permission::Administer);
    let text = match need {
        Need::Nothing => return None,
        Need::Login => "a login".to_owned(),
        Need::Log => "a login, unless the log is public".to_owned(),
        Need::Installation(permission) => everywhere(permission),
        Need::SeeProject => "a role in the project, or that it is public".to_owned(),
        Need::Project(permission) => format!("`{permission}` in the project"),
        Need::Repository(permission) => {
            format!(
                "`{permission}` in each repository that is named, or that its project is public"
            )
        }
        Need::NamedRepository(permission) => format!("`{permission}` in the repository"),
        Need::Rollback => "`promote` in the repository, or a rollback key".to_owned(),
        Need::Scan => "`pull` in the repository, or that its project is public".to_owned(),
        Need::Robots | Need::NewRobot => {
            format!("`manage-robots` in the robot's project; without a project, {administer}")
        }
        Need::Oneself => format!("to be that user, or {administer}"),
        Need::Explain => format!("to ask about oneself, or {administer}"),
        Need::Audit => "`read-audit` in the project, or on the whole installation".to_owned(),
        Need::RepositoryFigures => {
            let operate = everywhere(plura_policy::Permission::Operate);
            format!("`pull` in the repository; without a repository, {operate}")
        }
        Need::Figures => everywhere(plura_policy::Permission::Operate),
    };
    Some(format!("Needs {text}."))
}

/// Any one of these.
fn security(need: Need) -> Vec<SecurityRequirement> {
    let all = ["bearer", "basic", "session"];
    let any_of = all.map(|name| SecurityRequirement::new::<_, [&str; 0], _>(name, []));
    match need {
        Need::Nothing => Vec::new(),
        Need::SeeProject | Need::Repository(_) | Need::Scan | Need::Log | Need::Rollback => {
            [SecurityRequirement::default()].into_iter().chain(any_of).collect()
        }
        _ => any_of.into(),
    }
}

impl From<Verb> for HttpMethod {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::Get,
            Verb::Post => Self::Post,
            Verb::Put => Self::Put,
            Verb::Patch => Self::Patch,
            Verb::Delete => Self::Delete,
        }
    }
}
