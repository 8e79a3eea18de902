//! Filters in the order in which tiles read them.

use super::tile::{products, tiles};
use pulp::Simd;

/// Filters of one group, in tiles: each `[element][row]`.
pub(super) struct Filters {
    /// First filter, number of rows and place in `values` of each tile.
    tiles: Vec<(usize, usize, usize)>,
    values: Vec<f32>,
    /// Where each element reads the planes.
    offsets: Vec<usize>,
}

impl Filters {
    /// Puts `count` filters into tiles of at most `rows`; `value(filter, element)` are their
    /// elements, each of which reads the planes at one of `offsets`.
    pub(super) fn new(
        count: usize,
        offsets: Vec<usize>,
        rows: usize,
        value: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let mut values = Vec::with_capacity(count * offsets.len());
        let tiles = tiles(count, rows)
            .into_iter()
            .map(|(first, rows)| {
                let place = values.len();
                for element in 0..offsets.len() {
                    values.extend((first..first + rows).map(|filter| value(filter, element)));
                }
                (first, rows, place)
            })
            .collect();
        Self {
            tiles,
            values,
            offsets,
        }
    }

    /// Applies all filters to the planes, for outputs `0..length`, and hands out each result.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(
        &self,
        simd: S,
        planes: &[f32],
        length: usize,
        out: &mut [f32],
        mut result: impl FnMut(usize, &[f32]),
    ) {
        let row = length.next_multiple_of(S::F32_LANES);
        for &(first, rows, place) in &self.tiles {
            let weights = &self.values[place..][..rows * self.offsets.len()];
            let out = &mut out[..rows * row];
            match rows {
                8 => products::<S, 8>(simd, weights, &self.offsets, planes, length, out),
                4 => products::<S, 4>(simd, weights, &self.offsets, planes, length, out),
                2 => products::<S, 2>(simd, weights, &self.offsets, planes, length, out),
                _ => products::<S, 1>(simd, weights, &self.offsets, planes, length, out),
            }
            for (index, plane) in out.chunks_exact(row).enumerate() {
                result(first + index, plane);
            }
        }
    }
}

/// Elements that results of `length` need at most.
pub(super) fn results(length: usize) -> usize {
    super::tile::ROWS * length.next_multiple_of(64)
}
