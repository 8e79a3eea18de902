//! Filters on images side by side.

use pulp::Simd;

use crate::conv::filters::Tile;
use crate::conv::tile::gathered;

/// Applies a tile of filters to all places: `results[row][place][lane]`.
#[inline(always)]
pub(super) fn apply<S: Simd>(
    simd: S,
    tile: &Tile,
    sources: (&[f32], usize, usize),
    pairs: &[Vec<(usize, usize)>],
    results: &mut [f32],
) {
    let weights = &tile.values;
    match tile.rows {
        8 => apply_rows::<S, 8>(simd, weights, sources, pairs, results),
        4 => apply_rows::<S, 4>(simd, weights, sources, pairs, results),
        2 => apply_rows::<S, 2>(simd, weights, sources, pairs, results),
        _ => apply_rows::<S, 1>(simd, weights, sources, pairs, results),
    }
}

#[inline(always)]
fn apply_rows<S: Simd, const R: usize>(
    simd: S,
    weights: &[f32],
    (sources, places, lanes): (&[f32], usize, usize),
    pairs: &[Vec<(usize, usize)>],
    results: &mut [f32],
) {
    let channel = places * lanes;
    let weights = weights.as_chunks::<R>().0;
    let channels = sources.len() / channel;
    let area = weights.len() / channels;
    for (place, pairs) in pairs.iter().enumerate() {
        let mut lane = 0;
        while lane < lanes {
            let vectors = (lanes - lane) / S::F32_LANES;
            let target = place * lanes + lane;
            let source = (&sources[lane..], channel, lanes);
            let filters = (weights, area);
            let count = vectors.clamp(1, 3);
            match count {
                1 => gathered::<S, R, 1>(simd, filters, source, pairs, target, results),
                2 => gathered::<S, R, 2>(simd, filters, source, pairs, target, results),
                _ => gathered::<S, R, 3>(simd, filters, source, pairs, target, results),
            }
            lane += count * S::F32_LANES;
        }
    }
}
