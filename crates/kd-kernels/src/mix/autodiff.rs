//! The backward rule.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use crate::record::record;

use super::ops::{MixGradients, MixOps};

impl<B: MixGradients, C: CheckpointStrategy> MixOps for Autodiff<B, C> {
    fn kd_mix(
        own: FloatTensor<Self>,
        other: FloatTensor<Self>,
        share: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let inputs = [&own, &other, &share].map(|tensor| tensor.primitive().clone());
        let [a, b, s] = inputs.clone();
        let output = B::kd_mix(a, b, s);
        let nodes = [own, other, share].map(|tensor| tensor.node());
        record::<B, C, _, 3>(Rule, nodes, Saved { inputs }, output)
    }
}

/// Both tensors and the shares.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    inputs: [FloatTensor<B>; 3],
}

#[derive(Debug)]
struct Rule;

impl<B: MixGradients> Backward<B, 3> for Rule {
    type State = Saved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let needed = [0, 1].map(|parent: usize| ops.parents[parent].is_some());
        let gradients = B::kd_mix_backward(ops.state.inputs, gradient, needed);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
