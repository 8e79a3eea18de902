//! The operation as backends see it.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::{DType, Shape};

/// Random numbers of a counter.
#[backend_extension(Cube, Fusion)]
pub trait RandomOps: Backend {
    /// See [`units`](super::units); `words` are stream, place and key.
    #[fusion(dtype = DType::F32, shape = Shape::from([*count]))]
    fn kd_units(step: IntTensor<Self>, count: usize, words: [u32; 4]) -> FloatTensor<Self>;
}
