//! The images.

use std::path::PathBuf;

use kd_data::{
    Augmentation, Cifar, ImageFiles, ImageSet, Limits, Normalization, ProceduralConfig, Splits,
};
use serde::{Deserialize, Serialize};

use super::networks::absolute;
use crate::TrainError;

/// Side of ImageNet's images where the recipe names none, in pixels.
const IMAGENET_SIDE: usize = 224;

/// The numbers of ImageNet's training and validation images.
const IMAGENET_COUNTS: [usize; 2] = [1_281_167, 50_000];

/// Images in a batch at most.
const MOST_IMAGES: usize = 1 << 20;

/// Threads that prepare batches at most.
const MOST_WORKERS: usize = 1024;

/// The side of an image at most.
const MOST_PIXELS: usize = 4096;

/// The images of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data set.
    pub name: DataSource,
    /// Directory of the data set; required for all but the procedural set.
    pub root: Option<PathBuf>,
    /// Whether to download the data set's public archive if its files are missing.
    pub download: bool,
    /// Use only the first N training images. Default: all.
    pub limit_train: Option<usize>,
    /// Use only the first N test images. Default: all.
    pub limit_test: Option<usize>,
    /// Fraction of the training images, in (0, 1), to hold out and evaluate on instead of the test
    /// images: the same fraction of each class, chosen by `train.seed`. Default: none.
    pub dev_split: Option<f64>,
    /// Normalization statistics: a name or `{ mean, std }`. Default: those of the data set.
    pub normalization: Option<Normalization>,
    /// Side in pixels to which image files are resized. Default: 224 for ImageNet; else all images must
    /// have one size.
    pub image_size: Option<usize>,
    /// Decoded images are held in memory up to this many MiB; more are decoded batch by batch.
    pub memory_mib: u64,
    /// Batch size. Default: 64, or 32 for the procedural set.
    pub batch_size: Option<usize>,
    /// Number of threads that prepare batches; does not affect results.
    pub workers: usize,
    /// How to draw the procedural set.
    pub procedural: Option<ProceduralConfig>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            name: DataSource::default(),
            root: None,
            download: false,
            limit_train: None,
            limit_test: None,
            dev_split: None,
            normalization: None,
            image_size: None,
            memory_mib: 4096,
            batch_size: None,
            workers: 0,
            procedural: None,
        }
    }
}

impl DataConfig {
    pub(super) fn resolved(self) -> Result<Self, TrainError> {
        let procedural = self.name == DataSource::Procedural;
        let name = || format!("data.name: {}", self.name.name());
        if self.procedural.is_some() && !procedural {
            return Err(TrainError::conflict("data.procedural", name()));
        }
        if self.download && !self.name.has_archive() {
            return Err(TrainError::conflict("data.download", name()));
        }
        if self.image_size.is_some() && !self.name.is_of_files() {
            return Err(TrainError::conflict("data.image_size", name()));
        }
        if let Some(share) = self.dev_split
            && !(share > 0.0 && share < 1.0)
        {
            return Err(TrainError::value(
                "data.dev_split",
                share,
                "a fraction between 0 and 1",
            ));
        }
        TrainError::within("data.batch_size", self.batch_size, 1..=MOST_IMAGES)?;
        TrainError::within("data.workers", Some(self.workers), 0..=MOST_WORKERS)?;
        TrainError::at_least_one("data.limit_train", self.limit_train)?;
        TrainError::at_least_one("data.limit_test", self.limit_test)?;
        TrainError::within("data.image_size", self.image_size, 1..=MOST_PIXELS)?;
        let imagenet = self.name == DataSource::Imagenet;
        Ok(Self {
            root: self.root.map(absolute),
            image_size: self.image_size.or(imagenet.then_some(IMAGENET_SIDE)),
            normalization: self.normalization.or(self.name.normalization()),
            batch_size: Some(self.batch_size.unwrap_or(if procedural { 32 } else { 64 })),
            procedural: procedural.then(|| self.procedural.unwrap_or_default()),
            ..self
        })
    }

    /// Reads or draws the images.
    pub(super) fn load(&self, seed: u64) -> Result<Splits, TrainError> {
        let splits = match self.name {
            DataSource::Procedural => self.draw()?,
            _ => self.read()?,
        };
        self.finish(splits, seed)
    }

    /// The same, but as many blank images of the same size for those of CIFAR.
    pub(super) fn load_sample(&self, seed: u64) -> Result<Splits, TrainError> {
        let classes = match self.name {
            DataSource::Cifar10 => 10,
            DataSource::Cifar100 => 100,
            _ => return self.load(seed),
        };
        let blank = |images: usize, limit: Option<usize>| {
            let images = limit.map_or(images, |limit| limit.min(images));
            let labels = (0..images).map(|image| (image % classes) as u32).collect();
            let pixels = vec![0; images * 3 * 32 * 32];
            ImageSet::new(pixels, labels, [32, 32], classes, Normalization::CIFAR100)
        };
        let splits = Splits {
            train: blank(50_000, self.limit_train)?,
            test: blank(10_000, self.limit_test.filter(|_| self.dev_split.is_none()))?,
        };
        self.finish(splits, seed)
    }

