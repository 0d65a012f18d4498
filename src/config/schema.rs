//! The JSON Schema of the configuration, asked of the reader itself.
//!
//! What the reader takes is found out by trying: a key that cannot be tells those that can, a word that cannot be tells
//! the others, and what is missing is named. So there is no second list of keys that could differ from the first.

use serde_json::{Map, Value, json};
use serde_saphyr::{Error, from_str};

use super::raw::RawConfig;

/// The schema (draft 2020-12) of the file that [`super::load()`] reads, without the bounds of numbers.
pub fn schema() -> Value {
    let mut schema = Asked { path: Vec::new() }.shape(DEPTH);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".to_owned(), "Configuration of Tidegate".into());
    }
    schema
}

/// A place in the file.
#[derive(Clone, Debug)]
struct Asked {
    path: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Key(&'static str),
    Item,
}

/// What the reader says to a value.
enum Answer {
    /// The value is of the right shape, whatever else is missing.
    Taken,
    /// Some other key is missing; the value is of the right shape.
    Missing(&'static str),
    /// The mapping has these keys.
    Keys(Vec<&'static str>),
    /// The word is one of these.
    Words(Vec<&'static str>),
    /// The value is not of the right shape.
    Refused,
}

impl Asked {
    fn shape(&self, depth: usize) -> Value {
        // Shapes that nothing below tells apart are open: the reader has the last word.
        let Some(depth) = depth.checked_sub(1) else { return json!({}) };
        match self.try_out(&json!({ NO_KEY: NO_WORD })) {
            Answer::Keys(keys) => return self.mapping(&keys, depth),
            Answer::Taken | Answer::Missing(_) => {
                return json!({ "type": "object", "additionalProperties": { "type": "string" } });
            }
            Answer::Words(_) | Answer::Refused => {}
        }
        if self.takes(&json!([])) {
            return json!({ "type": "array", "items": self.below(Step::Item).shape(depth) });
        }
        match self.try_out(&json!(NO_WORD)) {
            Answer::Words(words) => json!({ "enum": words }),
            Answer::Taken | Answer::Missing(_) => json!({ "type": "string" }),
            Answer::Keys(_) | Answer::Refused if self.takes(&json!(7)) => {
                json!({ "type": "integer", "minimum": 0 })
            }
            Answer::Keys(_) | Answer::Refused if self.takes(&json!(true)) => json!({ "type": "boolean" }),
            Answer::Keys(_) | Answer::Refused => json!({}),
        }
    }

    fn mapping(&self, keys: &[&'static str], depth: usize) -> Value {
        let shapes: Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), self.below(Step::Key(key)).shape(depth))).collect();
        let mut present = Map::new();
        let mut required = Vec::new();
        while let Answer::Missing(key) = self.try_out(&Value::Object(present.clone())) {
            let Some(shape) = shapes.get(key).filter(|_| !present.contains_key(key)) else { break };
            present.insert(key.to_owned(), sample(shape));
            required.push(key);
        }
        let mut mapping = json!({ "type": "object", "properties": shapes, "additionalProperties": false });
        if !required.is_empty()
            && let Some(mapping) = mapping.as_object_mut()
        {
            mapping.insert("required".to_owned(), required.into());
        }
        mapping
    }

    fn below(&self, step: Step) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { path }
    }

    fn takes(&self, value: &Value) -> bool {
        matches!(self.try_out(value), Answer::Taken | Answer::Missing(_))
    }

