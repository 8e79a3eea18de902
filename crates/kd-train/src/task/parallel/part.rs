//! The parts of a batch.

use burn::tensor::{Device, Int, Tensor};
use kd_data::Batch;

/// A part of a batch.
pub(super) struct Part {
    /// Its images, on a device of its own.
    pub(super) batch: Batch,
    /// Which share of the images of the batch it is: the weight of its gradient.
    pub(super) share: f64,
}

/// Cuts a batch into a part for each plain device, in order, whose sizes differ by one image at most.
/// A device for which no image is left gets the first with a share of 0, so that it takes part in the
/// step.
pub(super) fn cut(batch: &Batch, devices: &[Device]) -> Vec<Part> {
    let (images, parts) = (batch.len(), devices.len());
    let mut start = 0;
    let cut = devices.iter().enumerate().map(|(index, device)| {
        let count = images / parts + usize::from(index < images % parts);
        let part = match count {
            0 => piece(batch, (0, 1), device),
            _ => piece(batch, (start, count), device),
        };
        start += count;
        Part {
            batch: part,
            share: count as f64 / images as f64,
        }
    });
    cut.collect()
}

/// `count` images from `start` on, on the training device of a plain one.
fn piece(batch: &Batch, (start, count): (usize, usize), device: &Device) -> Batch {
    let device = device.clone().autodiff();
    let range = start..start + count;
    let images = batch.images.clone().narrow(0, start, count);
    // Another kind of device may have whole numbers of another size.
    let size = device.settings().int_dtype;
    let moved = |numbers: &Tensor<1, Int>| {
        let piece = numbers.clone().narrow(0, start, count);
        piece.to_device(&device).cast(size)
    };
    Batch {
        images: images.to_device(&device),
        labels: moved(&batch.labels),
        indices: moved(&batch.indices),
        host_indices: batch.host_indices[range.clone()].to_vec(),
        views: batch.views[range].to_vec(),
    }
}
