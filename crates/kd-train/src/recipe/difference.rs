//! In what recipes differ.

use std::fmt;

use serde_json::Value;

use super::Recipe;
use crate::TrainError;

/// Fields that change the time a run takes, but not its numbers, or only by rounding on a GPU.
const WITHOUT_EFFECT: [&str; 7] = [
    "name",
    "data.download",
    "data.workers",
    "teacher.cache",
    "teacher.cache_mib",
    "compute.threads",
    "compute.graph",
];

/// A field in which two recipes differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field, with the sections that it is in.
    pub path: String,
    /// Its value in the earlier recipe.
    pub earlier: Value,
    /// Its value in the later one.
    pub now: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, earlier, now } = self;
        write!(f, "`{path}` is {earlier} there, {now} here")
    }
}

impl Recipe {
    /// The first field in which this recipe differs from an `earlier` one; what has no effect on the
    /// numbers of a run does not count.
    ///
    /// # Errors
    ///
    /// [`TrainError::Key`] if a recipe cannot be written, as with a number that is not finite.
    pub fn difference(&self, earlier: &Self) -> Result<Option<Difference>, TrainError> {
        self.first_difference(earlier, |_, _, _| false)
    }

    /// The same, where it does not count either in which place the data set and the weights are: they
    /// may have moved. Whether they are the same is told by a run that is continued, which knows their
    /// checksums.
    ///
    /// # Errors
    ///
    /// As [`difference`](Self::difference).
    pub fn difference_but_places(&self, earlier: &Self) -> Result<Option<Difference>, TrainError> {
        self.first_difference(earlier, |path, earlier, now| {
            is_place(path) && earlier.is_string() && now.is_string()
        })
    }

    fn first_difference(
        &self,
        earlier: &Self,
        skips: impl Fn(&str, &Value, &Value) -> bool + Copy,
    ) -> Result<Option<Difference>, TrainError> {
        let value = |recipe: &Self| {
            serde_json::to_value(recipe).map_err(|error| TrainError::Key {
                path: "recipe".to_owned(),
                reason: error.to_string(),
            })
        };
        let (earlier, now) = (value(earlier)?, value(self)?);
        // What others depend on comes first.
        let first = ["student", "peers", "teacher", "train", "optimizer"];
        let found = first
            .iter()
            .find_map(|section| differ(section, (&earlier[section], &now[section]), skips));
        Ok(found.or_else(|| differ("", (&earlier, &now), skips)))
    }
}

/// Whether a field says where something is that a run reads.
fn is_place(path: &str) -> bool {
    matches!(
        path.split('.').collect::<Vec<_>>()[..],
        ["data", "root"]
            | ["student" | "teacher", "weights"]
            | ["teacher", "weights", _]
            | ["peers", _, "weights"]
    )
}

/// Whether a device is another GPU of the same kind, which computes the same.
fn is_other_card(path: &str, (earlier, now): (&Value, &Value)) -> bool {
    fn kind(device: &Value) -> Option<&str> {
        device.as_str()?.split(':').next()
    }
    path.starts_with("compute.device") && kind(earlier).is_some() && kind(earlier) == kind(now)
}

fn differ(
    path: &str,
    (earlier, now): (&Value, &Value),
    skips: impl Fn(&str, &Value, &Value) -> bool + Copy,
) -> Option<Difference> {
    if let (Value::Object(earlier), Value::Object(now)) = (earlier, now) {
        return now.iter().find_map(|(key, value)| {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            let earlier = earlier.get(key).unwrap_or(&Value::Null);
            differ(&path, (earlier, value), skips)
        });
    }
    if let (Value::Array(earlier), Value::Array(now)) = (earlier, now)
        && earlier.len() == now.len()
    {
        let mut pairs = earlier.iter().zip(now).enumerate();
        return pairs.find_map(|(index, pair)| differ(&format!("{path}.{index}"), pair, skips));
    }
    let same = earlier == now
        || WITHOUT_EFFECT.contains(&path)
        || is_other_card(path, (earlier, now))
        || skips(path, earlier, now);
    (!same).then(|| Difference {
        path: path.to_owned(),
        earlier: earlier.clone(),
        now: now.clone(),
    })
}
