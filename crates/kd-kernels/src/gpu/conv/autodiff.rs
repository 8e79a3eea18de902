//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};
use burn::tensor::ops::ConvOptions;

use super::ops::ConvOps;
use crate::record::record;

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn kd_gpu_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        let [input, filters] = [&x, &weight].map(|tensor| tensor.primitive().clone());
        let output = B::kd_gpu_conv2d(input.clone(), filters.clone(), options.clone());
        let saved: Saved<B> = Saved {
            x: input,
            weight: filters,
            options,
        };
        let nodes = [x, weight].map(|tensor| tensor.node());
        record::<B, C, _, 2>(Rule, nodes, saved, output)
    }

    fn kd_gpu_conv2d_weight_backward(
        _x: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        unreachable!("called for tensors on plain devices only")
    }
}

/// What the forward pass leaves to the backward pass.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    options: ConvOptions<2>,
}

/// Parents are input and weight.
#[derive(Debug)]
struct Rule;

impl<B: ConvOps> Backward<B, 2> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { x, weight, options } = ops.state;
        let [of_x, of_weight] = ops.parents;
        if let Some(node) = of_x {
            let (x, weight, gradient) = (x.clone(), weight.clone(), gradient.clone());
            let dx = B::conv2d_x_backward(x, weight, gradient, options.clone());
            grads.register::<B>(node.id, dx);
        }
        if let Some(node) = of_weight {
            let dw = B::kd_gpu_conv2d_weight_backward(x, weight, gradient, options);
            grads.register::<B>(node.id, dw);
        }
    }
}
