//! Shapes where networks are cut.

use serde::{Deserialize, Serialize};

/// Shape of a feature at a cut, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CutShape {
    /// `[channels, height, width]` of a map.
    Map([usize; 3]),
    /// Length of a pooled feature.
    Vector(usize),
}
