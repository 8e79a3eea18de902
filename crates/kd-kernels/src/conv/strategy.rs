//! What a way to compute convolutions provides.
//!
//! A strategy says how it cuts a batch into chunks and computes one chunk; [`driver`](super::driver)
//! does the rest: scratch memory, threads, and sums of weight gradients.

use std::ops::Range;

use pulp::Simd;

use crate::buffer::Unwritten;

use super::epilogue::Epilogue;
use super::mask::GradMask;
use super::parts;
use super::shape::ConvShape;

/// How a batch is cut, and the memory that a chunk needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Numbers of a unit of the input and of the output. A unit is an image, or a map where channels
    /// do not meet.
    pub(super) unit: [usize; 2],
    /// Units in a chunk; the last chunk may have fewer.
    pub(super) chunk: usize,
    /// Lengths of the slices of scratch memory.
    pub(super) scratch: [usize; 3],
    /// How many of these slices, from the first, hold zeros before a chunk. What a chunk leaves there
    /// stays for the next chunk of the same size.
    pub(super) zeroed: usize,
}

/// Some units of a forward pass.
pub(super) struct ForwardChunk<'a> {
    /// The first unit.
    pub(super) first: usize,
    pub(super) x: &'a [f32],
    /// Its residual is that of the chunk.
    pub(super) epilogue: Epilogue<'a>,
    pub(super) scratch: [&'a mut [f32]; 3],
    /// All of it is to be written.
    pub(super) out: &'a mut Unwritten,
}

/// A forward pass that is prepared for its shape and weights.
///
/// # Safety
///
/// [`run`](Self::run) has to write every number of the chunk's `out`.
#[allow(unsafe_code)]
pub(super) unsafe trait Forward: Sync {
    /// How the batch is cut.
    fn layout(&self) -> Layout;

    /// Computes a chunk. Each output must not depend on the chunk that it is in.
    fn run<S: Simd>(&self, simd: S, chunk: ForwardChunk<'_>);
}

/// Some units of a backward pass.
pub(super) struct BackwardChunk<'a> {
    /// The first unit.
    pub(super) first: usize,
    pub(super) x: &'a [f32],
    /// Gradients of all outputs.
    pub(super) dy: &'a [f32],
    pub(super) scratch: [&'a mut [f32]; 3],
    /// All of it is to be written; empty if it is not asked for.
    pub(super) dx: &'a mut Unwritten,
    /// The channels of the output whose weight gradients are asked for: all if `dx` is too.
    pub(super) outputs: Range<usize>,
    /// Their weight gradients, to be added to; empty if they are not asked for.
    pub(super) dw: &'a mut [f32],
}

/// A backward pass that is prepared for its shape and weights.
///
/// # Safety
///
/// [`run`](Self::run) has to write every number of the chunk's `dx`.
#[allow(unsafe_code)]
pub(super) unsafe trait Backward: Sized + Sync {
    /// Whether [`run`](Self::run) can compute the weight gradients of some outputs alone.
    const BY_OUTPUTS: bool = true;

    /// How many sums of weight gradients there are: a function of the shape alone.
    fn parts(shape: &ConvShape) -> usize {
        parts::parts(shape)
    }

    /// Prepares the pass for a batch that is cut into so many parts.
    fn new(shape: ConvShape, weight: &[f32], mask: GradMask, parts: usize) -> Self;

    /// How the batch is cut. If weight gradients are asked for, this must be a function of shape and
    /// parts alone, because they are summed up in this order.
    fn layout(&self) -> Layout;

    /// Computes a chunk. Each gradient of the input must not depend on the chunk that it is in.
    fn run<S: Simd>(&self, simd: S, chunk: BackwardChunk<'_>);
}
