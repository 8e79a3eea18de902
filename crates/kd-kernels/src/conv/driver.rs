//! Runs a strategy over a batch, on all threads.
//!
//! Results do not depend on the number of threads: an output or an input gradient is the same in
//! whatever chunk it is computed, and weight gradients are sums over a fixed number of parts of the
//! batch, added up in order.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::arch::arch;
use crate::buffer::{Unwritten, total, written};

use super::epilogue::Epilogue;
use super::mask::GradMask;
use super::scratch;
use super::shape::ConvShape;
use super::strategy::{Backward, BackwardChunk, Forward, ForwardChunk, Layout};
use super::tile::ROWS;

/// Tasks a thread, so that none waits for long.
const TASKS: usize = 4;

/// The output of a prepared pass, of `length` numbers.
pub(super) fn forward<F: Forward>(
    pass: &F,
    x: &[f32],
    epilogue: Epilogue<'_>,
    length: usize,
) -> Vec<f32> {
    let layout = pass.layout();
    let [unit_in, unit_out] = layout.unit;
    let units = length / unit_out.max(1);
    let per_task = units_of_task(&layout, units, TASKS * rayon::current_num_threads());
    let arch = arch();
    let write = |out: &mut Unwritten| {
        out.par_chunks_mut((per_task * unit_out).max(1))
            .enumerate()
            .for_each(|(task, out)| {
                scratch::with(layout.scratch, |mut scratch| {
                    clear(&layout, &mut scratch);
                    let chunks = out.chunks_mut(layout.chunk * unit_out);
                    for (index, out) in chunks.enumerate() {
                        let first = task * per_task + index * layout.chunk;
                        let count = out.len() / unit_out;
                        arch.dispatch(RunForward {
                            pass,
                            chunk: ForwardChunk {
                                first,
                                x: &x[first * unit_in..][..count * unit_in],
                                epilogue: epilogue.of_outputs(first * unit_out, out.len()),
                                scratch: scratch.each_mut().map(|slice| &mut **slice),
                                out,
                            },
                        });
                    }
                });
            });
    };
    // SAFETY: the tasks are all of the output, the chunks of a task are all of its part, and a strategy
    // promises to write its chunk.
    #[allow(unsafe_code)]
    unsafe {
        written(length, write)
    }
}

/// Gradients of input and weight by a strategy; what is not asked for is empty.
pub(super) fn backward<B: Backward>(
    shape: ConvShape,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    mask: GradMask,
) -> (Vec<f32>, Vec<f32>) {
    let lengths = |mask: GradMask| {
        let asked = |asked: bool, length: usize| if asked { length } else { 0 };
        [asked(mask.input, x.len()), asked(mask.weight, weight.len())]
    };
    if x.is_empty() || dy.is_empty() {
        let [input, weight] = lengths(mask);
        return (vec![0.0; input], vec![0.0; weight]);
    }
    let threads = rayon::current_num_threads();
    let run = |mask: GradMask, parts: usize, slices: usize| {
        let pass = B::new(shape, weight, mask, parts);
        let cut = Cut {
            outputs: shape.outputs,
            parts,
            slices,
        };
        run(&pass, cut, [x, dy], lengths(mask))
    };
    if !mask.weight {
        // Input gradients may be cut as it suits the threads.
        return run(mask, threads, 1);
    }
    let parts = B::parts(&shape);
    let even = parts.is_multiple_of(threads) || parts >= TASKS * threads;
    if even || !B::BY_OUTPUTS {
        return run(mask, parts, 1);
    }
    // Too few parts for the threads: they share the outputs of a part, for which each has to pack the
    // part's inputs. What the input gradients need is another way to share.
    let (_, dw) = run(GradMask::WEIGHT, parts, (TASKS * threads).div_ceil(parts));
    let (dx, _) = match mask.input {
        true => run(GradMask::INPUT, threads, 1),
        false => Default::default(),
    };
    (dx, dw)
}

/// How a backward pass is cut into tasks.
#[derive(Clone, Copy)]
struct Cut {
    /// Channels of the output.
    outputs: usize,
    /// Parts of the batch.
    parts: usize,
    /// Slices of the outputs; 1 if the gradient of the input is asked for.
    slices: usize,
}

