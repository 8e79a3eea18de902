//! A list of tensors of any ranks.

use std::collections::VecDeque;

use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::Tensor;

use crate::many::Many;

/// Tensors of any ranks, in order: what is pushed first comes out first.
#[derive(Clone, Debug, Default)]
pub struct Tensors(VecDeque<DispatchTensor>);

impl Tensors {
    /// Appends a tensor.
    pub fn push<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.0.push_back(tensor.into_dispatch());
    }

    /// Takes the first tensor.
    ///
    /// # Panics
    ///
    /// If it has another rank.
    pub fn pop<const D: usize>(&mut self) -> Option<Tensor<D>> {
        let tensor = self.0.pop_front()?;
        assert_eq!(tensor.rank(), D, "the rank of the next tensor");
        Some(Tensor::from_dispatch(tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Panics unless the tensors of the other list have the same shapes.
    pub(super) fn check(&self, other: &Self) {
        let shapes = |list: &Self| list.0.iter().map(TensorMetadata::shape).collect::<Vec<_>>();
        assert_eq!(shapes(self), shapes(other), "lists of the same shapes");
    }

    pub(super) fn into_many(self) -> Many<Dispatch> {
        Many(self.0.into())
    }
}

impl From<Many<Dispatch>> for Tensors {
    fn from(many: Many<Dispatch>) -> Self {
        Self(many.0.into())
    }
}
