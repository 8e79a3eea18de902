//! The shape of a convolution.

/// Shape and options of a two-dimensional convolution; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConvShape {
    pub(super) batch: usize,
    /// Channels of the input.
    pub(super) inputs: usize,
    /// Channels of the output.
    pub(super) outputs: usize,
    pub(super) groups: usize,
    /// Height and width of the input.
    pub(super) size: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 2],
    pub(super) dilation: [usize; 2],
}

impl ConvShape {
    /// Height and width of the output.
    ///
    /// # Panics
    ///
    /// If the kernel does not fit.
    pub(super) fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = self.size[axis] + 2 * self.padding[axis];
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            assert!(
                padded >= reach,
                "a kernel of {:?} does not fit an input of {:?}",
                self.kernel,
                self.size
            );
            (padded - reach) / self.stride[axis] + 1
        })
    }

    /// Whether the convolution is a product of matrices: each output is made of one place.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0] && self.groups == 1
    }

    /// Channels of the input in a group.
    pub(super) fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }

    /// Channels of the output in a group.
    pub(super) fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    pub(super) fn output_pixels(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    /// Numbers of an image of the input.
    pub(super) fn image_in(&self) -> usize {
        self.inputs * self.pixels()
    }

    /// Numbers of an image of the output.
    pub(super) fn image_out(&self) -> usize {
        self.outputs * self.output_pixels()
    }
}
