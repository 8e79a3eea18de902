//! The operations as backends see them, and what Burn's own make of them.
// Of `ndarray`, which stays a second opinion for tests.
#![allow(deprecated)]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Scalar, TensorMetadata, backend_extension};
use burn::tensor::Shape;

use crate::many::Many;

/// Settings of [`sgd`](super::sgd) that stay the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// Share of the last step in the next one, at least 0 and below 1.
    pub momentum: f64,
    /// Whether it is Nesterov's.
    pub nesterov: bool,
    /// Weight decay of each parameter.
    pub decays: Vec<f64>,
}

/// Updates of many tensors at once.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "cube"),
)]
pub trait OptimOps: Backend {
    /// See [`sgd`](super::sgd).
    #[fusion(meta = |parameters, momenta, _gradients, _rate, _settings| (parameters.clone(), momenta.clone()))]
    fn kd_sgd(
        #[extension_type] parameters: Many<Self>,
        #[extension_type] momenta: Many<Self>,
        #[extension_type] gradients: Many<Self>,
        rate: FloatTensor<Self>,
        settings: Sgd,
    ) -> (Many<Self>, Many<Self>) {
        let lists = parameters.0.into_iter().zip(momenta.0).zip(gradients.0);
        let (parameters, momenta) = lists
            .zip(&settings.decays)
            .map(|(((parameter, momentum), gradient), decay)| {
                let tensors = [parameter, momentum, gradient];
                step::<Self>(tensors, rate.clone(), *decay, &settings)
            })
            .unzip();
        (Many(parameters), Many(momenta))
    }

    /// See [`assign`](super::assign).
    #[fusion(meta = |to, _from| to.clone())]
    fn kd_assign(
        #[extension_type] to: Many<Self>,
        #[extension_type] from: Many<Self>,
    ) -> Many<Self> {
        drop(to);
        from
    }
}

/// The step of one parameter: itself and its momentum.
fn step<B: Backend>(
    [parameter, momentum, gradient]: [FloatTensor<B>; 3],
    rate: FloatTensor<B>,
    decay: f64,
    settings: &Sgd,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let times = |tensor, factor: f64| B::float_mul_scalar(tensor, Scalar::from(factor));
    let gradient = match decay {
        0.0 => gradient,
        _ => B::float_add(gradient, times(parameter.clone(), decay)),
    };
    let momentum = B::float_add(times(momentum, settings.momentum), gradient.clone());
    let direction = match settings.nesterov {
        true => B::float_add(gradient, times(momentum.clone(), settings.momentum)),
        false => momentum.clone(),
    };
    let ones = Shape::from(vec![1; parameter.rank()]);
    let change = B::float_mul(direction, B::float_reshape(rate, ones));
    (B::float_sub(parameter, change), momentum)
}

#[cfg(feature = "flex")]
impl OptimOps for burn::backend::Flex {}

#[cfg(feature = "ndarray")]
impl OptimOps for burn::backend::NdArray {}
