//! Mixing two tensors sample by sample.

use burn::tensor::Tensor;

/// `(1 − share) · own + share · other` for each sample: in one pass where `kd-kernels` serves, and
/// so is the backward pass.
///
/// # Shapes
///
/// - own, other: `[batch, ...]`
/// - share: `[batch]`
/// - output: as own
///
/// # Panics
///
/// If the shapes do not fit.
pub fn mix<const D: usize>(own: Tensor<D>, other: Tensor<D>, share: Tensor<1>) -> Tensor<D> {
    let [batch] = share.dims();
    assert!(
        own.dims() == other.dims() && own.dims()[0] == batch,
        "{:?} and {:?} are not mixed by {batch} shares",
        own.dims(),
        other.dims()
    );
    #[cfg(feature = "flex")]
    if kd_kernels::serves(&own) && kd_kernels::serves(&other) && kd_kernels::serves(&share) {
        let tracked = own.is_autodiff();
        if tracked == other.is_autodiff() && tracked == share.is_autodiff() {
            return kd_kernels::mix::mix(own, other, share);
        }
    }
    let mut shape = [1; D];
    shape[0] = batch;
    let share = share.reshape(shape);
    own * (share.clone().neg() + 1.0) + other * share
}
