//! The OpenAPI document.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    errors,
    service::{Operation, Service, services},
};
use crate::api::{Access, ApiVersion, Endpoint, Registry, Role};

const ABOUT: &str = include_str!("about.md");

/// Describes all endpoints of the registry, in the newest form of each.
pub(super) fn describe(registry: &Registry, cookie: &str) -> anyhow::Result<Value> {
    let services = services()?;
    let mut endpoints: Vec<_> = registry.iter().collect();
    endpoints.sort_unstable_by_key(|(name, _)| *name);

    let mut generator = generator();
    let mut paths = Map::new();
    for (name, forms) in endpoints {
        let Some(newest) = forms.first() else { continue };
        let (service, action) = name.split_once('.').unwrap_or((name, ""));
        let described = services.get(service).and_then(|service| service.endpoints.get(action));
        let operation = operation(service, newest, forms, described, &mut generator);
        paths.insert(format!("/{name}"), json!({"post": operation}));
    }
    let tags: Vec<Value> = services
        .iter()
        .map(|(name, service)| json!({"name": name, "description": service.description}))
        .collect();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ClearML API",
            "version": ApiVersion::CURRENT.to_string(),
            "description": format!("{ABOUT}\n{}", errors::table()),
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        // Where the document is: also behind a proxy with a prefix.
        "servers": [{"url": ".", "description": "this server"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas(services, &mut generator),
            "responses": errors::responses(),
            "securitySchemes": security_schemes(cookie),
        },
    }))
}

/// Schemas within requests stand where they are used.
fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            settings.definitions_path = "/components/schemas".into();
        })
        .into_generator()
}

fn operation(
    service: &str,
    newest: &Endpoint,
    forms: &[Endpoint],
    described: Option<&Operation>,
    generator: &mut SchemaGenerator,
) -> Value {
    let mut request =
        newest.request.map_or_else(|| json!({"type": "object"}), |schema| schema(generator).to_value());
    if let Some(beside) = described.and_then(|described| described.request.as_ref()) {
        merge(&mut request, beside);
    }
    // It says what the type is to those who read the code.
    if let Some(schema) = request.as_object_mut() {
        schema.remove("description");
    }
    require(&mut request, newest.required);

    let mut operation = json!({"operationId": newest.name, "tags": [service]});
    if let Some(described) = described {
        operation["summary"] = json!(described.summary);
    }
    let own = described.and_then(|described| described.description.clone());
    let description: Vec<String> =
        [own, roles(newest.access), versions(forms)].into_iter().flatten().collect();
    if !description.is_empty() {
        operation["description"] = json!(description.join("\n\n"));
    }
    operation["security"] = security(newest.access);
    operation["requestBody"] = request_body(newest, &request);
    operation["responses"] = responses(newest, described);
    operation["x-clearml-versions"] = forms.iter().rev().map(|form| json!(form.since.to_string())).collect();
    operation
}

/// Adds what the file of the service says to what the type of the request says.
fn merge(request: &mut Value, beside: &Value) {
    for (keyword, value) in beside.as_object().into_iter().flatten() {
        match (&mut request[keyword], value) {
            (Value::Object(known), Value::Object(more)) => known.extend(more.clone()),
            (known, _) => *known = value.clone(),
        }
    }
}

/// Adds what the endpoint requires whatever the type says.
fn require(request: &mut Value, keys: &[&str]) {
    if keys.is_empty() {
        return;
    }
    let required = &mut request["required"];
    if !required.is_array() {
        *required = json!([]);
    }
    if let Some(required) = required.as_array_mut() {
        let missing: Vec<Value> =
            keys.iter().map(|key| json!(key)).filter(|key| !required.contains(key)).collect();
        required.extend(missing);
    }
}

fn request_body(endpoint: &Endpoint, request: &Value) -> Value {
    if !endpoint.batch {
        return json!({"content": {"application/json": {"schema": request}}});
    }
    let lines = json!({"type": "array", "items": request, "description": "One JSON object per line."});
    json!({"content": {"application/json-lines": {"schema": lines}}})
}

fn responses(endpoint: &Endpoint, described: Option<&Operation>) -> Value {
    let content_type = described.and_then(|described| described.content_type.as_deref());
    let content = if let Some(content_type) = content_type {
        json!({content_type: {"schema": {"type": "string"}}})
    } else {
        let data = described.and_then(|described| described.response.clone());
        json!({"application/json": {"schema": {
            "type": "object",
            "required": ["meta", "data"],
            "properties": {
                "meta": {"$ref": "#/components/schemas/meta"},
                "data": data.unwrap_or_else(|| json!({"type": "object"})),
            },
        }}})
    };
    let mut responses = json!({
        "200": {"description": "Success.", "content": content},
        "400": {"$ref": "#/components/responses/BadRequest"},
    });
    if matches!(endpoint.access, Access::Authenticated | Access::Roles(_)) {
        responses["401"] = json!({"$ref": "#/components/responses/Unauthorized"});
        responses["403"] = json!({"$ref": "#/components/responses/Forbidden"});
    }
    responses["default"] = json!({"$ref": "#/components/responses/Error"});
    responses
}

fn schemas(
    services: indexmap::IndexMap<&str, Service>,
    generator: &mut SchemaGenerator,
) -> Map<String, Value> {
    let mut schemas = errors::schemas();
    schemas.insert(
        "reference".to_owned(),
        json!({
            "type": "object",
            "description": "Another object: its id, and the fields of it that `only_fields` asks for. Empty if there is none.",
            "properties": {"id": {"type": "string"}},
        }),
    );
    for (service, Service { schemas: own, .. }) in services {
        schemas.extend(own.into_iter().map(|(name, schema)| (format!("{service}.{name}"), schema)));
    }
    schemas.extend(generator.take_definitions(true));
    schemas
}

fn security_schemes(cookie: &str) -> Value {
    json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of `auth.login`.",
        },
        "keys": {
            "type": "http",
            "scheme": "basic",
            "description": "A key pair: the access key as user name, the secret key as password.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "The token in a cookie, which `auth.login` sets.",
        },
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Authenticated | Access::Roles(_) => json!([{"token": []}, {"keys": []}, {"session": []}]),
        Access::Open => json!([]),
        Access::Optional => json!([{}, {"token": []}, {"keys": []}, {"session": []}]),
    }
}

fn roles(access: Access) -> Option<String> {
    let Access::Roles(roles) = access else { return None };
    let names: Vec<String> = roles.iter().map(|role| format!("`{}`", Role::as_str(*role))).collect();
    Some(format!("Only for callers with the role {}.", names.join(" or ")))
}

/// What is to be known of the versions: most endpoints answer all of them in the same way.
fn versions(forms: &[Endpoint]) -> Option<String> {
    let oldest = forms.last()?.since;
    let newest = forms.first()?.since;
    if newest == oldest {
        return (oldest > ApiVersion::new(1, 0)).then(|| format!("Since API version {oldest}."));
    }
    Some(format!(
        "This form since API version {newest}; older versions, from {oldest} on, get an older form."
    ))
}
