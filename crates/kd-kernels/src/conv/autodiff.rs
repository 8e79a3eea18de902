//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};
use burn::tensor::ops::ConvOptions;

use crate::optional::Optional;
use crate::record::record;

use super::mask::GradMask;
use super::ops::{ConvGradients, ConvOps};

impl<B: ConvGradients, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn kd_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Optional<Self>,
        options: ConvOptions<2>,
        residual: Optional<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        // Once for both passes.
        let input = B::contiguous(x.primitive().clone());
        let filters = B::contiguous(weight.primitive().clone());
        let [bias, residual] = [bias, residual].map(Optional::into_option);
        let [inner_bias, inner_residual] = [&bias, &residual].map(|tensor| {
            Optional::from_option(tensor.as_ref().map(|tensor| tensor.primitive().clone()))
        });
        let output = B::kd_conv2d(
            input.clone(),
            filters.clone(),
            inner_bias,
            options.clone(),
            inner_residual,
            relu,
        );
        let saved: Saved<B> = Saved {
            x: input,
            weight: filters,
            options,
            activated: relu.then(|| output.clone()),
            bias: bias.is_some(),
        };
        let [x, weight] = [x, weight].map(|tensor| tensor.node());
        let [bias, residual] = [bias, residual].map(|tensor| tensor.map(|t| t.node()));
        match (bias, residual) {
            (Some(bias), Some(residual)) => {
                record::<B, C, _, 4>(Rule, [x, weight, bias, residual], saved, output)
            }
            (Some(other), None) | (None, Some(other)) => {
                record::<B, C, _, 3>(Rule, [x, weight, other], saved, output)
            }
            (None, None) => record::<B, C, _, 2>(Rule, [x, weight], saved, output),
        }
    }
}

/// What the forward pass leaves to the backward pass.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    options: ConvOptions<2>,
    /// The output, if a ReLU made it.
    activated: Option<FloatTensor<B>>,
    /// Whether there is a bias among the parents.
    bias: bool,
}

/// Parents are input, weight, the bias if there is one, and what was added if something was.
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
        let mut gradient = grads.consume::<B>(&ops.node);
        let Saved {
            x,
            weight,
            options,
            activated,
            bias,
        } = ops.state;
        let mut parents = ops.parents.into_iter();
        let mut next = || parents.next().flatten();
        let [x_node, weight_node] = [next(), next()];
        let bias_node = if bias { next() } else { None };
        let residual_node = next();

        if let Some(output) = activated {
            gradient = B::relu_backward(output, gradient);
        }
        if let Some(node) = residual_node {
            grads.register::<B>(node.id, gradient.clone());
        }
        if let Some(node) = bias_node {
            let outputs = gradient.shape()[1];
            let sums = [0, 2, 3]
                .into_iter()
                .fold(gradient.clone(), B::float_sum_dim);
            grads.register::<B>(node.id, B::float_reshape(sums, [outputs].into()));
        }
        let mask = GradMask {
            input: x_node.is_some(),
            weight: weight_node.is_some(),
        };
        if mask.is_empty() {
            return;
        }
        let (dx, dw) = B::kd_conv2d_backward(x, weight, gradient, options, mask);
        for (node, gradient) in [(x_node, dx), (weight_node, dw)] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
