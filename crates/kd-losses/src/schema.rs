//! JSON Schema of the terms of a loss.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{Method, MethodInfo, TermConfig};

impl JsonSchema for TermConfig {
    fn schema_name() -> Cow<'static, str> {
        "Term".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let methods = Method::schemas(generator).into_iter();
        let terms: Vec<Schema> = methods.map(|(info, read)| term(&info, read)).collect();
        json_schema!({
            "description": "A loss with its weight: `kd methods` lists the losses.",
            "oneOf": terms
        })
    }
}

/// A method's parameters, and what every term has besides.
fn term(info: &MethodInfo, parameters: Schema) -> Schema {
    let mut term = parameters;
    let names: Vec<_> = std::iter::once(&info.name).chain(info.aliases).collect();
    let object = term.ensure_object();
    object.insert("title".to_owned(), json!(info.name));
    let description = format!("{}. {}", info.title, info.paper);
    object.insert("description".to_owned(), json!(&description));
    object.insert("required".to_owned(), json!(["name", "weight"]));
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        let name = json!({ "description": description, "enum": names });
        properties.insert("name".to_owned(), name);
        let weight = json!({
            "description": "Weight of the term. At 0 it is not computed.",
            "type": "number",
            "minimum": 0
        });
        properties.insert("weight".to_owned(), weight);
        let label = json!({
            "description": "Name in metrics, needed where a loss occurs twice. Default: the loss's.",
            "type": ["string", "null"]
        });
        properties.insert("label".to_owned(), label);
    }
    term
}
