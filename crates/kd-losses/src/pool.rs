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
pub(crate) fn scale_free(map: Tensor<4>) -> Tensor<4> {
    let largest = map.clone().inner().abs().max_dim(1).max_dim(2).max_dim(3);
    let zero = largest.clone().lower_equal_elem(0.0);
    map / largest.mask_fill(zero, 1.0)
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
