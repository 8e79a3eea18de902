//! Training images that stay on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_kernels::assign_int;

use super::plan::Plan;
use super::{Batch, Loader};
use crate::DataError;
use crate::augment::{Presentation, upload};

/// The images of a [`Loader`] as bytes on a device, with the order and the views of an epoch, of which a
/// step takes its batch by a counter that is there too: nothing comes from the host, and what is
/// recorded of one step is any other step as well.
///
/// The batches are those of [`Loader::epoch`], as long as they are whole; the rest of an epoch is had
/// by [`Loader::batch`].
#[derive(Debug)]
pub struct Resident {
    loader: Loader,
    presentation: Presentation,
    /// Bytes `[images, 3 · height · width]`.
    pixels: Tensor<2, Int>,
    /// Labels `[images]`.
    labels: Tensor<1, Int>,
    /// Images of the epoch in their order, and the number of the view of each, `[batches · size]`.
    order: Tensor<1, Int>,
    views: Tensor<1, Int>,
    /// The number of the next step in the epoch, `[1]`.
    step: Tensor<1, Int>,
    /// From 0 to the size of a batch.
    within: Tensor<1, Int>,
}

impl Resident {
    /// Bytes that the images of a loader take on a device; `None` if they cannot stay there: they are
    /// decoded batch by batch, or [changed by the host](crate::Augmentation::is_on_device).
    pub fn bytes(loader: &Loader, device: &Device) -> Option<usize> {
        let set = loader.set();
        let stays = !set.is_streamed() && loader.config().augmentation.is_on_device();
        let each = match device.supports_dtype(burn::tensor::DType::U8) {
            true => 1,
            false => 4,
        };
        stays.then(|| set.len() * set.image_bytes() * each)
    }

    /// Brings the images to a plain device. The first epoch is 0 until another is
    /// [started](Self::start).
    ///
    /// # Errors
    ///
    /// If an image cannot be read.
    ///
    /// # Panics
    ///
    /// If there is no whole batch.
    pub fn new(loader: &Loader, device: &Device) -> Result<Self, DataError> {
        let device = device.clone().without_autodiff();
        let set = loader.set();
        let mut bytes = Vec::with_capacity(set.len() * set.image_bytes());
        for index in 0..set.len() {
            bytes.extend_from_slice(&set.image(index)?);
        }
        let shape = [set.len(), set.channels(), set.height(), set.width()];
        let labels: Vec<i32> = (0..set.len()).map(|i| set.label(i) as i32).collect();
        let plan = Plan::new(loader.set.clone(), loader.config.clone(), 0);
        let size = loader.config.batch_size;
        assert!(set.len() >= size, "there is no whole batch");
        let [order, views] = uploaded(&plan, &device);
        Ok(Self {
            loader: loader.clone(),
            presentation: plan.presentation(&device),
            pixels: upload(bytes, shape, &device).flatten(1, 3),
            labels: integers(labels, &device),
            order,
            views,
            step: integers(vec![0], &device),
            within: integers((0..size as i32).collect(), &device),
        })
    }

    /// Goes to a step of an epoch, counted from 0: one upload of the order and the views.
    pub fn start(&mut self, epoch: usize, step: usize) {
        let device = self.labels.device();
        let plan = Plan::new(self.loader.set.clone(), self.loader.config.clone(), epoch);
        let [order, views] = uploaded(&plan, &device);
        self.order = assign_int(self.order.clone(), order);
        self.views = assign_int(self.views.clone(), views);
        self.seek(step);
    }

    /// Goes to a step of the same epoch.
    pub fn seek(&mut self, step: usize) {
        let step = integers(vec![step as i32], &self.labels.device());
        self.step = assign_int(self.step.clone(), step);
    }

    /// The same with the number in memory of its own, if what was there cannot be relied upon.
    pub fn seek_anew(&mut self, step: usize) {
        self.step = integers(vec![step as i32], &self.labels.device());
    }

