//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};
use burn::tensor::ops::ConvOptions;

use crate::native::optional::Optional;
use crate::native::record::record;

use super::backward::Wanted;
use super::ops::{ConvGradients, ConvOps};

impl<B: ConvGradients, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn kd_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Optional<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        let bias = bias.into_option();
        let saved: Saved<B> = Saved {
            // Once for both passes.
            x: B::contiguous(x.primitive().clone()),
            weight: B::contiguous(weight.primitive().clone()),
            options,
        };
        let inner = bias.as_ref().map(|bias| bias.primitive().clone());
        let output = B::kd_conv2d(
            saved.x.clone(),
            saved.weight.clone(),
            Optional::from_option(inner),
            saved.options.clone(),
        );
        match bias {
            Some(bias) => {
                record::<B, C, _, 3>(Rule, [x.node(), weight.node(), bias.node()], saved, output)
            }
            None => record::<B, C, _, 2>(Rule, [x.node(), weight.node()], saved, output),
        }
    }

    fn kd_conv2d_with(
        _x: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _bias: Optional<Self>,
        _options: ConvOptions<2>,
        _residual: Optional<Self>,
        _relu: bool,
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

/// Parents are input, weight and, of three, the bias.
#[derive(Debug)]
struct Rule;

impl<B: ConvGradients, const N: usize> Backward<B, N> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { x, weight, options } = ops.state;
        let mut parents = ops.parents.into_iter();
        let [x_node, weight_node, bias_node] = std::array::from_fn(|_| parents.next().flatten());

        if let Some(node) = bias_node {
            let outputs = gradient.shape()[1];
            let sums = [0, 2, 3]
                .into_iter()
                .fold(gradient.clone(), B::float_sum_dim);
            grads.register::<B>(node.id, B::float_reshape(sums, [outputs].into()));
        }
        let wanted = Wanted {
            input: x_node.is_some(),
            weight: weight_node.is_some(),
        };
        if !wanted.input && !wanted.weight {
            return;
        }
        let (dx, dw) = B::kd_conv2d_backward(x, weight, gradient, options, wanted);
        for (node, gradient) in [(x_node, dx), (weight_node, dw)] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
