//! Whether a tool's JSON schema is one. Structure only: nothing is fetched, nothing is validated against it.

use tw_artifact::{Json, Map};

/// Deepest nesting that is looked at; deeper is refused, since endpoints compile schemas recursively.
const MAX_DEPTH: usize = 64;
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];

/// What keeps `schema` from being the schema of a tool's arguments; `None` when nothing does.
pub(crate) fn schema_problem(schema: &Json) -> Option<String> {
    let Some(map) = schema.as_object() else {
        return Some(match schema {
            Json::Null => "it has no input schema".to_owned(),
            _ => "its input schema is not a JSON object".to_owned(),
        });
    };
    match map.get("type") {
        None => {}
        Some(Json::String(kind)) if kind == "object" => {}
        Some(other) => {
            return Some(format!("its input schema has the type {}, not \"object\"", other.to_text()));
        }
    }
    check_schema(schema, "inputSchema", 0).err()
}

fn check_schema(schema: &Json, place: &str, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("its input schema is nested deeper than {MAX_DEPTH} levels"));
    }
    match schema {
        Json::Bool(_) => Ok(()),
        Json::Object(map) => check_keywords(map, place, depth),
        _ => Err(format!("{place} must be an object, true or false")),
    }
}

fn check_keywords(map: &Map, place: &str, depth: usize) -> Result<(), String> {
    for (key, value) in map {
        let place = format!("{place}.{key}");
        match key.as_str() {
            "type" => check_type(value, &place)?,
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                let fields = value.as_object().ok_or_else(|| format!("{place} must be an object"))?;
                for (name, schema) in fields {
                    check_schema(schema, &format!("{place}.{name}"), depth + 1)?;
                }
            }
            "required" => {
                let names = value.as_array().ok_or_else(|| format!("{place} must be a list of names"))?;
                if names.iter().any(|name| name.as_str().is_none()) {
                    return Err(format!("{place} must be a list of names"));
                }
            }
            "enum" if value.as_array().is_none() => return Err(format!("{place} must be a list")),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => check_list(value, &place, depth)?,
            // A list of schemas was allowed here before draft 2020-12.
            "items" if value.as_array().is_some() => check_list(value, &place, depth)?,
            "items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains" | "propertyNames" => {
                check_schema(value, &place, depth + 1)?;
            }
            "$ref" if value.as_str().is_none() => return Err(format!("{place} must be text")),
            _ => {}
        }
    }
    Ok(())
}

fn check_list(value: &Json, place: &str, depth: usize) -> Result<(), String> {
    let schemas = value.as_array().ok_or_else(|| format!("{place} must be a list of schemas"))?;
    for (index, schema) in schemas.iter().enumerate() {
        check_schema(schema, &format!("{place}[{index}]"), depth + 1)?;
    }
    Ok(())
}

fn check_type(value: &Json, place: &str) -> Result<(), String> {
    let is_type = |name: &Json| name.as_str().is_some_and(|name| TYPES.contains(&name));
    let known = match value {
        Json::Array(names) => !names.is_empty() && names.iter().all(is_type),
        name => is_type(name),
    };
    if known { Ok(()) } else { Err(format!("{place} is {}, which is no JSON type", value.to_text())) }
}
