//! Writing a tensor into the memory of another.

#[cfg(feature = "cube")]
mod cube;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::optim::{self, Tensors};
use ops::AssignOps;

/// `target` with the numbers of `source`: on a GPU, in the memory that it has, so that a recorded
/// [`Graph`](crate::Graph), which knows memory and not tensors, finds them there.
///
/// Whatever shares this memory changes with it, and nothing that is computed before may be left to
/// read it later: both are for the caller to see to. On the CPU, where nothing is recorded, it is
/// `source`.
///
/// See [`optim::assign`] for many tensors at once.
///
/// # Panics
///
/// If the shapes differ, or if a tensor is on an autodiff device.
pub fn assign<const D: usize>(target: Tensor<D>, source: Tensor<D>) -> Tensor<D> {
    let one = |tensor| {
        let mut tensors = Tensors::default();
        tensors.push::<D>(tensor);
        tensors
    };
    let mut assigned = optim::assign(one(target), one(source));
    match assigned.pop() {
        Some(tensor) => tensor,
        None => unreachable!("as many come out as went in"),
    }
}

/// The same for whole numbers.
///
/// # Panics
///
/// As [`assign`].
pub fn assign_int<const D: usize>(
    target: Tensor<D, Int>,
    source: Tensor<D, Int>,
) -> Tensor<D, Int> {
    assert_eq!(
        target.dims(),
        source.dims(),
        "a tensor does not fit its place"
    );
    let [target, source] = [target, source].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as AssignOps>::kd_assign_int(target, source))
}
