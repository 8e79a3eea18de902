//! Winograd's form of the 3×3 convolution, F(2×2, 3×3).
//!
//! Two by two outputs need a patch of four by four inputs. Both the patch and the filter are
//! transformed to sixteen numbers, `V = Bᵀ d B` and `U = G g Gᵀ`; for each of the sixteen, the sum
//! over channels is a matrix product; and the outputs are `Aᵀ (Σ U ⊙ V) A`: 16 multiplications
//! instead of 36 (Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks,
//! <https://arxiv.org/abs/1509.09308>).
//!
//! Patches overlap and are two apart, as the inputs of a 4×4 convolution of stride 2: its planes
//! (see [`axis`](super::axis)) are where they are read. Some rows of patches at a time go through
//! all steps, so that their transforms stay in the cache.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::arch::arch;
use crate::buffer::Unwritten;
use crate::relu::{at_least, lowest};

use super::epilogue::Epilogue;
use super::filters::Tile;
use super::pack::Place;
use super::plan::Plan;
use super::shape::ConvShape;
use super::strategy::{Forward, ForwardChunk, Layout};
use super::tile::{full_rows, products_of, tiles};

/// Channels times patches in a vector from which on the products outweigh the transforms.
const WIDE: usize = 384;

/// Fewest patches in a row: more of a vector would be left empty.
const FEWEST_COLUMNS: usize = 4;

/// Images from which on the transform of the filters is worth its time.
const FEWEST_IMAGES: usize = 4;

/// Numbers in the transforms of a block of patches, at most: they are to stay in the cache.
const BLOCK: usize = 256 * 1024;

/// Fewest patches in a block: three vectors of sixteen.
const FEWEST_PATCHES: usize = 48;

/// Numbers of a transformed patch.
const SPECTRUM: usize = 16;

/// Numbers of the longest vector.
const VECTOR: usize = 16;

/// Whether this way is the better one. From [`FEWEST_IMAGES`] on the answer does not depend on the
/// batch, so that an image's result does not either.
pub(super) fn suits(shape: &ConvShape) -> bool {
    let columns = shape.output()[1] / 2;
    shape.groups == 1
        && is_of_form(shape)
        && shape.output().iter().all(|size| size % 2 == 0)
        && columns >= FEWEST_COLUMNS
        && shape.inputs.min(shape.outputs) * columns.min(VECTOR) >= WIDE
        && shape.batch >= FEWEST_IMAGES
}

/// Whether this way is the better one for the gradient of the input.
pub(super) fn suits_backward(shape: &ConvShape) -> bool {
    is_of_form(shape) && suits(&transposed(shape))
}

/// Whether the filters are what the transforms are for.
fn is_of_form(shape: &ConvShape) -> bool {
    shape.kernel == [3, 3]
        && shape.stride == [1, 1]
        && shape.dilation == [1, 1]
        && shape.padding.iter().all(|padding| *padding <= 2)
}

/// The convolution that the gradient of the input is: of the gradient of the output, with filters
/// that are turned around and go from outputs to inputs.
fn transposed(shape: &ConvShape) -> ConvShape {
    ConvShape {
        inputs: shape.outputs,
        outputs: shape.inputs,
        size: shape.output(),
        padding: shape.padding.map(|padding| 2 - padding),
        ..*shape
    }
}

/// A convolution in this form, with its filters transformed.
pub(super) struct Winograd {
    blocks: Blocks,
    filters: Vec<Tile>,
}

impl Winograd {
    /// A convolution of this shape.
    pub(super) fn new(shape: ConvShape, weight: &[f32]) -> Self {
        let taps = Taps {
            weight,
            filter: 9 * shape.inputs,
            channel: 9,
            order: [0, 1, 2, 3, 4, 5, 6, 7, 8],
        };
        Self::of_taps(shape, &taps)
    }

    /// The convolution that turns the gradient of the output of one of this shape into that of its
    /// input.
    pub(super) fn of_input_gradient(shape: ConvShape, weight: &[f32]) -> Self {
        let taps = Taps {
            weight,
            filter: 9,
            channel: 9 * shape.inputs,
            order: [8, 7, 6, 5, 4, 3, 2, 1, 0],
        };
        Self::of_taps(transposed(&shape), &taps)
    }

