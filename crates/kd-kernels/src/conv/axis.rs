//! One axis of a convolution: where padded and strided data lies, so that each tap of the kernel
//! is a constant shift.
//!
//! The padded input is split by the remainder of its coordinates modulo the stride into *planes*.
//! In a plane, output `o` reads element `o + shift` for a tap. Padding on the right of a row is
//! the padding on the left of the next one wherever the data allows it.

use super::shape::ConvShape;

/// A tap of the kernel along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// The plane that it reads.
    pub(super) plane: usize,
    /// How far from the output's place.
    pub(super) shift: usize,
}

/// One axis of the forward pass.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Size of the input.
    pub(super) input: usize,
    /// Size of the output.
    pub(super) output: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    /// For each element of the kernel.
    pub(super) taps: Vec<Tap>,
    /// Place of the first output in a plane of output gradients.
    pub(super) margin: usize,
    /// Elements of a row of every plane.
    pub(super) pitch: usize,
    /// The backward pass to the input: one part for each remainder of its padded coordinates.
    pub(super) parts: Vec<Part>,
}

/// The inputs `stride · (first + i) + remainder − padding` for `i` below `count`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The input that comes first.
    pub(super) start: usize,
    pub(super) count: usize,
    /// For each element of the kernel that reaches these inputs: itself, and how far from the
    /// input's place its output gradient lies.
    pub(super) taps: Vec<(usize, usize)>,
}

impl Axis {
    pub(super) fn new(shape: &ConvShape, axis: usize) -> Self {
        let (input, output) = (shape.size[axis], shape.output()[axis]);
        let (stride, padding) = (shape.stride[axis], shape.padding[axis]);
        let reach: Vec<usize> = (0..shape.kernel[axis])
            .map(|tap| tap * shape.dilation[axis])
            .collect();
        let taps: Vec<Tap> = reach
            .iter()
            .map(|reach| Tap {
                plane: reach % stride,
                shift: reach / stride,
            })
            .collect();

        // Inputs of each remainder: their first and last quotient.
        let quotients = |remainder: usize| {
            let first = padding.saturating_sub(remainder).div_ceil(stride);
            let end = (input + padding).saturating_sub(remainder).div_ceil(stride);
            first..end.max(first)
        };
        let margin = (0..stride)
            .flat_map(|remainder| {
                let first = quotients(remainder).start;
                let shifts = taps.iter().filter(move |tap| tap.plane == remainder);
                shifts.map(move |tap| tap.shift.saturating_sub(first))
            })
            .max()
            .unwrap_or(0);

        let fits = |pitch: usize| {
            // What is read beyond a row is the start of the next, which has to be padding.
            let forward = taps.iter().all(|tap| {
                let beyond = (output - 1 + tap.shift).checked_sub(pitch);
                let data = quotients(tap.plane);
                data.end <= pitch && beyond.is_none_or(|place| place < data.start)
            });
            let backward = taps.iter().all(|tap| {
                let last = quotients(tap.plane).end;
                let read = (last + margin).checked_sub(tap.shift + 1);
                let beyond = read.and_then(|read| read.checked_sub(pitch));
                beyond.is_none_or(|place| place < margin)
            });
            let counts = (0..stride).all(|remainder| quotients(remainder).len() <= pitch);
            forward && backward && counts && margin + output <= pitch
        };
        let mut pitch = output;
        while !fits(pitch) {
            pitch += 1;
        }

        let parts = (0..stride)
            .filter_map(|remainder| {
                let range = quotients(remainder);
                let taps = taps.iter().enumerate();
                let taps = taps.filter(|(_, tap)| tap.plane == remainder);
                (!range.is_empty()).then(|| Part {
                    start: range.start * stride + remainder - padding,
                    count: range.len(),
                    taps: taps
                        .map(|(index, tap)| (index, range.start + margin - tap.shift))
                        .collect(),
                })
            })
            .collect();
        Self {
            input,
            output,
            stride,
            padding,
            taps,
            margin,
            pitch,
            parts,
        }
    }

    /// Number of planes.
    pub(super) fn planes(&self) -> usize {
        self.stride
    }

    /// Whether any tap reads this plane.
    pub(super) fn reads(&self, plane: usize) -> bool {
        self.taps.iter().any(|tap| tap.plane == plane)
    }

    /// First place of data in a plane, its first input, and how many inputs are in there.
    pub(super) fn data(&self, plane: usize) -> (usize, usize, usize) {
        let first = self.padding.saturating_sub(plane).div_ceil(self.stride);
        let start = first * self.stride + plane - self.padding;
        let count = self.input.saturating_sub(start).div_ceil(self.stride);
        (first, start, count)
    }
}
