//! On GPUs.

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::kernel::{self, NumbersLaunch, THREADS};
use super::layout::{Place, Plan, placed};
use super::ops::{BatchOps, Options};
use crate::gpu::memory::empty_like;
use crate::optional::Optional;

impl BatchOps for CubeBackend {
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
        let (x, place) = placed(served(x));
        let [weight, bias, running_mean, running_variance] =
            [weight, bias, running_mean, running_variance].map(row);
        let plan = Plan::new(&x, place);
        let output = empty_like(&x);
        let of_output = placed(output.clone()).1;
        let (added, of_added) = optionally(residual, place);
        let chosen = chosen.into_option().map(row);
        let gated = chosen.is_some();
        let parts = parts(&x, plan, gated);
        let even = [place, of_added, of_output];
        let even = even.into_iter().all(|place| plan.is_even(place));
        let client = x.client.clone();
        let threads = CubeDim::new_1d(THREADS as u32);

        kernel::statistics::launch(
            &client,
            plan.grid(),
            threads,
            x.clone().into_tensor_arg(),
            chosen.map(CubeTensor::into_tensor_arg).into(),
            parts.clone().into_tensor_arg(),
            plan.launch(),
            place.launch(),
            plan.tile,
            plan.is_even(place),
        );
        let [mean, variance, new_mean, new_variance] = std::array::from_fn(|_| channels(&x, plan));
        kernel::normalize::launch(
            &client,
            plan.grid(),
            threads,
            x.into_tensor_arg(),
            weight.into_tensor_arg(),
            bias.into_tensor_arg(),
            added.map(CubeTensor::into_tensor_arg).into(),
            parts.into_tensor_arg(),
            running_mean.into_tensor_arg(),
            running_variance.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            mean.clone().into_tensor_arg(),
            variance.clone().into_tensor_arg(),
            new_mean.clone().into_tensor_arg(),
            new_variance.clone().into_tensor_arg(),
            plan.launch(),
            place.launch(),
            of_added.launch(),
            of_output.launch(),
            NumbersLaunch::new(options.epsilon as f32, options.momentum as f32),
            gated,
            options.relu,
            plan.tile,
            even,
        );
        (output, mean, variance, new_mean, new_variance)
    }

    fn kd_batch_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        chosen: Optional<Self>,
        activated: Optional<Self>,
        options: Options,
        added: bool,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        Optional<Self>,
    ) {
        let (x, place) = placed(served(x));
        let (gradient, of_gradient) = placed(served(gradient));
        let (activated, of_activated) = optionally(activated, place);
        let [weight, mean, variance] = [weight, mean, variance].map(row);
        let chosen = chosen.into_option().map(row);
        let plan = Plan::new(&x, place);
        let parts = parts(&x, plan, chosen.is_some());
        let of_x = empty_like(&x);
        let of_output = placed(of_x.clone()).1;
        let of_added = added.then(|| empty_like(&x));
        let even = [place, of_gradient, of_activated, of_output];
        let even = even.into_iter().all(|place| plan.is_even(place));
        let client = x.client.clone();
        let threads = CubeDim::new_1d(THREADS as u32);
        let optional = |tensor: &Option<CubeTensor>| {
            let tensor = tensor.clone();
            tensor.map(CubeTensor::into_tensor_arg).into()
        };

        kernel::gradient_sums::launch(
            &client,
            plan.grid(),
            threads,
            x.clone().into_tensor_arg(),
            gradient.clone().into_tensor_arg(),
            optional(&activated),
            optional(&chosen),
            mean.clone().into_tensor_arg(),
            parts.clone().into_tensor_arg(),
            plan.launch(),
            place.launch(),
            of_gradient.launch(),
            of_activated.launch(),
            plan.tile,
            even,
        );
        let [of_weight, of_bias] = std::array::from_fn(|_| channels(&x, plan));
        kernel::gradients::launch(
            &client,
            plan.grid(),
            threads,
            x.into_tensor_arg(),
            gradient.into_tensor_arg(),
            optional(&activated),
            optional(&chosen),
            weight.into_tensor_arg(),
            mean.into_tensor_arg(),
            variance.into_tensor_arg(),
            parts.into_tensor_arg(),
            of_x.clone().into_tensor_arg(),
            of_weight.clone().into_tensor_arg(),
            of_bias.clone().into_tensor_arg(),
            of_added.clone().map(CubeTensor::into_tensor_arg).into(),
            plan.launch(),
            place.launch(),
            of_gradient.launch(),
            of_activated.launch(),
            of_output.launch(),
            options.epsilon as f32,
            plan.tile,
            even,
        );
        (of_x, of_weight, of_bias, Optional::from_option(of_added))
    }
}

/// Panics if it is not of f32.
fn served(tensor: CubeTensor) -> CubeTensor {
    assert_eq!(tensor.dtype, DType::F32, "the kernels serve f32 tensors");
    tensor
}

/// Numbers of channels or samples, one after the other.
fn row(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(served(tensor))
}

/// A tensor that may be absent, and its place; the other one stands in for that.
fn optionally(tensor: Optional<CubeBackend>, other: Place) -> (Option<CubeTensor>, Place) {
    match tensor.into_option() {
        Some(tensor) => {
            let (tensor, place) = placed(served(tensor));
            (Some(tensor), place)
        }
        None => (None, other),
    }
}

/// Memory for the parts of two or three sums of each channel.
fn parts(x: &CubeTensor, plan: Plan, gated: bool) -> CubeTensor {
    let rows = 2 + usize::from(gated);
    empty(x, Shape::from([rows, plan.chunks, plan.channels]))
}

/// Memory for a number of each channel.
fn channels(x: &CubeTensor, plan: Plan) -> CubeTensor {
    empty(x, Shape::from([plan.channels]))
}

fn empty(x: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(x.client.clone(), x.device.clone(), shape, x.dtype)
}
