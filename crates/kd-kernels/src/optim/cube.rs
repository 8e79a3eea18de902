//! On GPUs: all tensors in as few launches as a kernel takes tensors.

use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::ops::{OptimOps, Sgd};
use crate::many::Many;

/// Tensors of a list in one launch. The kernel has code for each, which takes time to compile.
const MOST: usize = 96;

/// Threads of a block, and blocks for a tensor: those of larger tensors take several elements.
const THREADS: u32 = 256;
const BLOCKS: usize = 64;

impl OptimOps for CubeBackend {
    fn kd_sgd(
        parameters: Many<Self>,
        momenta: Many<Self>,
        gradients: Many<Self>,
        rate: FloatTensor<Self>,
        settings: Sgd,
    ) -> (Many<Self>, Many<Self>) {
        let parameters: Vec<_> = parameters.0.into_iter().map(writable).collect();
        let momenta: Vec<_> = momenta.0.into_iter().map(writable).collect();
        let gradients: Vec<_> = gradients.0.into_iter().map(readable).collect();
        let size = launch_size(&rate, 3, 1);
        let lists = parameters.chunks(size).zip(momenta.chunks(size));
        let others = gradients.chunks(size).zip(settings.decays.chunks(size));
        for ((parameters, momenta), (gradients, decays)) in lists.zip(others) {
            sgd_kernel::launch(
                &rate.client,
                grid(parameters),
                CubeDim::new_1d(THREADS),
                sequence(parameters),
                sequence(momenta),
                sequence(gradients),
                rate.clone().into_tensor_arg(),
                settings.momentum as f32,
                decays.iter().map(|decay| *decay as f32).collect(),
                settings.nesterov,
            );
        }
        (Many(parameters), Many(momenta))
    }

    fn kd_assign(to: Many<Self>, from: Many<Self>) -> Many<Self> {
        let to: Vec<_> = to.0.into_iter().map(writable).collect();
        let from: Vec<_> = from.0.into_iter().map(readable).collect();
        let Some(first) = to.first() else {
            return Many(to);
        };
        let size = launch_size(first, 2, 0);
        for (to, from) in to.chunks(size).zip(from.chunks(size)) {
            assign_kernel::launch(
                &to[0].client,
                grid(to),
                CubeDim::new_1d(THREADS),
                sequence(to),
                sequence(from),
            );
        }
        Many(to)
    }
}

/// Tensors of a list in one launch that takes so many lists and so many tensors besides.
fn launch_size(tensor: &CubeTensor, lists: usize, besides: usize) -> usize {
    // One binding is left to the numbers that a launch is given.
    let bindings = tensor.client.properties().hardware.max_bindings as usize;
    (bindings.saturating_sub(besides + 1) / lists).clamp(1, MOST)
}

/// A row of blocks for each tensor, as long as the largest needs it.
fn grid(tensors: &[CubeTensor]) -> CubeCount {
    let elements = tensors.iter().map(|tensor| tensor.meta.num_elements());
    let blocks = elements.max().unwrap_or(0).div_ceil(THREADS as usize);
    CubeCount::Static(blocks.clamp(1, BLOCKS) as u32, tensors.len() as u32, 1)
}

/// Panics if it is not of f32.
fn readable(tensor: CubeTensor) -> CubeTensor {
    assert_eq!(tensor.dtype, DType::F32, "the kernels update f32 tensors");
    tensor
}

/// A tensor whose elements are all in places of their own.
fn writable(tensor: CubeTensor) -> CubeTensor {
    let tensor = readable(tensor);
    match tensor.is_nonoverlapping() {
        true => tensor,
        false => tensor.copy(),
    }
}

fn sequence(tensors: &[CubeTensor]) -> SequenceArg<OwnedTensor<f32>> {
    let tensors = tensors.iter().cloned();
    tensors.map(CubeTensor::into_tensor_arg).collect()
}

#[cube(launch)]
fn sgd_kernel(
    parameters: &mut Sequence<OwnedTensor<f32>>,
    momenta: &mut Sequence<OwnedTensor<f32>>,
    gradients: &Sequence<OwnedTensor<f32>>,
    rate: &Tensor<f32>,
    momentum: f32,
    decays: &Sequence<f32>,
    #[comptime] nesterov: bool,
) {
    let rate = rate[0];
    let count = comptime!(parameters.len());
    #[unroll]
    for i in 0..count {
        if CUBE_POS_Y as usize == i {
            descend(
                parameters.index_mut(i),
                momenta.index_mut(i),
                gradients.index(i),
                rate,
                momentum,
                *decays.index(i),
                nesterov,
            );
        }
    }
}

#[cube]
fn descend(
    parameter: &mut OwnedTensor<f32>,
    momenta: &mut OwnedTensor<f32>,
    gradient: &OwnedTensor<f32>,
    rate: f32,
    momentum: f32,
    decay: f32,
    #[comptime] nesterov: bool,
) {
    let rank = parameter.rank();
    let count = parameter.len();
    let stride = (CUBE_COUNT_X * CUBE_DIM_X) as usize;
    let mut index = (CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X) as usize;
    while index < count {
        let mut rest = index;
        let mut own = 0usize;
        let mut of_momentum = 0usize;
        let mut of_gradient = 0usize;
        for i in 0..rank {
            let dim = rank - 1 - i;
            let size = parameter.shape(dim);
            let place = rest % size;
            rest /= size;
            own += place * parameter.stride(dim);
            of_momentum += place * momenta.stride(dim);
            of_gradient += place * gradient.stride(dim);
        }
        let value = parameter[own];
        let slope = gradient[of_gradient] + decay * value;
        let velocity = momentum * momenta[of_momentum] + slope;
        let direction = if comptime!(nesterov) {
            slope + momentum * velocity
        } else {
            velocity
        };
        momenta[of_momentum] = velocity;
        parameter[own] = value - rate * direction;
        index += stride;
    }
}

#[cube(launch)]
fn assign_kernel(to: &mut Sequence<OwnedTensor<f32>>, from: &Sequence<OwnedTensor<f32>>) {
    let count = comptime!(to.len());
    #[unroll]
    for i in 0..count {
        if CUBE_POS_Y as usize == i {
            copy(to.index_mut(i), from.index(i));
        }
    }
}

#[cube]
fn copy(to: &mut OwnedTensor<f32>, from: &OwnedTensor<f32>) {
    let rank = to.rank();
    let count = to.len();
    let stride = (CUBE_COUNT_X * CUBE_DIM_X) as usize;
    let mut index = (CUBE_POS_X * CUBE_DIM_X + UNIT_POS_X) as usize;
    while index < count {
        let mut rest = index;
        let mut target = 0usize;
        let mut source = 0usize;
        for i in 0..rank {
            let dim = rank - 1 - i;
            let size = to.shape(dim);
            let place = rest % size;
            rest /= size;
            target += place * to.stride(dim);
            source += place * from.stride(dim);
        }
        to[target] = from[source];
        index += stride;
    }
}
