//! A data set that is drawn instead of read.

mod canvas;
mod class;
mod difficulty;
mod generate;
mod grating;
mod scene;
mod shape;
mod wave;

use serde::{Deserialize, Serialize};

pub use self::difficulty::Difficulty;
use self::{class::Class, generate::draw_split, scene::Artist};
use crate::{DataError, ImageSet, Normalization, Splits, stream::Purpose};

/// Statistics of the images drawn with the default difficulty, measured on 10,000 of them and
/// rounded; the channels are treated alike, so theirs are equal.
const NORMALIZATION: Normalization = Normalization {
    mean: [0.5, 0.5, 0.5],
    std: [0.235, 0.235, 0.235],
};

/// Images of a split at most: they are drawn into memory.
const MOST_IMAGES: usize = 10_000_000;

/// The procedural data set: what to draw, how many and how difficult.
///
/// Every image shows a *figure* on a patterned ground. The class is a combination of
///
/// | attribute | values |
/// |---|---|
/// | shape of the figure | disc, square, triangle, ring, cross |
/// | texture in the figure | horizontal, vertical or diagonal stripes, checks, fine stripes |
/// | place of a plain dot | none, above the figure, below it, inside it |
///
/// Class `k` has shape `k % 5`, texture `k / 5 % 5` and dot `k / 25`: the default 10 classes are
/// five shapes with horizontal or vertical stripes, 100 classes are all combinations. Everything
/// else says nothing about the class: place, size and rotation of the figure, all colors,
/// lighting, the texture of the ground, a second texture over the figure's own, distractors behind
/// the figure (smaller, but with shapes and textures of the same kinds), irregular outlines, patches
/// over them, and pixel noise. Some images are
/// deliberately ambiguous mixtures of two classes. No class changes when an image is mirrored
/// left to right.
///
/// Image `i` of a split has label `i % classes` and depends on the seed, the split, `i`, the
/// number of classes, the size and the difficulty, but not on how many images there are: a longer
/// set begins with a shorter one. Only exact arithmetic is used, so the bytes are the same on
/// every machine.
///
/// ```
/// use kd_data::ProceduralConfig;
///
/// let splits = ProceduralConfig {
///     train: 20,
///     test: 10,
///     ..Default::default()
/// }
/// .generate()?;
/// assert_eq!(splits.train.len(), 20);
/// assert_eq!(splits.test.classes(), 10);
/// # Ok::<(), kd_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ProceduralConfig {
    /// Number of classes, 2 to 100. Default: 10.
    pub classes: usize,
    /// Height and width of the images, 32 or 64 pixels. Default: 32.
    pub size: usize,
    /// Number of training images, 1 to 10,000,000. Default: 1000.
    pub train: usize,
    /// Number of test images, 1 to 10,000,000. Default: 400.
    pub test: usize,
    /// Seed of all drawings. Default: 0.
    pub seed: u64,
    /// How hard the images are to tell apart.
    pub difficulty: Difficulty,
}

impl Default for ProceduralConfig {
    fn default() -> Self {
        Self {
            classes: 10,
            size: 32,
            train: 1000,
            test: 400,
            seed: 0,
            difficulty: Difficulty::default(),
        }
    }
}

impl ProceduralConfig {
    /// Draws both splits, on all cores.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] naming the field that is out of its range.
    pub fn generate(&self) -> Result<Splits, DataError> {
        self.check()?;
        Ok(Splits {
            train: self.split(Purpose::TrainImage, self.train)?,
            test: self.split(Purpose::TestImage, self.test)?,
        })
    }

    fn split(&self, purpose: Purpose, count: usize) -> Result<ImageSet, DataError> {
        let artist = Artist::new(self, purpose);
        let pixels = draw_split(&artist, count);
        let labels = (0..count).map(|i| artist.label(i) as u32).collect();
        let size = [self.size, self.size];
        ImageSet::new(pixels, labels, size, self.classes, NORMALIZATION)?
            .with_class_names((0..self.classes).map(|k| Class::of(k).name()).collect())
    }

    fn check(&self) -> Result<(), DataError> {
        let invalid = |field, found: usize, expected: &str| {
            Err(DataError::invalid(
                "ProceduralConfig",
                field,
                found,
                expected,
            ))
        };
        if !(2..=Class::COUNT).contains(&self.classes) {
            return invalid("classes", self.classes, "2 to 100");
        }
        if self.size != 32 && self.size != 64 {
            return invalid("size", self.size, "32 or 64");
        }
        for (field, count) in [("train", self.train), ("test", self.test)] {
            if !(1..=MOST_IMAGES).contains(&count) {
                return invalid(field, count, "1 to 10000000 images");
            }
        }
        self.difficulty.check()
    }
}
