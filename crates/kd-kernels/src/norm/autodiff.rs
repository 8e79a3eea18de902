//! The backward rule.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;

use crate::optional::Optional;
use crate::record::record;

use super::ops::{NormGradients, NormOps, Saved};

impl<B: NormGradients, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn kd_norm_train(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Optional<Self>,
        relu: bool,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let residual = residual.into_option();
        let inner = residual
            .as_ref()
            .map(|residual| residual.primitive().clone());
        // Once for both passes.
        let input = B::contiguous(x.primitive().clone());
        let (output, mean, variance) = B::kd_norm_train(
            input.clone(),
            weight.primitive().clone(),
            bias.primitive().clone(),
            Optional::from_option(inner),
            relu,
            epsilon,
        );
        let saved = Saved {
            x: input,
            activated: relu.then(|| output.clone()),
            weight: weight.primitive().clone(),
            mean: mean.clone(),
            variance: variance.clone(),
            epsilon,
        };
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.node());
        let output = match residual {
            Some(residual) => {
                record::<B, C, _, 4>(Rule, [x, weight, bias, residual.node()], saved, output)
            }
            None => record::<B, C, _, 3>(Rule, [x, weight, bias], saved, output),
        };
        let untracked = FloatTensor::<Self>::new;
        (output, untracked(mean), untracked(variance))
    }

    fn kd_affine(
        _x: FloatTensor<Self>,
        _scale: FloatTensor<Self>,
        _shift: FloatTensor<Self>,
        _residual: Optional<Self>,
        _relu: bool,
    ) -> FloatTensor<Self> {
        unreachable!("called for tensors on plain devices only")
    }
}

/// Parents are input, weight, bias and, of four, the residual.
#[derive(Debug)]
struct Rule;

impl<B: NormGradients, const N: usize> Backward<B, N> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let mut parents = ops.parents.into_iter();
        let [x, weight, bias, residual] = std::array::from_fn(|_| parents.next().flatten());
        let ([dx, dw, db], added) = B::kd_norm_backward(ops.state, gradient, residual.is_some());
        for (node, gradient) in [
            (x, Some(dx)),
            (weight, Some(dw)),
            (bias, Some(db)),
            (residual, added),
        ] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
