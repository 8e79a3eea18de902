//! On the `flex` backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::kernel;
use super::ops::{MixGradients, MixOps};
use crate::tensors::{slice, tensor};

impl MixOps for Flex {
    fn kd_mix(
        own: FloatTensor<Self>,
        other: FloatTensor<Self>,
        share: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let shape = own.shape();
        let inputs = [own, other, share].map(|tensor| tensor.to_contiguous());
        let [own, other, share] = inputs.each_ref().map(slice);
        tensor(kernel::forward([own, other], share), shape)
    }
}

impl MixGradients for Flex {
    fn kd_mix_backward(
        inputs: [FloatTensor<Self>; 3],
        gradient: FloatTensor<Self>,
        needed: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 3] {
        let shapes = inputs.each_ref().map(|tensor| tensor.shape());
        let inputs = inputs.map(|tensor| tensor.to_contiguous());
        let gradient = gradient.to_contiguous();
        let [own, other, share] = inputs.each_ref().map(slice);
        let gradient = slice(&gradient);
        let of_own = needed[0].then(|| kernel::scaled(gradient, share, |share| 1.0 - share));
        let of_other = needed[1].then(|| kernel::scaled(gradient, share, |share| share));
        let of_share = kernel::share_gradient([own, other], gradient, share.len());
        let gradients = [of_own, of_other, Some(of_share)];
        let [a, b, c] = gradients;
        let [x, y, z] = shapes;
        [
            a.map(|values| tensor(values, x)),
            b.map(|values| tensor(values, y)),
            c.map(|values| tensor(values, z)),
        ]
    }
}
