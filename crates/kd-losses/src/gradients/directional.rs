//! Losses of a network's gradient with respect to its input, by first-order differentiation.
//!
//! Such a loss `L(G)` with `G = ∇ₓ s(x)` needs second derivatives, which Burn's autodiff does not
//! have. By the chain rule the gradient of `L` with respect to the parameters is that of
//! `v · ∇ₓ s(x)` with the constant `v = ∂L/∂G`: the gradient of a *directional derivative*, which
//! is the limit of the difference `( s(x + εv) − s(x − εv) ) / 2ε`. A first-order backward pass
//! differentiates that, through two more forward passes.
//!
//! # Accuracy
//!
//! The value is exact; only the gradient is a difference. Its error is of order `ε²` where the
//! network is smooth, and 0 up to rounding where it is linear, as a network of ReLUs is between
//! its kinks. A kink within the step adds a jump divided by `ε`, so kinks are kept out where that
//! is possible: the slope of each sample's logit is known (`v · G`), and where one side of `x`
//! keeps to it and the other does not, the difference is taken over that side alone. In deep
//! networks there are kinks on both sides of any step that rounding allows: there the result is
//! the curvature of the network smoothed over the step, where an exact second derivative is that
//! of the piece which `x` happens to lie on.
//!
//! Rounding adds about `1e-7 / STEP` of the largest value, whence the step: see [`STEP`].
//!
//! # Cost
//!
//! One forward and backward pass for `G`, and three forward passes that belong to the graph.

use burn::tensor::{Int, Tensor};

use crate::Gate;
use crate::gate::sample_sums;

/// Length of the displacement, relative to the input's: in f32, rounding then costs some 1e-5 of
/// the largest gradient, and a smooth network's third derivative as much.
const STEP: f64 = 5e-3;

/// Errors of a difference of two logits, relative to the logit, that may be rounding in f32.
const ROUNDING: f64 = 4e-6;

/// The length of an input that has none.
const SMALLEST_LENGTH: f64 = 1e-6;

/// Below any value that matters; keeps a division by a largest value of 0 finite.
const SMALLEST: f64 = 1e-30;

/// The logit of each sample's label, `[batch]`.
fn label_logits(logits: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    logits
        .gather(1, labels.clone().unsqueeze_dim(1))
        .squeeze_dim(1)
}

/// A leaf of a graph of its own, of the same kind (with or without checkpoints) as that of the
/// values, if they are in one.
pub(super) fn leaf<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    let values = if values.is_autodiff() {
        values.detach()
    } else {
        values.autodiff()
    };
    values.require_grad()
}

/// Gradient of a leaf, as a plain tensor; 0 if the loss does not depend on it.
pub(super) fn gradient<const D: usize>(loss: Tensor<1>, leaf: &Tensor<D>) -> Tensor<D> {
    let zeros = leaf.clone().inner().zeros_like();
    if !loss.is_autodiff() {
        return zeros;
    }
    let grads = loss.backward();
    leaf.grad(&grads).unwrap_or(zeros)
}

/// Gradient of each chosen sample's logit of its label with respect to the input; a plain tensor
/// of the input's shape.
pub(super) fn input_gradient(
    network: impl Fn(Tensor<4>) -> Tensor<2>,
    input: Tensor<4>,
    labels: Tensor<1, Int>,
    gate: &Gate,
) -> Tensor<4> {
    let leaf = leaf(input);
    let logits = label_logits(network(leaf.clone()), &labels);
    gradient(gate.sum(logits), &leaf)
}

/// A loss of the input's gradient and of the input itself: `loss(gradient, input)`.
///
/// It has the exact value, and gradients with respect to whatever the network and the input
/// depend on.
pub(super) fn loss_of_gradient(
    network: impl Fn(Tensor<4>) -> Tensor<2>,
    input: Tensor<4>,
    labels: Tensor<1, Int>,
    gate: &Gate,
    loss: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<1>,
) -> Tensor<1> {
    let found = input_gradient(&network, input.clone(), labels.clone(), gate);
    let free = leaf(found.clone());
    let direction = gradient(loss(free.clone(), input.clone().inner()), &free);

    // One step for the whole batch, since samples may depend on each other in a batch norm.
    // Dividing by the largest value first keeps squares from underflowing.
    let largest = direction.clone().abs().max();
    let shape = [1, 1, 1, 1];
    let scaled = direction / largest.clone().clamp_min(SMALLEST).reshape(shape);
    let length = scaled.clone().square().sum().sqrt();
    let chosen = gate.keep(input.clone().inner());
    let distance = chosen.square().sum().sqrt().clamp_min(SMALLEST_LENGTH) * STEP;
    let displacement =
        scaled / length.clone().clamp_min(1.0).reshape(shape) * distance.clone().reshape(shape);

    let at = |input| label_logits(network(input), &labels);
    let (before, here, after) = (
        at(input.clone() - displacement.clone()),
        at(input.clone()),
        at(input.clone() + displacement.clone()),
    );
    let known = sample_sums(found.clone() * displacement);
    let (backward, forward) = (here.clone() - before, after - here.clone());
    let rounding = here.inner().abs() * ROUNDING;
    let (share, rest) = shares(&backward, &forward, &known, &rounding);
    let difference = gate.sum(backward * share + forward * rest);
    let slope = difference * (largest * length / distance);
    // The slope is there for its gradient only.
    loss(found, input) + (slope.clone() - slope.detach())
}

