//! Batches on a device.

mod config;
mod epoch;
mod plan;
mod resident;

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};

use self::plan::Plan;
pub use self::{config::LoaderConfig, epoch::Epoch, resident::Resident};
use crate::{DataError, ImageSet};

/// One batch: tensors on the device, and what they are on the host.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Augmented and normalized images `[N, 3, H, W]`.
    pub images: Tensor<4>,
    /// Labels `[N]`.
    pub labels: Tensor<1, Int>,
    /// The index in the set of each image, `[N]`.
    pub indices: Tensor<1, Int>,
    /// The same on the host.
    pub host_indices: Vec<usize>,
    /// The number of the view in which each image is shown; see
    /// [`Augmentation::view_index`](crate::Augmentation::view_index).
    pub views: Vec<u16>,
}

impl Batch {
    /// A batch of images that come from elsewhere: its indices count from 0.
    ///
    /// # Shapes
    ///
    /// - images: `[N, 3, H, W]`
    /// - labels: `[N]`
    pub fn new(images: Tensor<4>, labels: Tensor<1, Int>) -> Self {
        let [count, ..] = images.dims();
        let device = images.device().without_autodiff();
        Self {
            images,
            labels,
            indices: Tensor::arange(0..count as i64, &device),
            host_indices: (0..count).collect(),
            views: vec![0; count],
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.host_indices.len()
    }

    /// Whether there are no images, which no loader does.
    pub fn is_empty(&self) -> bool {
        self.host_indices.is_empty()
    }
}

/// Runs over an image set in batches, epoch by epoch.
///
/// Everything random is a function of a key: the order of the images of `(seed, epoch)`, the crop
/// and flip of an image of `(seed, epoch, index)`. Hence an epoch can be had at any time and
/// again, the view of an image does not depend on the batch size or the order, and worker threads
/// do not change anything but the speed.
#[derive(Debug, Clone)]
pub struct Loader {
    set: Arc<ImageSet>,
    config: LoaderConfig,
}

impl Loader {
    /// Builds a loader over a set, which may be shared with others by an `Arc`.
    ///
    /// # Errors
    ///
    /// [`DataError::EmptySet`], or [`DataError::Invalid`] if the batch size is 0, if no batch is
    /// left because the last one is dropped, or if the padding of the augmentation is too great.
    pub fn new(set: impl Into<Arc<ImageSet>>, config: LoaderConfig) -> Result<Self, DataError> {
        let set = set.into();
        config.check(set.len(), [set.height(), set.width()])?;
        Ok(Self { set, config })
    }

    /// The images.
    pub fn set(&self) -> &ImageSet {
        &self.set
    }

    /// How the loader was configured.
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// Number of batches of an epoch, at least 1.
    pub fn batches(&self) -> usize {
        self.config.batches(self.set.len())
    }

    /// The batches of an epoch, with their tensors on `device`.
    ///
    /// The tensors belong to the device as it is given, with or without autodiff. With workers,
    /// threads start here and end with the iterator, also when it is dropped early.
    pub fn epoch(&self, epoch: usize, device: &Device) -> Epoch {
        let plan = Plan::new(self.set.clone(), self.config.clone(), epoch);
        Epoch::start(plan, device.clone())
    }

    /// One batch of an epoch, below [`batches`](Self::batches).
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] or [`DataError::Image`] naming the file, if images are decoded here.
    pub fn batch(&self, epoch: usize, batch: usize, device: &Device) -> Result<Batch, DataError> {
        let config = LoaderConfig {
            workers: 0,
            ..self.config.clone()
        };
        let plan = Plan::new(self.set.clone(), config, epoch);
        Epoch::start(plan, device.clone()).batch(batch)
    }
}
