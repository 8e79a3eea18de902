//! The inner loops.

use pulp::Simd;

/// Rows of a tile: at most so many filters are applied at once.
pub(super) const ROWS: usize = 8;

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

/// `out[r][p] = Σ_s weights[s][r] · planes[offsets[s] + p]` for all `p` below `length`, which is
/// rounded up to whole vectors. Rows of `out` are `out.len() / R` apart.
#[inline(always)]
pub(super) fn products<S: Simd, const R: usize>(
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
        let values: [S::f32s; V] = std::array::from_fn(|v| values[v]);
        for r in 0..R {
            let weight = simd.splat_f32s(weights[r]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_f32s(weight, values[v], sums[r][v]);
            }
        }
    }
    let stride = out.len() / R;
    for (r, sums) in sums.iter().enumerate() {
        let row = &mut out[r * stride + place..][..V * S::F32_LANES];
        S::as_mut_simd_f32s(row).0.copy_from_slice(sums);
    }
}

/// `out[r][c] += Σ_p left[r][p] · right[c][p]` over whole vectors of `p`.
#[inline(always)]
pub(super) fn inner_products<S: Simd, const R: usize, const C: usize>(
    simd: S,
    left: [&[f32]; R],
    right: [&[f32]; C],
    mut add: impl FnMut(usize, usize, f32),
) {
    let vectors = left[0].len() / S::F32_LANES;
    let left: [&[S::f32s]; R] = left.map(|row| &S::as_simd_f32s(row).0[..vectors]);
    let right: [&[S::f32s]; C] = right.map(|row| &S::as_simd_f32s(row).0[..vectors]);
    let mut sums = [[simd.splat_f32s(0.0); C]; R];
    for p in 0..vectors {
        let values: [S::f32s; C] = std::array::from_fn(|c| right[c][p]);
        for r in 0..R {
            let factor = left[r][p];
            for c in 0..C {
                sums[r][c] = simd.mul_add_f32s(factor, values[c], sums[r][c]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (c, sum) in sums.iter().enumerate() {
            add(r, c, simd.reduce_sum_f32s(*sum));
        }
    }
}
