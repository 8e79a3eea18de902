//! On the `flex` backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

use super::kernel::{self, Maps};
use super::ops::{NormGradients, NormOps, Saved};
use crate::optional::Optional;
use crate::tensors::{slice, tensor};

impl NormOps for Flex {
    fn kd_norm_train(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Optional<Self>,
        relu: bool,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (maps, dims) = (maps_of(&x), x.shape());
        let residual = residual.into_option();
        check(&x, [&weight, &bias], residual.as_ref());
        let (x, weight, bias) = (
            x.to_contiguous(),
            weight.to_contiguous(),
            bias.to_contiguous(),
        );
        let residual = residual.map(|residual| residual.to_contiguous());
        let (mean, variance) = kernel::statistics(maps, slice(&x));
        let scale: Vec<f32> = deviations(&variance, epsilon)
            .zip(slice(&weight))
            .map(|(deviation, weight)| deviation * weight)
            .collect();
        let shift: Vec<f32> = scale
            .iter()
            .zip(&mean)
            .zip(slice(&bias))
            .map(|((scale, mean), bias)| bias - mean * scale)
            .collect();
        let residual = residual.as_ref().map(slice);
        let out = kernel::affine(maps, slice(&x), &scale, &shift, residual, relu);
        let channels = [maps.channels];
        (
            tensor(out, dims),
            tensor(mean, channels),
            tensor(variance, channels),
        )
    }

    fn kd_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: Optional<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let (maps, dims) = (maps_of(&x), x.shape());
        let residual = residual.into_option();
        check(&x, [&scale, &shift], residual.as_ref());
        let (x, scale, shift) = (
            x.to_contiguous(),
            scale.to_contiguous(),
            shift.to_contiguous(),
        );
        let residual = residual.map(|residual| residual.to_contiguous());
        let residual = residual.as_ref().map(slice);
        let out = kernel::affine(
            maps,
            slice(&x),
            slice(&scale),
            slice(&shift),
            residual,
            relu,
        );
        tensor(out, dims)
    }
}

impl NormGradients for Flex {
    fn kd_norm_backward(
        saved: Saved<Self>,
        gradient: FloatTensor<Self>,
        residual: bool,
    ) -> ([FloatTensor<Self>; 3], Option<FloatTensor<Self>>) {
        let (maps, dims) = (maps_of(&saved.x), saved.x.shape());
        let gradient = gradient.to_contiguous();
        if is_zero(slice(&gradient)) {
            // As behind an adapter that no sample passes through.
            let zeros = |length| vec![0.0; length];
            let map = || tensor(zeros(dims.num_elements()), dims.clone());
            let channel = || tensor(zeros(maps.channels), [maps.channels]);
            return ([map(), channel(), channel()], residual.then(map));
        }
        let x = saved.x.to_contiguous();
        let weight = saved.weight.to_contiguous();
        let deviation: Vec<f32> = deviations(slice(&saved.variance), saved.epsilon).collect();
        let saved = kernel::Saved {
            x: slice(&x),
            activated: saved.activated.as_ref().map(slice),
            weight: slice(&weight),
            mean: slice(&saved.mean),
            deviation: &deviation,
        };
        let gradients = kernel::backward(maps, saved, slice(&gradient), residual);
        let channels = [maps.channels];
        let own = [
            tensor(gradients.x, dims.clone()),
            tensor(gradients.weight, channels),
            tensor(gradients.bias, channels),
        ];
        (own, residual.then(|| tensor(gradients.residual, dims)))
    }
}

/// Panics unless there is a number for each channel, and the residual has the input's shape.
fn check(
    x: &FloatTensor<Flex>,
    of_channels: [&FloatTensor<Flex>; 2],
    residual: Option<&FloatTensor<Flex>>,
) {
    let shape = x.shape();
    for numbers in of_channels {
        let count = numbers.shape().num_elements();
        assert_eq!(
            count, shape[1],
            "a batch norm of {count} channels for {shape:?}"
        );
    }
    if let Some(residual) = residual {
        assert_eq!(
            residual.shape(),
            shape,
            "what is added has the input's shape"
        );
    }
}

/// Whether there are only zeros; of others, the first one is found at once.
fn is_zero(numbers: &[f32]) -> bool {
    const PART: usize = 1 << 14;
    let parts = numbers.par_chunks(PART);
    !parts.any(|part| part.iter().any(|number| *number != 0.0))
}

/// `1 / √(variance + ε)`.
fn deviations(variance: &[f32], epsilon: f64) -> impl Iterator<Item = f32> {
    let deviation = move |variance: &f32| (f64::from(*variance) + epsilon).sqrt().recip() as f32;
    variance.iter().map(deviation)
}

fn maps_of(x: &FloatTensor<Flex>) -> Maps {
    let shape = x.shape();
    Maps {
        channels: shape[1],
        positions: shape.iter().skip(2).product(),
    }
}
