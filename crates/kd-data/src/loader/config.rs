//! How a loader forms its batches.

use serde::{Deserialize, Serialize};

use crate::{Augmentation, DataError};

/// How a [`Loader`](crate::Loader) forms its batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// Images in a batch, at least 1. Default: 64.
    pub batch_size: usize,
    /// Whether every epoch has an order of its own; otherwise images come in the order of the
    /// set. Default: false.
    pub shuffle: bool,
    /// Seed of order and augmentation. Default: 0.
    pub seed: u64,
    /// What happens to the images besides normalization. Default: nothing.
    pub augmentation: Augmentation,
    /// Threads that gather the bytes of batches ahead of time; with 0 the calling thread does it.
    /// The batches are the same. Default: 0.
    pub workers: usize,
    /// Whether to drop the last batch if it is not full. Default: false.
    pub drop_last: bool,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 64,
            shuffle: false,
            seed: 0,
            augmentation: Augmentation::None,
            workers: 0,
            drop_last: false,
        }
    }
}

impl LoaderConfig {
    /// The usual way to train on CIFAR: shuffled, cropped with a padding of 4, flipped.
    pub fn train(batch_size: usize, seed: u64) -> Self {
        Self {
            batch_size,
            shuffle: true,
            seed,
            augmentation: Augmentation::CIFAR,
            ..Self::default()
        }
    }

    /// The usual way to evaluate: in order, every image once, only normalized.
    pub fn evaluate(batch_size: usize) -> Self {
        Self {
            batch_size,
            ..Self::default()
        }
    }

    /// Number of batches over a set of `len` images.
    pub(crate) fn batches(&self, len: usize) -> usize {
        if self.drop_last {
            len / self.batch_size
        } else {
            len.div_ceil(self.batch_size)
        }
    }

    /// Checks that there is at least one batch, for `len` images of a size `[H, W]`.
    pub(crate) fn check(&self, len: usize, size: [usize; 2]) -> Result<(), DataError> {
        if len == 0 {
            return Err(DataError::EmptySet);
        }
        if self.batch_size == 0 {
            return Err(DataError::invalid(
                "LoaderConfig",
                "batch_size",
                0,
                "at least 1",
            ));
        }
        if self.drop_last && len < self.batch_size {
            return Err(DataError::invalid(
                "LoaderConfig",
                "batch_size",
                self.batch_size,
                format!("at most {len}, the number of images, as the last batch is dropped"),
            ));
        }
        self.augmentation.check(size)
    }
}
