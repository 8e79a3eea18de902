//! Crop and flip on the device.

use burn::tensor::{Device, Int, Tensor, TensorData, ops::PadMode};

use super::Padding;
use crate::View;

/// Crop and flip of images of one size.
#[derive(Clone, Debug)]
pub(super) struct CropFlip {
    pad: usize,
    padding: Padding,
    /// For an image as it is and for its mirror image, where the pixels of a crop are that starts at
    /// the first pixel of the padded plane, `[2, height · width]`.
    places: Tensor<2, Int>,
}

impl CropFlip {
    pub(super) fn new(pad: usize, padding: Padding, [h, w]: [usize; 2], device: &Device) -> Self {
        let row = (w + 2 * pad) as i32;
        let plane = |flip: bool| {
            let pixels = (0..h * w).map(move |pixel| [(pixel / w) as i32, (pixel % w) as i32]);
            pixels.map(move |[i, j]| i * row + if flip { w as i32 - 1 - j } else { j })
        };
        let places: Vec<i32> = plane(false).chain(plane(true)).collect();
        Self {
            pad,
            padding,
            places: Tensor::from_data(TensorData::new(places, [2, h * w]), device),
        }
    }

    /// Crops and flips by one gather over the flattened padded planes.
    ///
    /// Pixel `(i, j)` of the result is `(dy + i, dx + j)` of the padded image, with `j` counted from
    /// the right if the view is flipped: the place in a plane is that of the first crop, and a
    /// number for each image more.
    pub(super) fn apply(&self, images: Tensor<4>, views: Tensor<1, Int>) -> Tensor<4> {
        let pad = self.pad;
        let [n, c, h, w] = images.dims();
        let (padded_h, padded_w) = (h + 2 * pad, w + 2 * pad);

        let offsets = View::offsets(pad) as i64;
        let crop = views.clone().div_scalar(2);
        let flip = views - crop.clone().mul_scalar(2);
        let dy = crop.clone().div_scalar(offsets);
        let dx = crop - dy.clone().mul_scalar(offsets);
        let shift = dy.mul_scalar(padded_w as i64) + dx;
        let places = self.places.clone().select(0, flip) + shift.unsqueeze_dim(1);

        let mode = match self.padding {
            Padding::Zero => PadMode::Constant(0.0),
            Padding::Reflect => PadMode::Reflect,
        };
        let padded = match pad {
            0 => images,
            _ => images.pad((pad, pad, pad, pad), mode),
        };
        padded
            .reshape([n, c, padded_h * padded_w])
            .gather(2, places.unsqueeze_dim::<3>(1).expand([n, c, h * w]))
            .reshape([n, c, h, w])
    }
}

/// Mirrors the images whose view is odd.
pub(super) fn flip(images: Tensor<4>, views: Tensor<1, Int>) -> Tensor<4> {
    let dims = images.dims();
    let even = views.clone().div_scalar(2).mul_scalar(2);
    let flips = (views - even).equal_elem(1).reshape([dims[0], 1, 1, 1]);
    images
        .clone()
        .mask_where(flips.expand(dims), images.flip([3]))
}
