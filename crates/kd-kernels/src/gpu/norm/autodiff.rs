//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use super::ops::{BatchOps, Options};
use crate::optional::Optional;
use crate::record::record;

impl<B: BatchOps, C: CheckpointStrategy> BatchOps for Autodiff<B, C> {
    fn kd_batch_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Optional<Self>,
        chosen: Optional<Self>,
        running_mean: FloatTensor<Self>,
        running_variance: FloatTensor<Self>,
        options: Options,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        let inner = |tensor: &FloatTensor<Self>| tensor.primitive().clone();
        let residual = residual.into_option();
        let chosen = chosen.into_option().as_ref().map(inner);
        let (output, mean, variance, running_mean, running_variance) = B::kd_batch_norm(
            inner(&x),
            inner(&weight),
            inner(&bias),
            Optional::from_option(residual.as_ref().map(inner)),
            Optional::from_option(chosen.clone()),
            inner(&running_mean),
            inner(&running_variance),
            options,
        );
        let saved = Saved {
            x: inner(&x),
            activated: options.relu.then(|| output.clone()),
            weight: inner(&weight),
            mean: mean.clone(),
            variance: variance.clone(),
            chosen,
            options,
        };
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.node());
        let output = match residual {
            Some(residual) => {
                record::<B, C, _, 4>(Rule, [x, weight, bias, residual.node()], saved, output)
            }
            None => record::<B, C, _, 3>(Rule, [x, weight, bias], saved, output),
        };
        let untracked = FloatTensor::<Self>::new;
        (
            output,
            untracked(mean),
            untracked(variance),
            untracked(running_mean),
            untracked(running_variance),
        )
    }

    fn kd_batch_norm_backward(
        _x: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _mean: FloatTensor<Self>,
        _variance: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _chosen: Optional<Self>,
        _activated: Optional<Self>,
        _options: Options,
        _added: bool,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        Optional<Self>,
    ) {
        unreachable!("called for tensors on plain devices only")
    }
}

/// What the forward pass leaves to the backward pass.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    /// The output, if a ReLU made it.
    activated: Option<FloatTensor<B>>,
    weight: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    chosen: Option<FloatTensor<B>>,
    options: Options,
}

/// Parents are input, weight, bias and, of four, the residual.
#[derive(Debug)]
struct Rule;

impl<B: BatchOps, const N: usize> Backward<B, N> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let saved = ops.state;
        let mut parents = ops.parents.into_iter();
        let [x, weight, bias, residual] = std::array::from_fn(|_| parents.next().flatten());
        let cut = residual.is_some() && saved.options.relu;
        let (dx, dw, db, added) = B::kd_batch_norm_backward(
            saved.x,
            saved.weight,
            saved.mean,
            saved.variance,
            gradient.clone(),
            Optional::from_option(saved.chosen),
            Optional::from_option(saved.activated),
            saved.options,
            cut,
        );
        let added = added.into_option().or(Some(gradient));
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