    /// Reads a file in which nothing stands but `value`, at this place.
    fn try_out(&self, value: &Value) -> Answer {
        let whole = self.path.iter().rev().fold(value.clone(), |inner, step| match step {
            Step::Key(key) => json!({ *key: inner }),
            Step::Item => json!([inner]),
        });
        // JSON is YAML.
        let Err(error) = from_str::<RawConfig>(&whole.to_string()) else { return Answer::Taken };
        match error.without_snippet() {
            Error::SerdeMissingField { field, .. } => Answer::Missing(field),
            Error::SerdeUnknownField { expected, .. } => Answer::Keys(expected.clone()),
            Error::SerdeUnknownVariant { expected, .. } => Answer::Words(expected.clone()),
            _ => Answer::Refused,
        }
    }
}

/// A value of a shape, so that the next key that is missing is named.
fn sample(shape: &Value) -> Value {
    if let Some(words) = shape.get("enum") {
        return words.get(0).cloned().unwrap_or_default();
    }
    match shape.get("type").and_then(Value::as_str) {
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer") => json!(7),
        Some("object") => {
            let required = shape.get("required").and_then(Value::as_array).into_iter().flatten();
            let inner = required.filter_map(|key| {
                let key = key.as_str()?;
                Some((key.to_owned(), sample(shape.get("properties")?.get(key)?)))
            });
            Value::Object(inner.collect())
        }
        _ => json!(NO_WORD),
    }
}

/// None that is known anywhere.
const NO_KEY: &str = "no key of a configuration";
const NO_WORD: &str = "no word of a configuration";
/// Mappings and lists inside each other.
const DEPTH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
        path.split('.').fold(schema, |schema, step| match step {
            "[]" => &schema["items"],
            key => &schema["properties"][key],
        })
    }

    #[test]
    fn shapes_and_needs_are_those_of_the_reader() {
        let schema = schema();
        assert_eq!(schema["required"], json!(["data_dir", "listeners", "targets"]));
        assert_eq!(
            at(&schema, "targets.[]")["required"],
            json!(["name", "environment", "endpoint", "accounts"])
        );
        for (path, shape) in [
            ("data_dir", json!({ "type": "string" })),
            ("log.format", json!({ "enum": ["json", "text"] })),
            ("listeners.[].dialect", json!({ "enum": ["mysql", "postgres"] })),
            ("listeners.[].plaintext", json!({ "type": "boolean" })),
            ("targets.[].databases", json!({ "type": "array", "items": { "type": "string" } })),
            ("targets.[].labels", json!({ "type": "object", "additionalProperties": { "type": "string" } })),
            ("targets.[].tls.mode", json!({ "enum": ["disable", "verify-full"] })),
            ("targets.[].pool.max_connections", json!({ "type": "integer", "minimum": 0 })),
        ] {
            assert_eq!(at(&schema, path), &shape, "{path}");
        }
        assert_eq!(at(&schema, "targets.[].accounts.read")["required"], json!(["user"]));
    }

    #[test]
    fn a_page_that_tells_of_a_section_tells_of_every_key_in_it() {
        fn look(shape: &Value, pages: &str, missing: &mut Vec<String>) {
            for (key, inner) in shape["properties"].as_object().into_iter().flatten() {
                let is_told =
                    [format!("`{key}`"), format!(".{key}`"), format!(" {key}:"), format!("{{ {key}:")];
                let is_block =
                    inner.get("properties").is_some() || inner["items"].get("properties").is_some();
                if !is_block && !is_told.iter().any(|words| pages.contains(words)) {
                    missing.push(key.clone());
                }
                look(inner, pages, missing);
                look(&inner["items"], pages, missing);
            }
        }
        let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        let pages = pages.filter_map(|page| std::fs::read_to_string(page.unwrap().path()).ok());
        let pages: String = pages.collect();
        let mut missing = Vec::new();
        let mut sections = 0;
        for (section, shape) in schema()["properties"].as_object().unwrap() {
            if pages.contains(&format!("`{section}.")) || pages.contains(&format!("## `{section}`")) {
                sections += 1;
                look(shape, &pages, &mut missing);
                look(&shape["items"], &pages, &mut missing);
            }
        }
        assert!(sections >= 8, "only {sections} sections");
        assert!(missing.is_empty(), "no page in docs tells of {missing:?}");
    }
}
