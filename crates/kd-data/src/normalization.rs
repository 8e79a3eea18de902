//! Per-channel mean and standard deviation.

use std::fmt;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::DataError;

/// Per-channel statistics by which images are normalized: `(x / 255 - mean) / std`.
///
/// Both are in units of 0..1, in the order red, green, blue.
///
/// In a file it is one of the [names](Self::NAMES), or `{ mean: [r, g, b], std: [r, g, b] }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// The mean of each channel.
    pub mean: [f32; 3],
    /// The standard deviation of each channel, above 0.
    pub std: [f32; 3],
}

impl Normalization {
    /// The statistics customary for CIFAR-10.
    pub const CIFAR10: Self = Self {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2023, 0.1994, 0.2010],
    };

    /// The statistics customary for CIFAR-100.
    pub const CIFAR100: Self = Self {
        mean: [0.5071, 0.4867, 0.4408],
        std: [0.2675, 0.2565, 0.2761],
    };

    /// Those of Knowledge-Distillation-Zoo for CIFAR-10.
    pub const CIFAR10_ZOO: Self = Self {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2470, 0.2435, 0.2616],
    };

    /// Those of Knowledge-Distillation-Zoo for CIFAR-100.
    pub const CIFAR100_ZOO: Self = Self {
        mean: [0.5071, 0.4865, 0.4409],
        std: [0.2673, 0.2564, 0.2762],
    };

    /// Those of mdistiller for Tiny-ImageNet.
    pub const TINY_IMAGENET: Self = Self {
        mean: [0.4802, 0.4481, 0.3975],
        std: [0.2302, 0.2265, 0.2262],
    };

    /// The statistics customary for ImageNet.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };

    /// All that have a name.
    pub const NAMES: [(&str, Self); 6] = [
        ("cifar10", Self::CIFAR10),
        ("cifar10-zoo", Self::CIFAR10_ZOO),
        ("cifar100", Self::CIFAR100),
        ("cifar100-zoo", Self::CIFAR100_ZOO),
        ("tiny-imagenet", Self::TINY_IMAGENET),
        ("imagenet", Self::IMAGENET),
    ];

    /// Checks that all values are finite and the deviations above 0.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] naming the field.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !self.mean.iter().all(|m| m.is_finite()) {
            return Err(DataError::invalid(
                "Normalization",
                "mean",
                format!("{:?}", self.mean),
                "finite numbers",
            ));
        }
        if !self.std.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(DataError::invalid(
                "Normalization",
                "std",
                format!("{:?}", self.std),
                "finite numbers above 0",
            ));
        }
        Ok(())
    }

    /// Factor and offset of each channel, so that a byte `x` becomes `x * factor + offset`.
    ///
    /// They are computed in f64 and rounded once, hence the result is as near to
    /// `(x / 255 - mean) / std` as that formula evaluated in f32.
    pub(crate) fn affine(&self) -> ([f32; 3], [f32; 3]) {
        let factor = self.std.map(|s| (1.0 / (255.0 * f64::from(s))) as f32);
        let offset = [0, 1, 2].map(|c| (-f64::from(self.mean[c]) / f64::from(self.std[c])) as f32);
        (factor, offset)
    }
}

/// What a file holds of statistics without a name.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Given {
    /// The mean of each channel.
    mean: [f32; 3],
    /// The standard deviation of each channel, above 0.
    std: [f32; 3],
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Normalization {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Normalization".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Statistics by which images are normalized, by name or given.",
            "anyOf": [
                { "enum": Self::NAMES.map(|(name, _)| name) },
                Given::json_schema(generator),
            ]
        })
    }
}

impl Serialize for Normalization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some((name, _)) = Self::NAMES.iter().find(|(_, named)| named == self) {
            return serializer.serialize_str(name);
        }
        let Self { mean, std } = *self;
        Given { mean, std }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Normalization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrGiven)
    }
}

struct NameOrGiven;

impl<'de> Visitor<'de> for NameOrGiven {
    type Value = Normalization;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Normalization::NAMES.map(|(name, _)| name).join(", ");
        write!(
            f,
            "one of {names}, or {{ mean: [r, g, b], std: [r, g, b] }}"
        )
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Normalization, E> {
        let known = Normalization::NAMES
            .iter()
            .find(|(known, _)| *known == name);
        let unknown = || E::invalid_value(serde::de::Unexpected::Str(name), &self);
        known.map(|(_, named)| *named).ok_or_else(unknown)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Normalization, A::Error> {
        let Given { mean, std } = Given::deserialize(MapAccessDeserializer::new(map))?;
        let given = Normalization { mean, std };
        given.check().map_err(serde::de::Error::custom)?;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_numbers_are_read_and_written() {
        let read = |json: &str| serde_json::from_str::<Normalization>(json);
        for (name, named) in Normalization::NAMES {
            let json = format!("\"{name}\"");
            assert_eq!(read(&json).expect("a name"), named);
            assert_eq!(serde_json::to_string(&named).expect("json"), json);
        }
        let json = r#"{"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25]}"#;
        let given = read(json).expect("numbers");
        assert_eq!(given.std, [0.25; 3]);
        assert_eq!(serde_json::to_string(&given).expect("json"), json);
    }

    #[test]
    fn what_is_neither_names_the_choices() {
        let message = |json: &str| {
            let error = serde_json::from_str::<Normalization>(json).expect_err("refused");
            error.to_string()
        };
        let unknown = message(r#""cifar""#);
        assert!(unknown.contains("cifar10-zoo, cifar100"), "{unknown}");
        assert!(message("1").contains("mean: [r, g, b]"));
        let flat = message(r#"{"mean":[0,0,0],"std":[1,0,1]}"#);
        assert!(flat.contains("finite numbers above 0"), "{flat}");
    }
}
