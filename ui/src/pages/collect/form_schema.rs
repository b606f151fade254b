//! The fields of a server's question, read from its flat JSON schema (MCP `requestedSchema`).
//!
//! Known: string (with `format`, lengths), number, integer, boolean, a choice (`enum` with `enumNames`, `oneOf` of
//! `const` and `title`) and several choices (an array of one of these).

use tw_artifact::{Json, Map};

/// One field of the form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// The name in the answer.
    pub(crate) name: String,
    /// The name on the form.
    pub(crate) title: String,
    /// What it is for, in the server's words.
    pub(crate) description: String,
    /// Whether the form cannot be sent without it.
    pub(crate) required: bool,
    /// What may be entered.
    pub(crate) kind: FieldKind,
    /// What stands in it at first.
    pub(crate) initial: FieldValue,
}

/// What may be entered into a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldKind {
    /// Text.
    Text {
        /// `email`, `uri`, `date`, `date-time` ...
        format: String,
        /// Fewest characters.
        min: Option<i64>,
        /// Most characters.
        max: Option<i64>,
    },
    /// A number.
    Number {
        /// Whether it must be whole.
        whole: bool,
        /// Smallest.
        min: Option<f64>,
        /// Largest.
        max: Option<f64>,
    },
    /// Yes or no.
    Flag,
    /// One of these.
    Choice(Vec<Choice>),
    /// Several of these.
    Choices {
        /// To choose from.
        options: Vec<Choice>,
        /// Fewest.
        min: Option<i64>,
        /// Most.
        max: Option<i64>,
    },
}

/// One thing to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// In the answer.
    pub(crate) value: String,
    /// On the form.
    pub(crate) label: String,
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue {
    /// Text, a number as typed, or the value of a choice.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// The values of several choices.
    Many(Vec<String>),
}

/// The fields of a schema, in its order.
///
/// # Errors
/// A schema that is not a flat object, or a field of a kind that is not known: the message names it.
pub(crate) fn read_fields(schema: &Json) -> Result<Vec<Field>, String> {
    let properties = schema
        .get("properties")
        .and_then(Json::as_object)
        .ok_or_else(|| "The server's form has no fields that can be read.".to_owned())?;
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str).collect();
    properties.iter().map(|(name, property)| read_field(name, property, required.contains(&name.as_str()))).collect()
}

/// The answer, or what is wrong by field name.
///
/// # Errors
/// Every field whose value does not fit, with the reason.
pub(crate) fn answer(fields: &[Field], values: &[FieldValue]) -> Result<Json, Vec<(String, String)>> {
    let mut content = Map::new();
    let mut problems = Vec::new();
    for (field, value) in fields.iter().zip(values) {
        match check(field, value) {
            Ok(Some(json)) => {
                content.insert(field.name.clone(), json);
            }
            Ok(None) => {}
            Err(problem) => problems.push((field.name.clone(), problem)),
        }
    }
    if problems.is_empty() { Ok(content.into()) } else { Err(problems) }
}

fn read_field(name: &str, property: &Json, required: bool) -> Result<Field, String> {
    let text = |key: &str| property.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let title = text("title");
    let kind = read_kind(property)
        .ok_or_else(|| format!("The server asks for \"{name}\" in a way that this form cannot show."))?;
    Ok(Field {
        name: name.to_owned(),
        title: if title.is_empty() { name.to_owned() } else { title },
        description: text("description"),
        required,
        initial: read_initial(&kind, property.get("default")),
        kind,
    })
}

fn read_kind(property: &Json) -> Option<FieldKind> {
    if let Some(options) = read_choices(property) {
        return Some(FieldKind::Choice(options));
    }
    let integer = |key: &str| property.get(key).and_then(Json::as_i64);
    Some(match property.get("type").and_then(Json::as_str)? {
        "string" => FieldKind::Text {
            format: property.get("format").and_then(Json::as_str).unwrap_or_default().to_owned(),
            min: integer("minLength"),
            max: integer("maxLength"),
        },
        kind @ ("number" | "integer") => FieldKind::Number {
            whole: kind == "integer",
            min: property.get("minimum").and_then(number),
            max: property.get("maximum").and_then(number),
        },
        "boolean" => FieldKind::Flag,
        "array" => FieldKind::Choices {
            options: read_choices(property.get("items")?)?,
            min: integer("minItems"),
            max: integer("maxItems"),
        },
        _ => return None,
    })
}

