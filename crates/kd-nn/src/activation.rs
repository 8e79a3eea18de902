//! What follows a layer.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// The activation that is applied to a layer's output in the same pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// None.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Whether it is a ReLU, which is what the kernels ask for.
    #[cfg(feature = "flex")]
    pub(crate) fn is_relu(self) -> bool {
        self == Self::Relu
    }

    /// The output plus `residual`, activated, by Burn's operations.
    pub(crate) fn apply<const D: usize>(
        self,
        output: Tensor<D>,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        let output = match residual {
            Some(residual) => output + residual,
            None => output,
        };
        match self {
            Self::None => output,
            Self::Relu => relu(output),
        }
    }
}
