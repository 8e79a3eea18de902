//! Crop and flip on the device.

use burn::tensor::{Bool, Int, Tensor, TensorData, ops::PadMode};

use super::Padding;
use crate::View;

/// Crops and flips by one gather over the flattened padded planes.
///
/// Pixel `(i, j)` of the result is `(dy + i, dx + j)` of the padded image, with `j` counted from
/// the right if the view is flipped. Its place in the plane is a sum of a part that depends on
/// `i` and one that depends on `j`, so only their sum has the size of the batch.
pub(super) fn crop_flip(
    images: Tensor<4>,
    views: &[u16],
    pad: usize,
    padding: Padding,
) -> Tensor<4> {
    let device = images.device();
    let [n, c, h, w] = images.dims();
    let (padded_h, padded_w) = (h + 2 * pad, w + 2 * pad);

    // Three small uploads, of one number an image each.
    let column = |number: fn(View) -> usize| -> Tensor<3, Int> {
        let numbers: Vec<i32> = views
            .iter()
            .map(|&v| number(View::from_index(usize::from(v), pad)) as i32)
            .collect();
        Tensor::from_data(TensorData::new(numbers, [n, 1, 1]), &device)
    };
    let (dy, dx) = (column(|v| v.dy), column(|v| v.dx));
    let flip = column(|v| usize::from(v.flip));

    let rows = Tensor::arange(0..h as i64, &device).reshape([1, h, 1]);
    let columns = Tensor::arange(0..w as i64, &device).reshape([1, 1, w]);
    // What to add to a column to count it from the right: w - 1 - 2 j.
    let mirror = columns.clone().mul_scalar(-2).add_scalar(w as i64 - 1);

    let row_part = (rows + dy).mul_scalar(padded_w as i64);
    let column_part = columns + dx + flip * mirror;
    let places = (row_part + column_part).reshape([n, 1, h * w]);

    let mode = match padding {
        Padding::Zero => PadMode::Constant(0.0),
        Padding::Reflect => PadMode::Reflect,
    };
    let padded = match pad {
        0 => images,
        _ => images.pad((pad, pad, pad, pad), mode),
    };
    padded
        .reshape([n, c, padded_h * padded_w])
        .gather(2, places.expand([n, c, h * w]))
        .reshape([n, c, h, w])
}

/// Mirrors the images whose view is odd.
pub(super) fn flip(images: Tensor<4>, views: &[u16]) -> Tensor<4> {
    let dims = images.dims();
    let flips: Vec<bool> = views.iter().map(|view| view % 2 == 1).collect();
    let flips = TensorData::new(flips, [dims[0], 1, 1, 1]);
    let flips = Tensor::<4, Bool>::from_data(flips, &images.device()).expand(dims);
    images.clone().mask_where(flips, images.flip([3]))
}
