//! The numbers of an epoch.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its learning rate, at the end.
    pub lr: f64,
    /// On the training images, as they were seen during the epoch.
    pub train: TrainMetrics,
    /// On the test images, after the epoch.
    pub test: TestMetrics,
    /// Top-1 accuracy on the test images of a teacher that is trained as the student is, in
    /// percent; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_top1: Option<f64>,
    /// Of the other networks of mutual learning, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerMetrics>,
    /// Wall time of training and evaluation. The only number that differs when a run is repeated.
    pub seconds: f64,
}

/// An epoch of another network of mutual learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerMetrics {
    /// On the training images, as they were seen during the epoch.
    pub train: TrainMetrics,
    /// On the test images, after the epoch.
    pub test: TestMetrics,
}

/// Values by name, in their order: a map in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedValues(pub Vec<(String, f64)>);

impl NamedValues {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<f64> {
        let mut values = self.0.iter();
        values
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    }
}

impl Serialize for NamedValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for NamedValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = NamedValues;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedValues, A::Error> {
                let mut values = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    values.push(entry);
                }
                Ok(NamedValues(values))
            }
        }

        deserializer.deserialize_map(Values)
    }
}

/// Means over the training images of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenMetrics")]
pub struct TrainMetrics {
    /// The weighted sum of the terms.
    pub loss: f64,
    /// The terms that were computed, by name and without their weights. Where samples are chosen, a
    /// term is that of the chosen ones times their share.
    pub terms: NamedValues,
    /// The routing objective; absent if no policy chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<f64>,
    /// Share of the samples that were distilled at each spot; absent if all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<Vec<f64>>,
    /// Top-1 accuracy, in percent.
    pub top1: f64,
    /// Top-5 accuracy, in percent.
    pub top5: f64,
}

/// The metrics as they are in a file, by this version or by the first, which knew three terms.
#[derive(Deserialize)]
struct WrittenMetrics {
    loss: f64,
    #[serde(default)]
    terms: NamedValues,
    ce: Option<f64>,
    kd: Option<f64>,
    method: Option<f64>,
    routing: Option<f64>,
    distilled: Option<Vec<f64>>,
    top1: f64,
    top5: f64,
}

impl From<WrittenMetrics> for TrainMetrics {
    fn from(written: WrittenMetrics) -> Self {
        let mut terms = written.terms;
        let first = [
            ("ce", written.ce),
            ("kd", written.kd),
            ("method", written.method),
        ];
        for (name, value) in first {
            terms.0.extend(value.map(|value| (name.to_owned(), value)));
        }
        Self {
            loss: written.loss,
            terms,
            routing: written.routing,
            distilled: written.distilled,
            top1: written.top1,
            top5: written.top5,
        }
    }
}

/// Means over the test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// Cross-entropy with the labels.
    pub loss: f64,
    /// Top-1 accuracy, in percent.
    pub top1: f64,
    /// Top-5 accuracy, in percent.
    pub top5: f64,
}

/// A number with twelve digits. What is written with more is not read back to the same number, so
/// that a run that was continued would leave other records than one that was not.
pub(crate) fn twelve_digits(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

impl TrainMetrics {
    /// With twelve digits.
    pub(crate) fn rounded(self) -> Self {
        Self {
            loss: twelve_digits(self.loss),
            terms: NamedValues(
                self.terms
                    .0
                    .into_iter()
                    .map(|(name, value)| (name, twelve_digits(value)))
                    .collect(),
            ),
            routing: self.routing.map(twelve_digits),
            distilled: self
                .distilled
                .map(|shares| shares.into_iter().map(twelve_digits).collect()),
            top1: twelve_digits(self.top1),
            top5: twelve_digits(self.top5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut value = 0.1f64;
        for _ in 0..2000 {
            // Numbers of all sizes with all digits.
            value = (value * 1.618_033_988_749_895 + 0.017).rem_euclid(97.0) + 1e-3;
            let rounded = twelve_digits(value);
            assert!((rounded - value).abs() <= 1e-11 * value);
            let text = serde_json::to_string(&rounded).expect("a number");
            let read: f64 = serde_json::from_str(&text).expect("a number");
            assert_eq!(read, rounded);
            assert_eq!(serde_json::to_string(&read).expect("a number"), text);
        }
    }
}
