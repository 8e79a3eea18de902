//! Which images an epoch shows, in which order and how: all of it on the host.

use std::sync::Arc;

use burn::tensor::Device;

use super::LoaderConfig;
use crate::{
    Augmentation, DataError, ImageSet,
    augment::{Presentation, ResizedCrop},
    stream::{Purpose, Stream},
};

/// A batch before it is on a device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostBatch {
    /// Bytes `[N, 3, H, W]`.
    pub(super) bytes: Vec<u8>,
    pub(super) labels: Vec<i32>,
    pub(super) indices: Vec<usize>,
    pub(super) views: Vec<u16>,
}

/// One epoch of a loader. Any batch of it can be assembled at any time.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) set: Arc<ImageSet>,
    pub(super) config: LoaderConfig,
    epoch: u64,
    order: Vec<usize>,
}

impl Plan {
    pub(super) fn new(set: Arc<ImageSet>, config: LoaderConfig, epoch: usize) -> Self {
        let epoch = epoch as u64;
        let mut order: Vec<usize> = (0..set.len()).collect();
        if config.shuffle {
            Stream::new(config.seed, Purpose::Order, epoch, 0).shuffle(&mut order);
        }
        Self {
            set,
            config,
            epoch,
            order,
        }
    }

    pub(super) fn batches(&self) -> usize {
        self.config.batches(self.set.len())
    }

    /// How images are shown on a device.
    pub(super) fn presentation(&self, device: &Device) -> Presentation {
        let size = [self.set.height(), self.set.width()];
        let normalization = self.set.normalization();
        Presentation::new(&self.config.augmentation, &normalization, size, device)
    }

    /// The images of whole batches, and the number of the view of each, in their order.
    pub(super) fn whole(&self) -> (Vec<i32>, Vec<i32>) {
        let size = self.config.batch_size;
        let images = self.order[..self.order.len() / size * size].iter();
        images
            .map(|&image| (image as i32, i32::from(self.view(image))))
            .unzip()
    }

    /// Gathers batch `batch`, below [`batches`](Self::batches).
    pub(super) fn assemble(&self, batch: usize) -> Result<HostBatch, DataError> {
        let first = batch * self.config.batch_size;
        let last = (first + self.config.batch_size).min(self.order.len());
        let indices = self.order[first..last].to_vec();
        let mut bytes = Vec::with_capacity(indices.len() * self.set.image_bytes());
        for &index in &indices {
            self.append(index, &mut bytes)?;
        }
        Ok(HostBatch {
            bytes,
            labels: indices.iter().map(|&i| self.set.label(i) as i32).collect(),
            views: indices.iter().map(|&i| self.view(i)).collect(),
            indices,
        })
    }

    /// Appends the bytes of an image, as they go to the device.
    fn append(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        let Augmentation::RandomResizedCrop { .. } = self.config.augmentation else {
            bytes.extend_from_slice(&self.set.image(index)?);
            return Ok(());
        };
        let picture = self.set.picture(index)?;
        let size = [picture.height as u32, picture.width as u32];
        let mut stream = self.stream(index);
        if let Some(crop) = ResizedCrop::draw(&self.config.augmentation, size, &mut stream) {
            let size = [self.set.height(), self.set.width()];
            bytes.extend(picture.crop(crop, size)?);
        }
        Ok(())
    }

    /// What is drawn for an image in this epoch.
    fn stream(&self, index: usize) -> Stream {
        Stream::new(self.config.seed, Purpose::View, self.epoch, index as u64)
    }

    /// The number of the view of an image in this epoch.
    fn view(&self, index: usize) -> u16 {
        let views = self.config.augmentation.draws() as u32;
        if views == 1 {
            return 0;
        }
        self.stream(index).below(views) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalization;

    fn plan(config: LoaderConfig, epoch: usize) -> Plan {
        let pixels = (0..11 * 12).map(|i| i as u8).collect();
        let labels = (0..11).collect();
        let set = ImageSet::new(pixels, labels, [2, 2], 11, Normalization::CIFAR10);
        Plan::new(Arc::new(set.expect("valid")), config, epoch)
    }

    /// View of every image, by index.
    fn views(plan: &Plan) -> Vec<(usize, u16)> {
        let mut all: Vec<_> = (0..plan.batches())
            .map(|b| plan.assemble(b).expect("in memory"))
            .flat_map(|b| b.indices.into_iter().zip(b.views))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn batches_in_order_hold_every_image_once() {
        let plan = plan(LoaderConfig::evaluate(4), 0);
        assert_eq!(plan.batches(), 3);
        let last = plan.assemble(2).expect("in memory");
        assert_eq!(last.indices, [8, 9, 10]);
        assert_eq!(last.labels, [8, 9, 10]);
        assert_eq!(last.views, [0, 0, 0]);
        assert_eq!(last.bytes, (96..132).collect::<Vec<u8>>());
    }

    #[test]
    fn shuffled_epochs_are_different_permutations_and_repeatable() {
        let config = LoaderConfig::train(3, 5);
        let orders: Vec<_> = [0, 1, 0].map(|e| plan(config.clone(), e).order).into();
        assert_eq!(orders[0], orders[2]);
        assert_ne!(orders[0], orders[1]);
        assert_ne!(orders[0], plan(LoaderConfig::train(3, 6), 0).order);
        for mut order in orders {
            order.sort();
            assert_eq!(order, (0..11).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_view_of_an_image_depends_on_seed_epoch_and_index_only() {
        let config = LoaderConfig::train(3, 5);
        let reference = views(&plan(config.clone(), 2));
        assert!(reference.iter().any(|(_, v)| *v != reference[0].1));
        assert!(reference.iter().all(|(_, v)| *v < 162));
        let other_batches = LoaderConfig {
            batch_size: 7,
            shuffle: false,
            ..config.clone()
        };
        assert_eq!(reference, views(&plan(other_batches, 2)));
        assert_ne!(reference, views(&plan(config.clone(), 3)));
        let other_seed = LoaderConfig { seed: 6, ..config };
        assert_ne!(reference, views(&plan(other_seed, 2)));
    }

    #[test]
    fn all_views_are_drawn() {
        let config = LoaderConfig {
            augmentation: Augmentation::crop_flip(1),
            ..LoaderConfig::default()
        };
        let mut counts = [0; 18];
        for epoch in 0..100 {
            for (_, view) in views(&plan(config.clone(), epoch)) {
                counts[usize::from(view)] += 1;
            }
        }
        // 61 expected each, with a standard deviation of 7.6.
        assert!(counts.iter().all(|c| (25..100).contains(c)), "{counts:?}");
    }
}
