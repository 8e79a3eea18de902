//! Maps of different sizes.

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

/// The smaller height and the smaller width of two maps.
pub(crate) fn smaller(one: &Tensor<4>, other: &Tensor<4>) -> [usize; 2] {
    let ([_, _, height, width], [_, _, other_height, other_width]) = (one.dims(), other.dims());
    [height.min(other_height), width.min(other_width)]
}

/// Each sample's values divided by its largest magnitude, which is taken for a constant: exact for
/// what does not depend on the scale, and safe from overflow in powers.
fn scale_free(map: Tensor<4>) -> Tensor<4> {
    let rows: Tensor<2> = map.clone().inner().flatten(1, 3);
    let largest = rows.abs().max_dim(1);
    let zero = largest.clone().lower_equal_elem(0.0);
    let largest = largest.mask_fill(zero, 1.0);
    map / largest.reshape([-1, 1, 1, 1])
}

/// The map as the `p`-th power of it is to be taken: [`scale_free`] from the third power on, while
/// squares, and the squares of their sums, are within f32 for any activation that occurs.
pub(crate) fn before_power(map: Tensor<4>, p: u32) -> Tensor<4> {
    if p > 2 { scale_free(map) } else { map }
}

/// The map averaged down to a size, or as it is if it has that size.
pub(crate) fn pool_to(map: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = map.dims();
    if [height, width] == size {
        map
    } else {
        adaptive_avg_pool2d(map, size)
    }
}