/// What a thread does at a time.
struct Task<'a> {
    /// A part of the batch.
    units: Range<usize>,
    /// A slice of the outputs.
    outputs: Range<usize>,
    dx: &'a mut Unwritten,
    dw: &'a mut [f32],
}

fn run<B: Backward>(
    pass: &B,
    cut: Cut,
    [x, dy]: [&[f32]; 2],
    [inputs, weights]: [usize; 2],
) -> (Vec<f32>, Vec<f32>) {
    let layout = pass.layout();
    let [unit_in, _] = layout.unit;
    let units = x.len() / unit_in;
    let per_part = units_of_task(&layout, units, cut.parts);
    // Whole tiles.
    let slice = cut.outputs.div_ceil(cut.slices).next_multiple_of(ROWS);
    let elements = weights / cut.outputs;
    let mut sums = vec![vec![0.0; weights]; units.div_ceil(per_part)];
    let write = |dx: &mut Unwritten| {
        let mut dx = dx.chunks_mut(per_part * unit_in);
        let mut tasks = Vec::new();
        for (part, dw) in sums.iter_mut().enumerate() {
            let units = part * per_part..units.min((part + 1) * per_part);
            let mut dx = dx.next();
            let mut rest = dw.as_mut_slice();
            let slices = if cut.slices == 1 { cut.outputs } else { slice };
            for start in (0..cut.outputs).step_by(slices) {
                let outputs = start..cut.outputs.min(start + slices);
                let (dw, after) = rest.split_at_mut(outputs.len() * elements);
                rest = after;
                tasks.push(Task {
                    units: units.clone(),
                    outputs,
                    dx: dx.take().unwrap_or_default(),
                    dw,
                });
            }
        }
        tasks
            .into_par_iter()
            .for_each(|task| run_task(pass, &layout, task, [x, dy]));
    };
    // SAFETY: the parts are all of the gradient, the first slice of each has all of it, the chunks of a
    // task are all of its part, and a strategy promises to write its chunk.
    #[allow(unsafe_code)]
    let dx = unsafe { written(inputs, write) };
    (dx, total(sums))
}

fn run_task<B: Backward>(pass: &B, layout: &Layout, task: Task<'_>, [x, dy]: [&[f32]; 2]) {
    let [unit_in, unit_out] = layout.unit;
    let arch = arch();
    let mut rest = task.dx;
    scratch::with(layout.scratch, |mut scratch| {
        for first in task.units.clone().step_by(layout.chunk) {
            let count = layout.chunk.min(task.units.end - first);
            // What a larger chunk left would be read beyond the end of a smaller one.
            if first == task.units.start || count < layout.chunk {
                clear(layout, &mut scratch);
            }
            let length = if rest.is_empty() { 0 } else { count * unit_in };
            let (dx, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            arch.dispatch(RunBackward {
                pass,
                chunk: BackwardChunk {
                    first,
                    x: &x[first * unit_in..][..count * unit_in],
                    dy: &dy[first * unit_out..][..count * unit_out],
                    scratch: scratch.each_mut().map(|slice| &mut **slice),
                    dx,
                    outputs: task.outputs.clone(),
                    dw: task.dw,
                },
            });
        }
    });
}

/// Units of a task, whole chunks of them, if there are to be so many tasks.
fn units_of_task(layout: &Layout, units: usize, tasks: usize) -> usize {
    let chunks = units.div_ceil(layout.chunk);
    chunks.div_ceil(tasks).max(1) * layout.chunk
}

fn clear(layout: &Layout, scratch: &mut [&mut [f32]; 3]) {
    for slice in &mut scratch[..layout.zeroed] {
        slice.fill(0.0);
    }
}

struct RunForward<'a, F> {
    pass: &'a F,
    chunk: ForwardChunk<'a>,
}

impl<F: Forward> WithSimd for RunForward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.pass.run(simd, self.chunk);
    }
}

