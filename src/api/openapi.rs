//! The description of the API, as programs read it: `/api/v1/openapi.json`.
//!
//! Addresses, bodies and parameters come from the handlers themselves, in the list that also makes the router. What is
//! the same for many of them (problems, the key) is added here, by what each takes.

use std::sync::Arc;

use axum::{
    Extension,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Components, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
        RefOr, Response as Described, ResponseBuilder,
        path::{Operation, Parameter, ParameterIn},
        schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    bodies::{EventBody, ProblemBody},
    problem::CODES,
};
use crate::model::ids::DirectoryGroupId;

/// The description as it is sent.
#[derive(Clone)]
pub(super) struct Text(Arc<str>);

/// The description of this API.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "openapi",
    tag = "health",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value))
)]
pub(super) async fn openapi(Extension(Text(text)): Extension<Text>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

/// The name under which a call may be repeated without being done twice.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read where the header is, and described here")]
pub(super) struct IdempotencyHeader {
    /// The same body under the same name is answered with what was made the first time, for a day.
    #[param(rename = "idempotency-key", min_length = 1, max_length = 200, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}

/// What is said before any address is.
pub(super) fn beginning() -> OpenApi {
    let info = InfoBuilder::new()
        .title("tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Administration of a gateway that judges every SQL statement against time-boxed grants. Instants are RFC \
             3339 in UTC. Lists come in pages, newest first: `before` takes the identifier that the page before ended \
             with. What an operation's key has to be good for stands beside its security requirement.",
        ));
    let mut components = Components::new();
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("tgk_…").description(Some(
        "A service key: `Authorization: Bearer tgk_…`. Of the scopes beside a requirement, one is enough.",
    ));
    components.add_security_scheme("service_key", SecurityScheme::Http(key.build()));
    let mut told_of = vec![
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
        (EventBody::name().into_owned(), EventBody::schema()),
        // It stands in addresses alone.
        (DirectoryGroupId::name().into_owned(), DirectoryGroupId::schema()),
    ];
    EventBody::schemas(&mut told_of);
    components.schemas.extend(told_of);
    OpenApiBuilder::new().info(info.build()).components(Some(components)).build()
}

/// Adds what is the same for many operations, and gives the text.
pub(super) fn finished(mut api: OpenApi) -> Text {
    for item in api.paths.paths.values_mut() {
        for (changes, operation) in operations(item) {
            complete(operation, changes);
        }
    }
    // Types of our own, without any that JSON lacks: that cannot fail.
    Text(api.to_json().unwrap_or_default().into())
}

/// The operations of an address, each with whether it may change something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let changing = [put, post, delete, patch].into_iter().filter_map(|it| it.as_mut().map(|it| (true, it)));
    get.as_mut().map(|it| (false, it)).into_iter().chain(changing)
}

/// A parameter that may be left out is left out, and is never a null.
fn without_null(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(Parameter { schema: Some(RefOr::T(Schema::Object(schema))), .. }) = parameter else {
        return;
    };
    if let SchemaType::Array(types) = &mut schema.schema_type {
        types.retain(|it| *it != Type::Null);
        if let [only] = types.as_slice() {
            schema.schema_type = SchemaType::Type(only.clone());
        }
    }
}

/// Adds the problems that an operation can be answered with by what it takes, and to every answer its name.
fn complete(operation: &mut Operation, changes: bool) {
    operation.parameters.iter_mut().flatten().for_each(without_null);
    let is_in = |place: ParameterIn| {
        operation.parameters.iter().flatten().any(|it| match it {
            RefOr::T(it) => it.parameter_in == place,
            RefOr::Ref(_) => false,
        })
    };
    let takes_query = is_in(ParameterIn::Query) || is_in(ParameterIn::Header);
    let is_keyed = operation.security.is_some();
    let tells = operation.operation_id.as_deref();
    let is_login = operation.tags.iter().flatten().any(|tag| tag == "login");
    if operation.tags.iter().flatten().any(|tag| tag == "directory") {
        for (status, what) in SCIM {
            let responses = &mut operation.responses.responses;
            responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(scim_error(what)));
        }
        return name_answers(operation);
    }
    let mut problems = Vec::new();
    if is_in(ParameterIn::Path) || operation.request_body.is_some() {
        problems.extend([("404", "There is none of this name.")]);
    }
    if operation.request_body.is_some() {
        problems.extend([("413", "The body is too large."), ("415", "The body is not `application/json`.")]);
    }
    if takes_query || operation.request_body.is_some() {
        problems.push(("400", "Body, query or header is not of the right shape."));
    }
    if takes_query || changes {
        problems.push(("422", "A value cannot be taken; `field` says which."));
    }
    if changes {
        problems.push(("409", "It cannot be done as things are now; `code` says why."));
    }
    if is_keyed || is_login || tells == Some("metrics") {
        problems.extend([
            ("401", "The key or the password is not good."),
            ("403", "The key is not good for this."),
            ("429", "Too many wrong keys or passwords from this address, or too much at once."),
            ("500", "The gateway's own fault."),
            ("503", "Store or audit log cannot be used: nothing was changed."),
            ("504", "No answer in time: a change may still be made."),
        ]);
    }
    if is_login && tells != Some("log_in") {
        problems.extend([
            ("404", "There is no identity provider."),
            ("410", "The login was not begun here, or is over."),
            ("501", "The provider cannot do this."),
            ("502", "The provider failed."),
        ]);
    }
    for (status, what) in problems {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(what)));
    }
    name_answers(operation);
}

fn name_answers(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.headers.insert("x-request-id".to_owned(), request_id().into());
        }
    }
}

/// An error as directories read it; what refuses a key does not speak SCIM.
fn scim_error(what: &str) -> Described {
    let body = ContentBuilder::new().schema(Some(ObjectBuilder::new()));
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name())));
    ResponseBuilder::new()
        .description(what)
        .content("application/scim+json", body.build())
        .content("application/problem+json", problem.build())
        .build()
}

/// What directories can be answered with.
const SCIM: &[(&str, &str)] = &[
    ("400", "Body, query or a value cannot be taken; `scimType` says why."),
    ("401", "The key is not good."),
    ("403", "The key is not good for this."),
    ("404", "There is none of this name."),
    ("409", "It is there already, or somebody else was first."),
    ("413", "The body is too large."),
    ("429", "Too many wrong keys from this address."),
    ("500", "The gateway's own fault."),
    ("503", "Store or audit log cannot be used: nothing was changed."),
    ("504", "No answer in time: a change may still be made."),
];

fn problem(what: &str) -> Described {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name())));
    ResponseBuilder::new().description(what).content("application/problem+json", body.build()).build()
}

/// Every code that a problem can have.
pub(super) fn codes() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(CODES)).build()
}

fn request_id() -> utoipa::openapi::Header {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    let schema = ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build();
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some("Finds the request in the gateway's log."))
        .build()
}
