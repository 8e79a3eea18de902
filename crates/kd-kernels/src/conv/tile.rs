//! The inner loops.

use pulp::{Simd, WithSimd};

use crate::arch::arch;

use super::pairs::Run;

/// Rows of a tile: at most so many filters are applied at once.
pub(super) const ROWS: usize = 8;

/// Elements that tiles read and write beyond the last one, at most.
pub(super) const OVERRUN: usize = 128;

/// Filters in tiles: first index and number of rows of each. A tile of few registers has half the
/// rows.
pub(super) fn tiles(filters: usize, rows: usize) -> Vec<(usize, usize)> {
    let mut tiles = Vec::new();
    let mut first = 0;
    for rows in [rows, rows / 2, rows / 4, 1] {
        while rows > 0 && filters - first >= rows {
            tiles.push((first, rows));
            first += rows;
        }
    }
    tiles
}

/// Rows of a full tile: with two or three vectors of accumulators each, they fill the registers.
#[inline(always)]
pub(super) fn rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 {
        ROWS
    } else {
        ROWS / 2
    }
}

/// The same for the instructions of this machine.
pub(super) fn full_rows() -> usize {
    struct Rows;

    impl WithSimd for Rows {
        type Output = usize;

        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            rows::<S>()
        }
    }

    arch().dispatch(Rows)
}

/// [`products`] of a tile of any number of rows.
#[inline(always)]
pub(super) fn products_of<S: Simd>(
    simd: S,
    (rows, weights): (usize, &[f32]),
    offsets: &[usize],
    planes: &[f32],
    length: usize,
    out: &mut [f32],
) {
    match rows {
        8 => products::<S, 8>(simd, weights, offsets, planes, length, out),
        4 => products::<S, 4>(simd, weights, offsets, planes, length, out),
        2 => products::<S, 2>(simd, weights, offsets, planes, length, out),
        _ => products::<S, 1>(simd, weights, offsets, planes, length, out),
    }
}

/// `out[r][p] = Σ_s weights[s][r] · planes[offsets[s] + p]` for all `p` below `length`, which is
/// rounded up to whole vectors. Rows of `out` are `out.len() / R` apart.
#[inline(always)]
fn products<S: Simd, const R: usize>(
    simd: S,
    weights: &[f32],
    offsets: &[usize],
    planes: &[f32],
    length: usize,
    out: &mut [f32],
) {
    let weights = weights.as_chunks::<R>().0;
    let vectors = length.div_ceil(S::F32_LANES);
    let mut vector = 0;
    while vector + 3 <= vectors {
        tile::<S, R, 3>(simd, weights, offsets, planes, vector * S::F32_LANES, out);
        vector += 3;
    }
    match vectors - vector {
        2 => tile::<S, R, 2>(simd, weights, offsets, planes, vector * S::F32_LANES, out),
        1 => tile::<S, R, 1>(simd, weights, offsets, planes, vector * S::F32_LANES, out),
        _ => {}
    }
}

/// [`products`] of one filter, with more vectors at once: alone, each sum would wait for itself.
#[inline(always)]
pub(super) fn filtered<S: Simd>(
    simd: S,
    weights: &[f32],
    offsets: &[usize],
    planes: &[f32],
    length: usize,
    out: &mut [f32],
) {
    let weights = weights.as_chunks::<1>().0;
    let vectors = length.div_ceil(S::F32_LANES);
    let mut vector = 0;
    while vector + 6 <= vectors {
        tile::<S, 1, 6>(simd, weights, offsets, planes, vector * S::F32_LANES, out);
        vector += 6;
    }
    let place = vector * S::F32_LANES;
    match vectors - vector {
        5 => tile::<S, 1, 5>(simd, weights, offsets, planes, place, out),
        4 => tile::<S, 1, 4>(simd, weights, offsets, planes, place, out),
        3 => tile::<S, 1, 3>(simd, weights, offsets, planes, place, out),
        2 => tile::<S, 1, 2>(simd, weights, offsets, planes, place, out),
        1 => tile::<S, 1, 1>(simd, weights, offsets, planes, place, out),
        _ => {}
    }
}

#[inline(always)]
fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    weights: &[[f32; R]],
    offsets: &[usize],
    planes: &[f32],
    place: usize,
    out: &mut [f32],
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    let planes = &planes[place..];
    for (weights, offset) in weights.iter().zip(offsets) {
        let values = S::as_simd_f32s(&planes[*offset..][..V * S::F32_LANES]).0;
        let values = &values[..V];
        for r in 0..R {
            let weight = simd.splat_f32s(weights[r]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_f32s(weight, values[v], sums[r][v]);
            }
        }
    }
    store::<S, R, V>(&sums, place, out);
}