    fn of_taps(shape: ConvShape, taps: &Taps<'_>) -> Self {
        let arch = arch();
        let filters = tiles(shape.outputs, full_rows())
            .into_par_iter()
            .map(|(first, rows)| {
                let channels = shape.inputs;
                arch.dispatch(Prepare {
                    taps,
                    channels,
                    first,
                    rows,
                })
            })
            .collect();
        Self {
            blocks: Blocks::new(shape),
            filters,
        }
    }
}

/// Where the nine elements of each filter are.
#[derive(Clone, Copy)]
struct Taps<'a> {
    weight: &'a [f32],
    /// From one filter to the next, and from one of its channels to the next.
    filter: usize,
    channel: usize,
    order: [usize; 9],
}

/// Where things are in scratch memory.
#[derive(Debug)]
struct Blocks {
    shape: ConvShape,
    /// The 4×4 convolution of stride 2 whose outputs are the patches of one image.
    plan: Plan,
    /// Rows and columns of patches in an image.
    patches: [usize; 2],
    /// Rows of patches in a block.
    rows: usize,
    /// From one channel to the next, of inputs and of outputs.
    channel: usize,
    /// From one number of the spectrum to the next: of inputs, of outputs.
    slabs: [usize; 2],
}

impl Blocks {
    fn new(shape: ConvShape) -> Self {
        let [height, width] = shape.output();
        let patches = [height / 2, width / 2];
        let plan = Plan::of_maps(ConvShape {
            kernel: [4, 4],
            stride: [2, 2],
            ..shape
        });
        let most = BLOCK / (SPECTRUM * (shape.inputs + shape.outputs));
        let rows = (most.max(FEWEST_PATCHES) / patches[1]).max(1);
        // The vector that begins at the last patch goes over the end. An odd number of cache lines
        // spreads channels, and the sixteen numbers of a spectrum, over the cache.
        let channel = (rows * patches[1] + VECTOR).next_multiple_of(VECTOR) | VECTOR;
        Self {
            plan,
            patches,
            rows,
            channel,
            slabs: [shape.inputs, shape.outputs].map(|count| count * channel + VECTOR),
            shape,
        }
    }

    fn scratch(&self) -> [usize; 3] {
        let [inputs, outputs] = self.slabs.map(|slab| SPECTRUM * slab + 2 * VECTOR);
        [self.plan.input_scratch(), inputs, outputs]
    }
}

/// Transforms the filters of a tile; its values are `[spectrum][channel][row]`.
struct Prepare<'a> {
    taps: &'a Taps<'a>,
    channels: usize,
    first: usize,
    rows: usize,
}

impl WithSimd for Prepare<'_> {
    type Output = Tile;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Tile {
        let values = match self.rows {
            8 => self.spectra::<8>(),
            4 => self.spectra::<4>(),
            2 => self.spectra::<2>(),
            _ => self.spectra::<1>(),
        };
        Tile {
            first: self.first,
            rows: self.rows,
            values,
        }
    }
}

impl Prepare<'_> {
    /// `G g Gᵀ` of `R` filters at once.
    #[inline(always)]
    fn spectra<const R: usize>(&self) -> Vec<f32> {
        let mut values = vec![0.0; SPECTRUM * self.channels * R];
        let spectra = values.as_chunks_mut::<R>().0;
        let Taps {
            weight,
            filter,
            channel: step,
            order,
        } = self.taps;
        for channel in 0..self.channels {
            let mut g = [[0.0; R]; 9];
            for row in 0..R {
                let place = (self.first + row) * filter + channel * step;
                let taps = &weight[place..][..9];
                for (g, tap) in g.iter_mut().zip(order) {
                    g[row] = taps[*tap];
                }
            }
            for row in 0..4 {
                let mut down = [[0.0; R]; 3];
                for column in 0..3 {
                    let [top, middle, bottom] = [g[column], g[3 + column], g[6 + column]];
                    down[column] = combined(row, top, middle, bottom);
                }
                for column in 0..4 {
                    let [left, middle, right] = down;
                    let place = (4 * row + column) * self.channels + channel;
                    spectra[place] = combined(column, left, middle, right);
                }
            }
        }
        values
    }
}