struct RunBackward<'a, B> {
    pass: &'a B,
    chunk: BackwardChunk<'a>,
}

impl<B: Backward> WithSimd for RunBackward<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.pass.run(simd, self.chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice the input. A unit is two numbers, a chunk three units.
    struct Twice;

    // SAFETY: as many numbers are written as there are.
    #[allow(unsafe_code)]
    unsafe impl Forward for Twice {
        fn layout(&self) -> Layout {
            Layout {
                unit: [2, 2],
                chunk: 3,
                scratch: [4, 0, 0],
                zeroed: 1,
            }
        }

        fn run<S: Simd>(&self, _simd: S, chunk: ForwardChunk<'_>) {
            assert_eq!(chunk.scratch[0], [0.0; 4]);
            let added = chunk.epilogue.residual.expect("a residual");
            assert_eq!([chunk.x.len(), added.len()], [chunk.out.len(); 2]);
            for ((out, x), added) in chunk.out.iter_mut().zip(chunk.x).zip(added) {
                out.write(2.0 * x + added);
            }
        }
    }

    /// As gradients, three times those of the output, and of the weight of each of twenty outputs the
    /// number of its unit times the sum of the inputs.
    struct Thrice;

    const OUTPUTS: usize = 20;

    // SAFETY: if there are any, as many numbers are written as there are.
    #[allow(unsafe_code)]
    unsafe impl Backward for Thrice {
        fn parts(_shape: &ConvShape) -> usize {
            4
        }

        fn new(_shape: ConvShape, _weight: &[f32], _mask: GradMask, _parts: usize) -> Self {
            Self
        }

        fn layout(&self) -> Layout {
            Layout {
                unit: [1, OUTPUTS],
                chunk: 2,
                scratch: [0; 3],
                zeroed: 0,
            }
        }

        fn run<S: Simd>(&self, _simd: S, chunk: BackwardChunk<'_>) {
            for (dx, dy) in chunk.dx.iter_mut().zip(chunk.dy.chunks_exact(OUTPUTS)) {
                dx.write(3.0 * dy[0]);
            }
            for (index, x) in chunk.x.iter().enumerate() {
                for (output, dw) in chunk.outputs.clone().zip(chunk.dw.iter_mut()) {
                    *dw += (chunk.first + index) as f32 * x * output as f32;
                }
            }
        }
    }

    fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(work)
    }

    #[test]
    fn every_output_is_written_once() {
        for units in [0u8, 1, 3, 7, 29] {
            let x: Vec<f32> = (0..2 * units).map(f32::from).collect();
            let residual = vec![0.5; x.len()];
            let epilogue = Epilogue {
                residual: Some(&residual),
                ..Epilogue::default()
            };
            let expected: Vec<f32> = x.iter().map(|x| 2.0 * x + 0.5).collect();
            let out = in_pool(2, || forward(&Twice, &x, epilogue, x.len()));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn every_gradient_is_written_once_whatever_the_threads_and_the_mask() {
        let shape = ConvShape {
            batch: 19,
            inputs: 1,
            outputs: OUTPUTS,
            groups: 1,
            size: [1, 1],
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
        };
        let x: Vec<f32> = (0..19u8).map(f32::from).collect();
        let dy: Vec<f32> = x.iter().flat_map(|x| [*x; OUTPUTS]).collect();
        let dx: Vec<f32> = x.iter().map(|x| 3.0 * x).collect();
        let squares: f32 = x.iter().map(|x| x * x).sum();
        let dw: Vec<f32> = (0..OUTPUTS).map(|index| index as f32 * squares).collect();
        for threads in [1, 3, 4] {
            for mask in [
                GradMask::INPUT,
                GradMask::WEIGHT,
                GradMask {
                    input: true,
                    weight: true,
                },
            ] {
                let found = in_pool(threads, || {
                    backward::<Thrice>(shape, &x, &[0.0; OUTPUTS], &dy, mask)
                });
                assert_eq!(found.0, if mask.input { dx.as_slice() } else { &[] });
                assert_eq!(found.1, if mask.weight { dw.as_slice() } else { &[] });
            }
        }
    }
}
