//! The knobs that make the images harder or easier.

use serde::{Deserialize, Serialize};

use crate::DataError;

/// How hard the procedural images are to tell apart; each field on its own, harder when greater
/// (only `contrast` works the other way).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Difficulty {
    /// Standard deviation of the pixel noise, independent in every channel, where the whole range
    /// of brightness is 1; in 0..=1. Default: 0.03.
    pub noise: f32,
    /// Greatest number of distractors, the shapes behind the figure; each image has 0 to this many,
    /// at most 16. Default: 1.
    pub clutter: u32,
    /// How much place, size, rotation, proportions and outline of the figure and direction and
    /// wavelength of its stripes vary, in 0..=1. Default: 0.1.
    pub jitter: f32,
    /// Strength of the ground's texture relative to the figure's, in 0..=2. Default: 0.2.
    pub ground: f32,
    /// Greatest strength of a second texture, of any kind, laid over the figure's and relative to
    /// it, in 0..=2. Default: 0.1.
    pub interference: f32,
    /// Least distance of the mean colors of figure and ground, in 0..=0.4 where the distance of
    /// black and red is 1. Each image has a distance between this and 2.5 times this (or less, as
    /// far as the colors allow). With 0, only the texture tells the figure. Default: 0.4.
    pub contrast: f32,
    /// Probability that a plain patch hides a part of the figure's edge, in 0..=1. Default: 0.05.
    pub occlusion: f32,
    /// Part of the images whose figure is a mixture of the labeled class (50 to 70 %) and another
    /// one, in 0..=1. Default: 0.05.
    pub ambiguous: f32,
}

impl Default for Difficulty {
    fn default() -> Self {
        Self {
            noise: 0.03,
            clutter: 1,
            jitter: 0.1,
            ground: 0.2,
            interference: 0.1,
            contrast: 0.4,
            occlusion: 0.05,
            ambiguous: 0.05,
        }
    }
}

impl Difficulty {
    pub(super) fn check(&self) -> Result<(), DataError> {
        for (field, value, most) in [
            ("noise", self.noise, 1.0),
            ("clutter", self.clutter as f32, 16.0),
            ("jitter", self.jitter, 1.0),
            ("ground", self.ground, 2.0),
            ("interference", self.interference, 2.0),
            ("contrast", self.contrast, 0.4),
            ("occlusion", self.occlusion, 1.0),
            ("ambiguous", self.ambiguous, 1.0),
        ] {
            // Not a number is in no range.
            if !(0.0..=most).contains(&value) {
                let expected = format!("a value in 0..={most}");
                return Err(DataError::invalid("Difficulty", field, value, expected));
            }
        }
        Ok(())
    }
}
