//! Recording an operation for its backward pass.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

/// The output of an operation on these nodes, with the rule of its backward pass and what that
/// needs.
pub(super) fn record<B, C, R, const N: usize>(
    rule: R,
    nodes: [NodeGuard; N],
    saved: R::State,
    output: FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    R: Backward<B, N>,
{
    match rule.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(saved, output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}
