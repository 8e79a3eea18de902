//! The backward rules.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend};

use super::ops::LossOps;
use crate::record::record;

impl<B: LossOps, C: CheckpointStrategy> LossOps for Autodiff<B, C> {
    fn kd_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let inner = logits.primitive().clone();
        let output = B::kd_cross_entropy(inner.clone(), targets.clone());
        let saved: Labels<B> = Labels {
            logits: inner,
            targets,
        };
        record::<B, C, _, 1>(CrossEntropy, [logits.node()], saved, output)
    }

    fn kd_cross_entropy_backward(
        _logits: FloatTensor<Self>,
        _targets: IntTensor<Self>,
        _gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        unreachable!("called for tensors on plain devices only")
    }

    fn kd_divergence(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        temperature: f64,
    ) -> FloatTensor<Self> {
        let [inner, teacher] = [&student, &teacher].map(|tensor| tensor.primitive().clone());
        let output = B::kd_divergence(inner.clone(), teacher.clone(), temperature);
        let saved: Logits<B> = Logits {
            student: inner,
            teacher,
            temperature,
        };
        record::<B, C, _, 1>(Divergence, [student.node()], saved, output)
    }

    fn kd_divergence_backward(
        _student: FloatTensor<Self>,
        _teacher: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _temperature: f64,
    ) -> FloatTensor<Self> {
        unreachable!("called for tensors on plain devices only")
    }
}

/// What cross-entropy leaves to the backward pass.
#[derive(Clone, Debug)]
struct Labels<B: Backend> {
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
}

/// The parent is the logits.
#[derive(Debug)]
struct CrossEntropy;

impl<B: LossOps> Backward<B, 1> for CrossEntropy {
    type State = Labels<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let Labels { logits, targets } = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let gradient = B::kd_cross_entropy_backward(logits, targets, gradient);
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// What the divergence leaves to the backward pass.
#[derive(Clone, Debug)]
struct Logits<B: Backend> {
    student: FloatTensor<B>,
    teacher: FloatTensor<B>,
    temperature: f64,
}

/// The parent is the student's logits.
#[derive(Debug)]
struct Divergence;

impl<B: LossOps> Backward<B, 1> for Divergence {
    type State = Logits<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let Logits {
            student,
            teacher,
            temperature,
        } = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let gradient = B::kd_divergence_backward(student, teacher, gradient, temperature);
            grads.register::<B>(node.id, gradient);
        }
    }
}