/// Writes a tile at `place` of each row of `out`.
#[inline(always)]
fn store<S: Simd, const R: usize, const V: usize>(
    sums: &[[S::f32s; V]; R],
    place: usize,
    out: &mut [f32],
) {
    let stride = out.len() / R;
    for (r, sums) in sums.iter().enumerate() {
        let row = &mut out[r * stride + place..][..V * S::F32_LANES];
        S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
    }
}

/// Brings rows into the order in which [`inner_products`] reads them: a vector of the first row, one
/// of the second and so on, then the next ones.
#[inline(always)]
pub(super) fn interleave<S: Simd, const R: usize>(rows: &[f32], stride: usize, out: &mut [f32]) {
    for (place, out) in out.chunks_exact_mut(R * S::F32_LANES).enumerate() {
        for (row, out) in out.chunks_exact_mut(S::F32_LANES).enumerate() {
            let source = &rows[row * stride + place * S::F32_LANES..][..S::F32_LANES];
            S::as_mut_simd_f32s(out).0[0] = S::as_simd_f32s(source).0[0];
        }
    }
}

/// `sums[r][c] += left[p][r] · right[c][p]` for all `p`.
#[inline(always)]
fn multiply<S: Simd, const R: usize, const C: usize>(
    simd: S,
    left: &[[S::f32s; R]],
    right: [&[S::f32s]; C],
    sums: &mut [[S::f32s; C]; R],
) {
    for (p, left) in left.iter().enumerate() {
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = simd.mul_add_f32s(left[r], right[c][p], sums[r][c]);
            }
        }
    }
}

/// `out[r · stride + c] += Σ_p left[r][p] · planes[offsets[c] + p]`, with `left` as
/// [`interleave`] leaves it.
#[inline(always)]
pub(super) fn inner_products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    left: &[f32],
    planes: &[f32],
    offsets: &[usize; C],
    stride: usize,
    out: &mut [f32],
) {
    // One stream on the left and `C` on the right: more would not fit the address registers.
    let left = S::as_simd_f32s(left).0.as_chunks::<R>().0;
    let mut right = [&[] as &[S::f32s]; C];
    for (right, offset) in right.iter_mut().zip(offsets) {
        let plane = &planes[*offset..][..left.len() * S::F32_LANES];
        *right = &S::as_simd_f32s(plane).0[..left.len()];
    }
    let mut sums = [[simd.splat_f32s(0.0); C]; R];
    multiply::<S, R, C>(simd, left, right, &mut sums);
    for r in 0..R {
        for c in 0..C {
            out[r * stride + c] += simd.reduce_sum_f32s(sums[r][c]);
        }
    }
}

/// One place of the output for `V` vectors of images and `R` filters:
/// `out[r][place] = Σ_c Σ_(tap, source) weights[c][tap][r] · sources[c][source]`, where sources of a
/// channel are `lanes` apart.
#[inline(always)]
pub(super) fn gathered<S: Simd, const R: usize, const V: usize>(
    simd: S,
    (weights, area): (&[[f32; R]], usize),
    (sources, channel, lanes): (&[f32], usize, usize),
    pairs: &[(usize, usize)],
    place: usize,
    out: &mut [f32],
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (index, weights) in weights.chunks_exact(area).enumerate() {
        let sources = &sources[index * channel..];
        for (tap, source) in pairs {
            let values = S::as_simd_f32s(&sources[source * lanes..][..V * S::F32_LANES]).0;
            let values = &values[..V];
            let weights = &weights[*tap];
            for r in 0..R {
                let weight = simd.splat_f32s(weights[r]);
                for v in 0..V {
                    sums[r][v] = simd.mul_add_f32s(weight, values[v], sums[r][v]);
                }
            }
        }
    }
    store::<S, R, V>(&sums, place, out);
}

/// `out[r · row + c · column] += Σ_runs Σ_p left[output + p][r] · sources[c][input + p]`: inner
/// products over runs of places, each of `lanes` numbers.
#[inline(always)]
pub(super) fn run_products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    left: &[f32],
    (sources, channel): (&[f32], usize),
    runs: &[Run],
    lanes: usize,
    (out, row, column): (&mut [f32], usize, usize),
) {
    let left = S::as_simd_f32s(left).0.as_chunks::<R>().0;
    let vectors = lanes / S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); C]; R];
    for run in runs {
        let left = &left[run.output * vectors..][..run.length * vectors];
        let mut right = [&[] as &[S::f32s]; C];
        for (c, right) in right.iter_mut().enumerate() {
            let source = &sources[c * channel + run.input * lanes..][..run.length * lanes];
            *right = &S::as_simd_f32s(source).0[..left.len()];
        }
        multiply::<S, R, C>(simd, left, right, &mut sums);
    }
    for r in 0..R {
        for c in 0..C {
            out[r * row + c * column] += simd.reduce_sum_f32s(sums[r][c]);
        }
    }
}
