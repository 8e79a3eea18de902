//! An optimizer whose state is loaded on the CPU.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use kd_core::host;

/// An optimizer that loads its state on the [`host`]; the first step moves it to the parameter's
/// device. Burn loads it on its default device, which in a build for GPUs is one, driver or not.
#[derive(Clone)]
pub(super) struct Held<O>(pub(super) O);

/// The state of a [`Held`] optimizer.
#[derive(Clone)]
pub(super) struct HeldState<S>(S);

impl<O: Optimizer> Optimizer for Held<O> {
    type State<const D: usize> = HeldState<O::State<D>>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let state = state.map(|state| state.0);
        let (tensor, state) = self.0.step(rate, tensor, gradient, state);
        (tensor, state.map(HeldState))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        HeldState(O::to_device(state.0, device))
    }
}

impl<S: RecordState> RecordState for HeldState<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _device: &Device) -> Option<Self> {
        S::state_unflatten(prefix, source, &host()).map(Self)
    }
}
