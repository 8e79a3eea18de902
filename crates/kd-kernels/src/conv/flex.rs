//! On the `flex` backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::ops::ConvOptions;

use super::epilogue::Epilogue;
use super::mask::GradMask;
use super::ops::{ConvGradients, ConvOps};
use super::select::{backward, forward};
use super::shape::ConvShape;
use crate::optional::Optional;
use crate::tensors::{slice, tensor};

impl ConvOps for Flex {
    fn kd_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Optional<Self>,
        options: ConvOptions<2>,
        residual: Optional<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let [bias, residual] = [bias, residual].map(Optional::into_option);
        let shape = shape_of(&x, &weight, &options);
        let [height, width] = shape.output();
        let dims = [shape.batch, shape.outputs, height, width];
        if let Some(bias) = &bias {
            assert_eq!(
                bias.shape().num_elements(),
                shape.outputs,
                "the bias has a number for each output channel"
            );
        }
        if let Some(residual) = &residual {
            assert_eq!(
                residual.shape().dims(),
                dims,
                "what is added has the output's shape"
            );
        }
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let [bias, residual] = [bias, residual].map(|tensor| tensor.map(|t| t.to_contiguous()));
        let epilogue = Epilogue {
            bias: bias.as_ref().map(slice),
            residual: residual.as_ref().map(slice),
            relu,
        };
        tensor(forward(shape, slice(&x), slice(&weight), epilogue), dims)
    }
}

impl ConvGradients for Flex {
    fn kd_conv2d_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
        mask: GradMask,
    ) -> (Option<FloatTensor<Self>>, Option<FloatTensor<Self>>) {
        let shape = shape_of(&x, &weight, &options);
        let (dims, weight_dims) = (x.shape(), weight.shape());
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let gradient = gradient.to_contiguous();
        let (dx, dw) = backward(shape, slice(&x), slice(&weight), slice(&gradient), mask);
        (
            mask.input.then(|| tensor(dx, dims)),
            mask.weight.then(|| tensor(dw, weight_dims)),
        )
    }
}

fn shape_of(
    x: &FloatTensor<Flex>,
    weight: &FloatTensor<Flex>,
    options: &ConvOptions<2>,
) -> ConvShape {
    let [batch, inputs, height, width] = x.shape().dims();
    let [outputs, group_inputs, kernel_height, kernel_width] = weight.shape().dims();
    let groups = options.groups;
    assert!(
        groups > 0 && inputs == group_inputs * groups && outputs % groups == 0,
        "a weight of {:?} in {groups} groups does not fit an input of {inputs} channels",
        weight.shape(),
    );
    ConvShape {
        batch,
        inputs,
        outputs,
        groups,
        size: [height, width],
        kernel: [kernel_height, kernel_width],
        stride: options.stride,
        padding: options.padding.map(|(before, _)| before),
        dilation: options.dilation,
    }
}
