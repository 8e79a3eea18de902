//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use crate::record::record;

use super::Window;
use super::ops::{PoolGradients, PoolOps};

impl<B: PoolGradients, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn kd_max_pool2d(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        let output = B::kd_max_pool2d(x.primitive().clone(), window);
        let saved = Saved {
            x: x.primitive().clone(),
            output: output.clone(),
            window,
        };
        record::<B, C, _, 1>(Rule, [x.node()], saved, output)
    }
}

/// What the forward pass leaves to the backward pass: where the largest numbers are is seen again.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    output: FloatTensor<B>,
    window: Window,
}

#[derive(Debug)]
struct Rule;

impl<B: PoolGradients> Backward<B, 1> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { x, output, window } = ops.state;
        if let [Some(node)] = ops.parents {
            let gradient = B::kd_max_pool2d_backward(x, output, gradient, window);
            grads.register::<B>(node.id, gradient);
        }
    }
}
