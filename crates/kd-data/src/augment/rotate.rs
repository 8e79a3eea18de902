//! Rotation and flip on the device.

use burn::tensor::{DType, Int, Tensor, TensorData};

/// Angles that are told apart: as many as fit the number of a view beside the flip.
const ANGLES: usize = 32_767;

/// Numbers of views: twice the number of the angle, plus 1 for a mirror image.
pub(super) const VIEWS: usize = 2 * ANGLES;

/// The angle of a view, in radians.
fn angle(view: u16, degrees: f64) -> f64 {
    let step = f64::from(view / 2) / (ANGLES - 1) as f64;
    (2.0 * step - 1.0) * degrees.to_radians()
}

/// Rotates each image around its center and takes the nearest pixel, or black outside; then flips.
///
/// The pixel of the result is looked up at the place to which the rotation by the opposite angle
/// brings its center, by one gather over the flattened planes with a black pixel at their end.
pub(super) fn rotate_flip(images: Tensor<4>, views: &[u16], degrees: f64) -> Tensor<4> {
    let device = images.device();
    let [n, c, h, w] = images.dims();
    let column = |number: &dyn Fn(u16) -> f64| -> Tensor<3> {
        let numbers: Vec<f32> = views.iter().map(|&v| number(v) as f32).collect();
        // Bytes and angles need more digits than a device's default may have.
        Tensor::from_data(TensorData::new(numbers, [n, 1, 1]), (&device, DType::F32))
    };
    let cos = column(&|v| angle(v, degrees).cos());
    let sin = column(&|v| angle(v, degrees).sin());
    let mirror = column(&|v| f64::from(1 - 2 * i8::from(v % 2 == 1)));

    // Centers of pixels, counted from the center of the image.
    let centers = |side: usize| -> Vec<f32> {
        let middle = side as f32 / 2.0;
        (0..side).map(|i| i as f32 + 0.5 - middle).collect()
    };
    let rows = TensorData::new(centers(h), [1, h, 1]);
    let columns = TensorData::new(centers(w), [1, 1, w]);
    let y = Tensor::<3>::from_data(rows, (&device, DType::F32));
    let x = Tensor::<3>::from_data(columns, (&device, DType::F32)) * mirror;

    let source_y = (y.clone() * cos.clone() + x.clone() * sin.clone()).add_scalar(h as f32 / 2.0);
    let source_x = (x * cos - y * sin).add_scalar(w as f32 / 2.0);
    let (row, column) = (source_y.floor(), source_x.floor());
    let outside = row
        .clone()
        .lower_elem(0.0)
        .bool_or(row.clone().greater_equal_elem(h as f32))
        .bool_or(column.clone().lower_elem(0.0))
        .bool_or(column.clone().greater_equal_elem(w as f32));
    let places: Tensor<3, Int> = (row.int().mul_scalar(w as i64) + column.int())
        .mask_fill(outside, (h * w) as i64)
        .reshape([n, 1, h * w]);

    let black = Tensor::zeros([n, c, 1], (&device, images.dtype()));
    Tensor::cat(vec![images.reshape([n, c, h * w]), black], 2)
        .gather(2, places.expand([n, c, h * w]))
        .reshape([n, c, h, w])
}