/// How much each sample's difference to either side counts: the less, the farther it is from the
/// known slope, by the fourth power; a half each where neither is farther than rounding explains.
fn shares(
    backward: &Tensor<1>,
    forward: &Tensor<1>,
    known: &Tensor<1>,
    rounding: &Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    let error = |difference: &Tensor<1>| {
        let error = (difference.clone().inner() - known.clone()).abs();
        error + rounding.clone() + SMALLEST
    };
    let (backward, forward) = (error(backward), error(forward));
    let ratio = |a: Tensor<1>, b: Tensor<1>| (a / b).clamp_max(1e6).square().square();
    let share = (ratio(backward.clone(), forward.clone()) + 1.0).recip();
    let rest = (ratio(forward, backward) + 1.0).recip();
    (share, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    /// The logit of class 0 is Σ w x², that of class 1 is −Σ w x.
    fn network(weights: Tensor<4>) -> impl Fn(Tensor<4>) -> Tensor<2> {
        move |x: Tensor<4>| {
            let first = (x.clone().square() * weights.clone())
                .flatten::<2>(1, 3)
                .sum_dim(1);
            let second = (x * weights.clone()).flatten::<2>(1, 3).sum_dim(1);
            Tensor::cat(vec![first, second.neg()], 1)
        }
    }

    fn setting() -> (Tensor<4>, Tensor<4>, Tensor<1, Int>) {
        let device = Device::default();
        let weights = Tensor::<4>::from_floats([[[[2.0, -1.0, 0.5]]]], &device);
        let input = Tensor::from_floats([[[[1.0, 3.0, -2.0]]], [[[0.5, 1.0, 4.0]]]], &device);
        let labels = Tensor::from_ints([0, 1], &device);
        (weights.autodiff().require_grad(), input, labels)
    }

    #[test]
    fn the_inputs_gradient_is_that_of_the_labels_logit() {
        let (weights, input, labels) = setting();
        let found = input_gradient(network(weights), input, labels, &Gate::all());
        assert_eq!(values(found), [4.0, -6.0, -2.0, -2.0, 1.0, -0.5]);
    }

    #[test]
    fn value_and_gradients_are_those_of_exact_second_derivatives() {
        let (weights, input, labels) = setting();
        let input = input.autodiff().require_grad();
        // L = ½ Σ G² with G = 2 w x in the first row and −w in the second.
        let half_square = |g: Tensor<4>, _| g.square().sum() * 0.5;
        let loss = loss_of_gradient(
            network(weights.clone()),
            input.clone(),
            labels,
            &Gate::all(),
            half_square,
        );
        let grads = loss.backward();
        assert_eq!(values(loss), [0.5 * (16.0 + 36.0 + 4.0 + 4.0 + 1.0 + 0.25)]);
        // dL/dw = 4 w x² + w, and dL/dx = 4 w² x in the first row and 0 in the second.
        let check = |found: Vec<f32>, expected: &[f32]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.02, "{found} {expected}");
            }
        };
        check(
            values(weights.grad(&grads).expect("a gradient")),
            &[10.0, -37.0, 8.5],
        );
        check(
            values(input.grad(&grads).expect("a gradient")),
            &[16.0, 12.0, -2.0, 0.0, 0.0, 0.0],
        );
    }

    #[test]
    fn a_kink_on_one_side_is_kept_out() {
        let device = Device::default();
        let weights = Tensor::<4>::from_floats([[[[2.0, 1.0]]]], &device);
        let weights = weights.autodiff().require_grad();
        // The first pixel lies just above and just below the kink at 0.
        let input = Tensor::from_floats([[[[1e-5, 1.0]]], [[[-1e-5, 1.0]]]], &device);
        let own = weights.clone();
        let network = move |x: Tensor<4>| {
            let bent = burn::tensor::activation::relu(x * own.clone());
            bent.flatten::<2>(1, 3).sum_dim(1)
        };
        let labels = Tensor::from_ints([0, 0], &device);
        let loss = loss_of_gradient(network, input, labels, &Gate::all(), |g, _| {
            g.square().sum() * 0.5
        });
        let grads = loss.backward();
        // G is (w0, w1) and (0, w1), so L = ½ (w0² + 2 w1²).
        assert_eq!(values(loss), [3.0]);
        let found = values(weights.grad(&grads).expect("a gradient"));
        assert!(
            (found[0] - 2.0).abs() < 1e-3 && (found[1] - 2.0).abs() < 1e-3,
            "{found:?}"
        );
    }

    #[test]
    fn what_the_loss_takes_from_the_input_itself_is_added() {
        let (weights, input, labels) = setting();
        let input = input.autodiff().require_grad();
        let loss = loss_of_gradient(
            network(weights),
            input.clone(),
            labels,
            &Gate::all(),
            |_, x| x.sum(),
        );
        let grads = loss.backward();
        assert_eq!(values(loss), [7.5]);
        assert_eq!(values(input.grad(&grads).expect("a gradient")), [1.0; 6]);
    }

    #[test]
    fn a_gradient_and_an_input_of_zero_are_finite() {
        let (weights, input, labels) = setting();
        let input = input.zeros_like();
        let loss = loss_of_gradient(
            network(weights.clone()),
            input,
            labels,
            &Gate::all(),
            |g, _| g.square().sum() * 0.0,
        );
        let grads = loss.backward();
        assert_eq!(values(loss), [0.0]);
        assert_eq!(values(weights.grad(&grads).expect("a gradient")), [0.0; 3]);
    }
}
