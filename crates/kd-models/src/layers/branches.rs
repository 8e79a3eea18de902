//! The asymmetric multi-branch block.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use kd_nn::{Activation, BatchNorm, BatchNormConfig};

use super::ConvSpec;
use super::conv_norm::{Plain, norm_of_conv};
use super::fold::scaled;

/// KDrefine's asymmetric multi-branch block (AMBB): three K×K convolutions, one K×1 and one
/// 1×K, each with its own batch norm, summed.
///
/// In evaluation all of it is linear, so that it [merges](Branches::merge) into one K×K
/// convolution with bias.
#[derive(Module, Debug)]
pub(crate) struct Branches {
    duplicate1: Plain,
    duplicate2: Plain,
    duplicate3: Plain,
    ver_conv: Conv2d,
    ver_bn: BatchNorm,
    hor_conv: Conv2d,
    hor_bn: BatchNorm,
}

impl Branches {
    /// The block in place of one convolution.
    pub(super) fn new(spec: ConvSpec, device: &Device) -> Self {
        let norm = || BatchNormConfig::new(spec.output()).init(device);
        let square = || Plain::new(spec, true, device);
        Self {
            duplicate1: square(),
            duplicate2: square(),
            duplicate3: square(),
            ver_conv: spec.kernel([spec.size(), 1]).init(device),
            ver_bn: norm(),
            hor_conv: spec.kernel([1, spec.size()]).init(device),
            hor_bn: norm(),
        }
    }

    pub(super) fn forward_with(
        &self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        activation: Activation,
    ) -> Tensor<4> {
        let squares = [
            &self.duplicate1.conv,
            &self.duplicate2.conv,
            &self.duplicate3.conv,
        ];
        let norms = [
            &self.duplicate1.bn,
            &self.duplicate2.bn,
            &self.duplicate3.bn,
            &self.ver_bn,
        ];
        let convs = squares.into_iter().chain([&self.ver_conv]);
        // Each branch adds itself to the sum of those before it.
        let sum = convs.zip(norms).fold(residual, |sum, (conv, bn)| {
            Some(norm_of_conv(conv, bn, input.clone(), sum, Activation::None))
        });
        norm_of_conv(&self.hor_conv, &self.hor_bn, input, sum, activation)
    }

    /// The convolution with bias that this block is in evaluation.
    pub(super) fn merge(self) -> Conv2d {
        let squares = [&self.duplicate1, &self.duplicate2, &self.duplicate3];
        let mut branches: Vec<(Tensor<4>, &BatchNorm)> = squares
            .map(|square| (square.conv.weight.val(), &square.bn))
            .into();
        // A column or row of weights acts where it stands in the middle of the square.
        let [_, _, size, _] = self.duplicate1.conv.weight.dims();
        branches.push((padded(self.ver_conv.weight.val(), size), &self.ver_bn));
        branches.push((padded(self.hor_conv.weight.val(), size), &self.hor_bn));

        let merged = branches.into_iter().map(|(weight, bn)| {
            let [factor, shift] = bn.affine();
            (scaled(weight, factor), shift)
        });
        let sum =
            merged.reduce(|(weight, shift), (more, further)| (weight + more, shift + further));
        let mut conv = self.duplicate1.conv;
        if let Some((weight, shift)) = sum {
            conv.weight = Param::from_tensor(weight);
            conv.bias = Some(Param::from_tensor(shift));
        }
        conv
    }
}

/// A kernel in the middle of a `size`×`size` one that is zero elsewhere.
fn padded(weight: Tensor<4>, size: usize) -> Tensor<4> {
    let [output, input, height, width] = weight.dims();
    let [top, left] = [height, width].map(|extent| (size - extent) / 2);
    Tensor::zeros([output, input, size, size], &weight.device()).slice_assign(
        [0..output, 0..input, top..top + height, left..left + width],
        weight,
    )
}