    /// What is done with images wherever they are from.
    fn finish(&self, splits: Splits, seed: u64) -> Result<Splits, TrainError> {
        let splits = match self.normalization {
            Some(normalization) => Splits {
                train: splits.train.with_normalization(normalization)?,
                test: splits.test.with_normalization(normalization)?,
            },
            None => splits,
        };
        let Some(share) = self.dev_split else {
            return Ok(splits);
        };
        let splits = splits.dev_split(share, seed)?;
        Ok(Splits {
            test: match self.limit_test {
                Some(limit) => splits.test.limit(limit),
                None => splits.test,
            },
            ..splits
        })
    }

    fn draw(&self) -> Result<Splits, TrainError> {
        let mut config = self.procedural.clone().unwrap_or_default();
        config.train = self
            .limit_train
            .map_or(config.train, |n| n.min(config.train));
        config.test = self.limit_test.map_or(config.test, |n| n.min(config.test));
        Ok(config.generate()?)
    }

    fn read(&self) -> Result<Splits, TrainError> {
        let root = self.root.as_ref().ok_or_else(|| TrainError::Missing {
            field: "data.root",
            hint: format!(
                "specify the directory that contains {} with --root",
                self.name.name()
            ),
        })?;
        if self.download {
            self.fetch(root)?;
        }
        let limits = Limits {
            train: self.limit_train,
            test: self.limit_test,
        };
        let files = ImageFiles {
            image_size: self.image_size,
            memory: self.memory_mib.saturating_mul(1 << 20),
            limits,
            ..ImageFiles::default()
        };
        Ok(match self.name {
            DataSource::Cifar10 => Cifar::Cifar10.read(root, limits)?,
            DataSource::Cifar100 => Cifar::Cifar100.read(root, limits)?,
            DataSource::TinyImagenet => {
                // Its images have their size: nothing around the middle is to be cut off.
                let files = ImageFiles {
                    middle: 1.0,
                    ..files
                };
                files.read_tiny_imagenet(root)?
            }
            DataSource::Imagenet => files.read_folder(root, Some(IMAGENET_COUNTS))?,
            DataSource::Folder | DataSource::Procedural => files.read_folder(root, None)?,
        })
    }

    /// Fetches the public archive if the files are not there.
    #[cfg(feature = "download")]
    fn fetch(&self, root: &std::path::Path) -> Result<(), TrainError> {
        use kd_data::Archive;
        let cifar = |set: Cifar| (set.is_in(root), Archive::cifar(set));
        let (there, archive) = match self.name {
            DataSource::Cifar10 => cifar(Cifar::Cifar10),
            DataSource::Cifar100 => cifar(Cifar::Cifar100),
            _ => (
                ImageFiles::is_tiny_imagenet_in(root),
                Archive::tiny_imagenet(),
            ),
        };
        match there {
            true => Ok(()),
            false => Ok(archive.fetch(root)?),
        }
    }

    /// Says that this build cannot fetch.
    #[cfg(not(feature = "download"))]
    fn fetch(&self, _root: &std::path::Path) -> Result<(), TrainError> {
        let expected = "false, as this build lacks the feature `download`";
        Err(TrainError::value("data.download", true, expected))
    }

    /// What happens to the training images if the recipe does not say; `None` if it depends on
    /// their size.
    pub(super) fn augmentation(&self) -> Option<Augmentation> {
        match self.name {
            DataSource::Procedural | DataSource::Cifar10 | DataSource::Cifar100 => {
                Some(Augmentation::CIFAR)
            }
            DataSource::TinyImagenet => Some(Augmentation::Flip),
            DataSource::Imagenet => Some(Augmentation::RESIZED_CROP),
            DataSource::Folder => self.image_size.map(|_| Augmentation::RESIZED_CROP),
        }
    }
}

/// The data sets that a recipe can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// The generated set, which needs no files.
    #[default]
    Procedural,
    /// CIFAR-10, in the official binary or Python layout.
    Cifar10,
    /// CIFAR-100, in the official binary or Python layout.
    Cifar100,
    /// Tiny-ImageNet in its official layout.
    TinyImagenet,
    /// ImageNet, as a folder `train` and a folder `val` with a folder for each class.
    Imagenet,
    /// Any folder `train` and `val` with a folder for each class.
    Folder,
}

impl DataSource {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            DataSource::Procedural => "procedural",
            DataSource::Cifar10 => "cifar10",
            DataSource::Cifar100 => "cifar100",
            DataSource::TinyImagenet => "tiny-imagenet",
            DataSource::Imagenet => "imagenet",
            DataSource::Folder => "folder",
        }
    }

    /// The statistics that are customary; those of the procedural set depend on how it is drawn.
    fn normalization(self) -> Option<Normalization> {
        match self {
            DataSource::Procedural => None,
            DataSource::Cifar10 => Some(Normalization::CIFAR10),
            DataSource::Cifar100 => Some(Normalization::CIFAR100),
            DataSource::TinyImagenet => Some(Normalization::TINY_IMAGENET),
            DataSource::Imagenet | DataSource::Folder => Some(Normalization::IMAGENET),
        }
    }

    /// Whether its images are files of their own.
    fn is_of_files(self) -> bool {
        use DataSource::{Folder, Imagenet, TinyImagenet};
        matches!(self, TinyImagenet | Imagenet | Folder)
    }

    /// Whether it has a public archive.
    fn has_archive(self) -> bool {
        use DataSource::{Cifar10, Cifar100, TinyImagenet};
        matches!(self, Cifar10 | Cifar100 | TinyImagenet)
    }
}