/// The product of a row of `G` and three numbers, `R` times.
#[inline(always)]
fn combined<const R: usize>(row: usize, a: [f32; R], b: [f32; R], c: [f32; R]) -> [f32; R] {
    let mut sum = [0.0; R];
    for r in 0..R {
        sum[r] = match row {
            0 => a[r],
            1 => 0.5 * (a[r] + b[r] + c[r]),
            2 => 0.5 * (a[r] - b[r] + c[r]),
            _ => c[r],
        };
    }
    sum
}

// SAFETY: the patches of all rows of all images are all outputs, because height and width are even.
#[allow(unsafe_code)]
unsafe impl Forward for Winograd {
    fn layout(&self) -> Layout {
        let shape = &self.blocks.shape;
        Layout {
            unit: [shape.image_in(), shape.image_out()],
            chunk: shape.batch.div_ceil(rayon::current_num_threads()),
            scratch: self.blocks.scratch(),
            zeroed: 1,
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: ForwardChunk<'_>) {
        let Self { blocks, filters } = self;
        let ForwardChunk {
            x,
            epilogue,
            scratch: [planes, patches, sums],
            out,
            ..
        } = chunk;
        let shape = &blocks.shape;
        let image_in = shape.inputs * shape.pixels();
        let [height, width] = blocks.patches;
        let all = x.len() / image_in * height;
        let offsets = blocks.plan.input_offsets();
        let [input_slab, output_slab] = blocks.slabs;
        let channels: Vec<usize> = (0..shape.inputs).map(|c| c * blocks.channel).collect();
        let mut first = 0;
        while first < all {
            let last = (first + blocks.rows).min(all);
            // The rows of a block, image by image.
            let mut row = first;
            while row < last {
                let (image, top) = (row / height, row % height);
                let end = last.min((image + 1) * height);
                if top == 0 {
                    let x = &x[image * image_in..][..image_in];
                    blocks.plan.pack_inputs(x, 0, planes);
                }
                let place = (row - first) * width;
                transform::<S>(
                    simd,
                    blocks,
                    planes,
                    &offsets,
                    top..top + end - row,
                    &mut patches[place..],
                );
                row = end;
            }
            let length = (last - first) * width;
            for index in 0..SPECTRUM {
                let patches = &patches[index * input_slab..];
                let sums = &mut sums[index * output_slab..];
                for tile in filters {
                    let count = shape.inputs * tile.rows;
                    let weights = &tile.values[index * count..][..count];
                    let sums = &mut sums[tile.first * blocks.channel..];
                    let sums = &mut sums[..tile.rows * blocks.channel];
                    let tile = (tile.rows, weights);
                    products_of(simd, tile, &channels, patches, length, sums);
                }
            }
            finish::<S>(simd, blocks, sums, epilogue, first..last, out);
            first = last;
        }
    }
}

/// Transforms the patches in some rows of an image, all channels: `Bᵀ d B`.
#[inline(always)]
fn transform<S: Simd>(
    simd: S,
    blocks: &Blocks,
    planes: &[f32],
    offsets: &[usize],
    rows: std::ops::Range<usize>,
    patches: &mut [f32],
) {
    let width = blocks.patches[1];
    let pitch = blocks.plan.pitch();
    let slab = blocks.slabs[0];
    for (channel, offsets) in offsets.as_chunks::<SPECTRUM>().0.iter().enumerate() {
        for row in rows.clone() {
            let mut column = 0;
            while column < width {
                let place = row * pitch + column;
                let mut d = [[simd.splat_f32s(0.0); 4]; 4];
                for i in 0..4 {
                    for j in 0..4 {
                        let source = &planes[offsets[4 * i + j] + place..][..S::F32_LANES];
                        d[i][j] = S::as_simd_f32s(source).0[0];
                    }
                }
                let mut down = [[simd.splat_f32s(0.0); 4]; 4];
                for j in 0..4 {
                    down[0][j] = simd.sub_f32s(d[0][j], d[2][j]);
                    down[1][j] = simd.add_f32s(d[1][j], d[2][j]);
                    down[2][j] = simd.sub_f32s(d[2][j], d[1][j]);
                    down[3][j] = simd.sub_f32s(d[1][j], d[3][j]);
                }
                // Beyond the row's last patch this is overwritten by the next one's.
                let target = channel * blocks.channel + (row - rows.start) * width + column;
                for (i, [a, b, c, d]) in down.into_iter().enumerate() {
                    let across = [
                        simd.sub_f32s(a, c),
                        simd.add_f32s(b, c),
                        simd.sub_f32s(c, b),
                        simd.sub_f32s(b, d),
                    ];
                    for (j, value) in across.into_iter().enumerate() {
                        let place = (4 * i + j) * slab + target;
                        let place = &mut patches[place..][..S::F32_LANES];
                        S::as_mut_simd_f32s(place).0[0] = value;
                    }
                }
                column += S::F32_LANES;
            }
        }
    }
}

/// Writes the outputs of some rows of patches, `Aᵀ m A`, and what comes after it.
#[inline(always)]
fn finish<S: Simd>(
    simd: S,
    blocks: &Blocks,
    sums: &[f32],
    epilogue: Epilogue<'_>,
    rows: std::ops::Range<usize>,
    out: &mut Unwritten,
) {
    let shape = &blocks.shape;
    let [height, width] = blocks.patches;
    let pixels = shape.output_pixels();
    let slab = blocks.slabs[1];
    for channel in 0..shape.outputs {
        let bias = epilogue.bias.map_or(0.0, |bias| bias[channel]);
        let sums = &sums[channel * blocks.channel..];
        for row in rows.clone() {
            let (image, top) = (row / height, row % height);
            let origin = (image * shape.outputs + channel) * pixels + top * 4 * width;
            let mut column = 0;
            while column < width {
                let place = (row - rows.start) * width + column;
                let mut m = [[simd.splat_f32s(0.0); 4]; 4];
                for i in 0..4 {
                    for j in 0..4 {
                        let source = &sums[(4 * i + j) * slab + place..][..S::F32_LANES];
                        m[i][j] = S::as_simd_f32s(source).0[0];
                    }
                }
                let mut down = [[simd.splat_f32s(0.0); 4]; 2];
                for j in 0..4 {
                    let middle = simd.add_f32s(m[0][j], m[1][j]);
                    down[0][j] = simd.add_f32s(middle, m[2][j]);
                    let middle = simd.sub_f32s(m[1][j], m[2][j]);
                    down[1][j] = simd.sub_f32s(middle, m[3][j]);
                }
                let count = S::F32_LANES.min(width - column);
                for (line, [a, b, c, d]) in down.into_iter().enumerate() {
                    let mut pair = [[0.0_f32; VECTOR]; 2];
                    let [even, odd] = &mut pair;
                    let sum = simd.add_f32s(simd.add_f32s(a, b), c);
                    S::as_mut_simd_f32s(even).0[0] = sum;
                    let sum = simd.sub_f32s(simd.sub_f32s(b, c), d);
                    S::as_mut_simd_f32s(odd).0[0] = sum;
                    let place = origin + (line * width + column) * 2;
                    let out = &mut out[place..][..2 * count];
                    let added = epilogue.residual.map(|all| &all[place..][..2 * count]);
                    weave(even, odd, bias, added, epilogue.relu, out);
                }
                column += S::F32_LANES;
            }
        }
    }
}

/// Writes numbers of two vectors in turns, with what comes after them.
#[inline(always)]
fn weave(
    even: &[f32; VECTOR],
    odd: &[f32; VECTOR],
    bias: f32,
    added: Option<&[f32]>,
    relu: bool,
    out: &mut Unwritten,
) {
    let lowest = lowest(relu);
    let out = out.as_chunks_mut::<2>().0;
    let pairs = even.iter().zip(odd);
    match added {
        None => {
            for (out, (even, odd)) in out.iter_mut().zip(pairs) {
                out[0].put(at_least(lowest, even + bias));
                out[1].put(at_least(lowest, odd + bias));
            }
        }
        Some(added) => {
            let added = added.as_chunks::<2>().0;
            for ((out, added), (even, odd)) in out.iter_mut().zip(added).zip(pairs) {
                out[0].put(at_least(lowest, even + bias + added[0]));
                out[1].put(at_least(lowest, odd + bias + added[1]));
            }
        }
    }
}
