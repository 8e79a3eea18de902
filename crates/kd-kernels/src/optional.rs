//! A tensor that may be absent.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType};
use burn::tensor::Tensor;

/// A tensor that may be absent, as an input of a backend extension.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(feature = "cube"))]
pub enum Optional<B: Backend> {
    /// It is there.
    Given(FloatTensor<B>),
    /// It is not.
    Absent,
}

impl<B: Backend> Optional<B> {
    pub(crate) fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }

    pub(crate) fn from_option(tensor: Option<FloatTensor<B>>) -> Self {
        match tensor {
            Some(tensor) => Self::Given(tensor),
            None => Self::Absent,
        }
    }
}

/// A tensor as an input of an operation.
pub(crate) fn optional<const D: usize>(tensor: Option<Tensor<D>>) -> Optional<Dispatch> {
    Optional::from_option(tensor.map(Tensor::into_dispatch))
}
