//! A value or several.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value or a list of them, for values that are written as text: one is written without a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(Vec<T>);

impl<T> OneOrMany<T> {
    /// All values, in order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The first value.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same list of other values.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> OneOrMany<U> {
        OneOrMany(self.0.into_iter().map(change).collect())
    }
}

impl<T> From<T> for OneOrMany<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

impl<T> FromIterator<T> for OneOrMany<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [value] => value.serialize(serializer),
            values => values.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of strings")
            }

            // Not by an untagged enum: the message of the value itself is to be seen.
            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                T::deserialize(StrDeserializer::new(text)).map(OneOrMany::from)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<OneOrMany<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(values)).map(OneOrMany)
            }
        }

        deserializer.deserialize_any(Values(PhantomData))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use kd_models::Architecture;

    use super::*;

    #[test]
    fn one_is_written_without_a_list() {
        for json in [r#""a.pth""#, r#"["a.pth","b.pth"]"#, "[]"] {
            let paths: OneOrMany<PathBuf> = serde_json::from_str(json).expect("paths");
            assert_eq!(serde_json::to_string(&paths).expect("JSON"), json);
        }
        let listed: OneOrMany<PathBuf> = serde_json::from_str(r#"["a.pth"]"#).expect("a path");
        assert_eq!(listed, PathBuf::from("a.pth").into());
    }

    #[test]
    fn a_mistake_is_that_of_the_value() {
        let read = |json| serde_json::from_str::<OneOrMany<Architecture>>(json);
        for json in [r#""resnet9000""#, r#"["resnet8","resnet9000"]"#] {
            let error = read(json).expect_err("no such network").to_string();
            assert!(error.contains("resnet9000"), "{error}");
        }
        let error = read("3").expect_err("a number").to_string();
        assert!(error.contains("a string or a list of strings"), "{error}");
    }
}
