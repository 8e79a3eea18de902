//! Filters in the order in which tiles read them.

use pulp::Simd;
use rayon::prelude::*;

use super::tile::{self, products_of};

/// Filters of one group, in tiles.
pub(super) struct Filters {
    tiles: Vec<Tile>,
    /// Where each element reads the planes; empty for those who find the elements themselves.
    offsets: Vec<usize>,
}

/// A few filters that are applied at once.
pub(super) struct Tile {
    /// The first one.
    pub(super) first: usize,
    /// How many.
    pub(super) rows: usize,
    /// `[channel][tap][row]`.
    pub(super) values: Vec<f32>,
}

/// Filters, and channels and taps of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) filters: usize,
    pub(super) channels: usize,
    pub(super) taps: usize,
}

/// Numbers that are worth a thread of their own.
const SHARE: usize = 1 << 16;

impl Filters {
    /// Puts filters into the tiles that this machine uses; `value(filter, channel, tap)` are their
    /// elements, each of which reads the planes at one of `offsets`.
    pub(super) fn new(
        extent: Extent,
        offsets: Vec<usize>,
        value: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let Extent {
            filters,
            channels,
            taps,
        } = extent;
        let rows = tile::full_rows();
        let tile_share = (SHARE / (channels * taps * rows).max(1)).max(1);
        let tiles = tile::tiles(filters, rows)
            .into_par_iter()
            .with_min_len(tile_share)
            .map(|(first, rows)| {
                let mut values = Vec::with_capacity(channels * taps * rows);
                for channel in 0..channels {
                    for tap in 0..taps {
                        let filters = first..first + rows;
                        values.extend(filters.map(|filter| value(filter, channel, tap)));
                    }
                }
                Tile {
                    first,
                    rows,
                    values,
                }
            })
            .collect();
        Self { tiles, offsets }
    }

    pub(super) fn tiles(&self) -> &[Tile] {
        &self.tiles
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
        let offsets = &self.offsets;
        for tile in &self.tiles {
            let out = &mut out[..tile.rows * row];
            let filters = (tile.rows, tile.values.as_slice());
            products_of(simd, filters, offsets, planes, length, out);
            for (index, plane) in out.chunks_exact(row).enumerate() {
                result(tile.first + index, plane);
            }
        }
    }
}

/// Elements that results of `length` need at most.
pub(super) fn results(length: usize) -> usize {
    tile::ROWS * length.next_multiple_of(64)
}
