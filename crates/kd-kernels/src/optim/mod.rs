//! Updates of many tensors at once, in their own memory.
//!
//! On a GPU a step of an optimizer over all parameters is one launch (or a few, if there are more
//! tensors than a kernel can be given), and its results lie where its inputs lay: what is recorded
//! as a graph finds them there again. Elsewhere Burn's own operations compute the same.

#[cfg(feature = "cube")]
mod cube;
mod ops;
mod tensors;

pub use ops::Sgd;
pub use tensors::Tensors;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::many::Many;
use ops::OptimOps;

/// One step of stochastic gradient descent with PyTorch's semantics, for each tensor of three lists:
/// `d = gradient + decay · parameter`, `momentum ← μ · momentum + d`, and
/// `parameter ← parameter − rate · momentum` (Nesterov's: `− rate · (d + μ · momentum)`).
/// Returns parameters and momenta.
///
/// A momentum of zeros makes the first step PyTorch's, which starts from the gradient itself.
///
/// On a GPU parameters and momenta are overwritten: **every other clone of such a tensor changes
/// too**. A copy that is to stay as it is has to have memory of its own.
///
/// # Shapes
///
/// - momenta, gradients: as the parameters
/// - rate: `[1]`, on the device, so that a recorded step can be given another one
///
/// # Panics
///
/// If the lists or the shapes of their tensors do not fit each other, if a tensor is on an autodiff
/// device or not of f32, or if the device is neither a CPU nor a GPU of Burn's.
pub fn sgd(
    parameters: Tensors,
    momenta: Tensors,
    gradients: Tensors,
    rate: Tensor<1>,
    settings: Sgd,
) -> (Tensors, Tensors) {
    parameters.check(&momenta);
    parameters.check(&gradients);
    assert_eq!(
        settings.decays.len(),
        parameters.len(),
        "each parameter has a weight decay"
    );
    if parameters.is_empty() {
        return (parameters, momenta);
    }
    let (parameters, momenta) = <Dispatch as OptimOps>::kd_sgd(
        parameters.into_many(),
        momenta.into_many(),
        gradients.into_many(),
        rate.into_dispatch(),
        settings,
    );
    (Tensors::from(parameters), Tensors::from(momenta))
}

/// Writes each tensor of `from` into the memory of its counterpart of `to`, and returns `to`.
///
/// On a GPU **every other clone of such a tensor changes too**; elsewhere `from` itself is returned.
///
/// # Panics
///
/// If the lists or the shapes of their tensors do not fit each other, if a tensor is on an autodiff
/// device or not of f32, or if the device is neither a CPU nor a GPU of Burn's.
pub fn assign(to: Tensors, from: Tensors) -> Tensors {
    to.check(&from);
    if to.is_empty() {
        return to;
    }
    let many: Many<Dispatch> = <Dispatch as OptimOps>::kd_assign(to.into_many(), from.into_many());
    Tensors::from(many)
}