fn read_choices(property: &Json) -> Option<Vec<Choice>> {
    if let Some(values) = property.get("enum").and_then(Json::as_array) {
        let names = property.get("enumNames").and_then(Json::as_array).unwrap_or_default();
        return values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let value = value.as_str()?.to_owned();
                let label = names.get(index).and_then(Json::as_str).unwrap_or(&value).to_owned();
                Some(Choice { value, label })
            })
            .collect();
    }
    let titled = property.get("oneOf").or_else(|| property.get("anyOf")).and_then(Json::as_array)?;
    titled
        .iter()
        .map(|option| {
            let value = option.get("const").and_then(Json::as_str)?.to_owned();
            let label = option.get("title").and_then(Json::as_str).unwrap_or(&value).to_owned();
            Some(Choice { value, label })
        })
        .collect()
}

fn read_initial(kind: &FieldKind, default: Option<&Json>) -> FieldValue {
    match kind {
        FieldKind::Flag => FieldValue::Flag(default.and_then(Json::as_bool).unwrap_or(false)),
        FieldKind::Choices { .. } => FieldValue::Many(
            default
                .and_then(Json::as_array)
                .unwrap_or_default()
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
        ),
        FieldKind::Text { .. } | FieldKind::Number { .. } | FieldKind::Choice(_) => FieldValue::Text(match default {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.as_str().to_owned(),
            _ => String::new(),
        }),
    }
}

fn check(field: &Field, value: &FieldValue) -> Result<Option<Json>, String> {
    match (&field.kind, value) {
        (FieldKind::Flag, FieldValue::Flag(flag)) => Ok(Some((*flag).into())),
        (FieldKind::Choices { min, max, .. }, FieldValue::Many(chosen)) => {
            if chosen.is_empty() && !field.required {
                return Ok(None);
            }
            check_count(chosen.len(), *min, *max, "chosen")?;
            Ok(Some(Json::Array(chosen.iter().map(|value| Json::from(value.as_str())).collect())))
        }
        (_, FieldValue::Text(text)) if text.is_empty() => {
            if field.required {
                Err("This is needed.".to_owned())
            } else {
                Ok(None)
            }
        }
        (FieldKind::Number { whole, min, max }, FieldValue::Text(text)) => {
            check_number(text, *whole, *min, *max).map(Some)
        }
        (FieldKind::Text { format, min, max }, FieldValue::Text(text)) => {
            check_count(text.chars().count(), *min, *max, "characters")?;
            check_format(format, text)?;
            Ok(Some(text.as_str().into()))
        }
        (FieldKind::Choice(_), FieldValue::Text(text)) => Ok(Some(text.as_str().into())),
        _ => Err("This value does not fit the field.".to_owned()),
    }
}

fn check_count(count: usize, min: Option<i64>, max: Option<i64>, unit: &str) -> Result<(), String> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match (min, max) {
        (Some(min), _) if count < min => Err(format!("At least {min} {unit}.")),
        (_, Some(max)) if count > max => Err(format!("At most {max} {unit}.")),
        _ => Ok(()),
    }
}

fn check_number(text: &str, whole: bool, min: Option<f64>, max: Option<f64>) -> Result<Json, String> {
    let text = text.trim();
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or("This is not a number.")?;
    if whole && value.fract() != 0.0 {
        return Err("This must be a whole number.".to_owned());
    }
    match (min, max) {
        (Some(min), _) if value < min => return Err(format!("At least {min}.")),
        (_, Some(max)) if value > max => return Err(format!("At most {max}.")),
        _ => {}
    }
    // ".5" and "+1" are numbers to a person, but not to JSON.
    match Json::parse(text) {
        Ok(json @ Json::Number(_)) => Ok(json),
        _ => Json::parse(&value.to_string()).map_err(|error| error.message),
    }
}

fn check_format(format: &str, text: &str) -> Result<(), String> {
    let fits = match format {
        "email" => text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
        "uri" => text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()),
        _ => true,
    };
    let example = if format == "email" { "name@example.org" } else { "https://example.org" };
    if fits { Ok(()) } else { Err(format!("This should look like {example}.")) }
}

fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        _ => None,
    }
}