    /// Whole batches of an epoch.
    pub fn batches(&self) -> usize {
        self.order.dims()[0] / self.within.dims()[0]
    }

    /// The number of the step whose batch is [next](Self::batch), in the memory where it stays, `[1]`.
    pub fn step(&self) -> Tensor<1, Int> {
        self.step.clone()
    }

    /// The batch of the step, on the autodiff device; what it is on the host is not known, so its
    /// `host_indices` count from 0. The step is the same until [`advance`](Self::advance).
    pub fn batch(&self) -> Batch {
        let size = self.within.dims()[0];
        let set = self.loader.set();
        let first = self.step.clone().mul_scalar(size as i64);
        let places = self.within.clone() + first;
        let indices = self.order.clone().select(0, places.clone());
        let views = self.views.clone().select(0, places);
        let pixels = self.pixels.clone().select(0, indices.clone());
        let shape = [size, set.channels(), set.height(), set.width()];
        let images = self.presentation.show(pixels.reshape(shape).float(), views);
        let labels = self.labels.clone().select(0, indices.clone());
        Batch {
            images: images.autodiff(),
            labels: labels.autodiff(),
            indices,
            host_indices: (0..size).collect(),
            views: vec![0; size],
        }
    }

    /// Goes to the next step.
    pub fn advance(&mut self) {
        let next = self.step.clone().add_scalar(1);
        self.step = assign_int(self.step.clone(), next);
    }
}

/// Order and views of an epoch on a device.
fn uploaded(plan: &Plan, device: &Device) -> [Tensor<1, Int>; 2] {
    let (order, views) = plan.whole();
    [order, views].map(|numbers| integers(numbers, device))
}

fn integers(numbers: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoaderConfig, ProceduralConfig};

    #[test]
    fn batches_are_those_of_the_loader() {
        let device = Device::default();
        let config = ProceduralConfig {
            classes: 4,
            train: 22,
            test: 4,
            ..Default::default()
        };
        let set = config.generate().expect("images").train;
        let loader = Loader::new(set, LoaderConfig::train(4, 3)).expect("a loader");
        let mut resident = Resident::new(&loader, &device).expect("resident");
        assert_eq!(resident.batches(), 5);
        for epoch in [0, 2] {
            resident.start(epoch, 0);
            let expected: Vec<Batch> = loader.epoch(epoch, &device.clone().autodiff()).collect();
            for (step, expected) in expected.iter().take(5).enumerate() {
                if (epoch, step) == (2, 3) {
                    // A step is wherever the counter is.
                    resident.seek(3);
                }
                let found = resident.batch();
                resident.advance();
                same(found.images, expected.images.clone());
                same(found.labels.float(), expected.labels.clone().float());
                same(found.indices.float(), expected.indices.clone().float());
            }
            let rest = loader.batch(epoch, 5, &device).expect("the rest");
            assert_eq!(rest.host_indices, expected[5].host_indices);
            same(rest.images, expected[5].images.clone());
        }
    }

    fn same<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        let [found, expected] = [found, expected].map(|tensor| tensor.inner().into_data());
        assert_eq!(found, expected);
    }

    #[test]
    fn images_that_the_host_changes_do_not_stay() {
        let device = Device::default();
        let set = ProceduralConfig {
            classes: 2,
            train: 4,
            test: 2,
            ..Default::default()
        };
        let set = set.generate().expect("images").train;
        let bytes = |augmentation| {
            let config = LoaderConfig {
                augmentation,
                ..LoaderConfig::train(2, 0)
            };
            Resident::bytes(
                &Loader::new(set.clone(), config).expect("a loader"),
                &device,
            )
        };
        assert!(bytes(crate::Augmentation::CIFAR).is_some_and(|bytes| bytes >= 4 * 3 * 32 * 32));
        assert_eq!(bytes(crate::Augmentation::RESIZED_CROP), None);
        assert_eq!(
            bytes(crate::Augmentation::RotateFlip { degrees: 20.0 }),
            None
        );
    }
}
