//! An augmentation that is ready for a device.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Augmentation;
use super::crop_flip::{CropFlip, flip};
use crate::Normalization;

/// An augmentation and a normalization of images of one size on one device: what is the same for all
/// batches is there.
#[derive(Clone, Debug)]
pub(crate) struct Presentation {
    device: Device,
    way: Way,
    factor: Tensor<4>,
    offset: Tensor<4>,
}

/// How images are changed by the numbers of their views.
#[derive(Clone, Debug)]
enum Way {
    /// Not at all, or by the host.
    AsTheyAre,
    Flip,
    CropFlip(Box<CropFlip>),
}

impl Presentation {
    /// For images of a size `[H, W]`. An augmentation that is [drawn on the
    /// host](Augmentation::is_on_device) changes nothing here.
    pub(crate) fn new(
        augmentation: &Augmentation,
        normalization: &Normalization,
        size: [usize; 2],
        device: &Device,
    ) -> Self {
        let (factor, offset) = normalization.affine();
        let channel = |values: [f32; 3]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), device)
        };
        Self {
            device: device.clone(),
            way: match *augmentation {
                Augmentation::Flip => Way::Flip,
                Augmentation::CropFlip { pad, padding } => {
                    Way::CropFlip(Box::new(CropFlip::new(pad, padding, size, device)))
                }
                _ => Way::AsTheyAre,
            },
            factor: channel(factor),
            offset: channel(offset),
        }
    }

    /// Shows images `[N, 3, H, W]` by the numbers of their views `[N]`, and normalizes them: nothing
    /// comes from the host.
    pub(crate) fn show(&self, images: Tensor<4>, views: Tensor<1, Int>) -> Tensor<4> {
        let images = match &self.way {
            Way::AsTheyAre => images,
            Way::Flip => flip(images, views),
            Way::CropFlip(crop) => crop.apply(images, views),
        };
        self.normalize(images)
    }

    /// The same for views on the host.
    pub(crate) fn show_by(&self, images: Tensor<4>, views: &[u16]) -> Tensor<4> {
        if matches!(self.way, Way::AsTheyAre) {
            return self.normalize(images);
        }
        let views: Vec<i32> = views.iter().map(|view| i32::from(*view)).collect();
        let views = TensorData::new(views, [images.dims()[0]]);
        self.show(images, Tensor::from_data(views, &self.device))
    }

    /// `(x / 255 - mean) / std` per channel, as one factor and one offset.
    fn normalize(&self, images: Tensor<4>) -> Tensor<4> {
        images * self.factor.clone() + self.offset.clone()
    }
}
