//! Where the elements of maps lie in memory, and how blocks of threads share them.

use burn_cubecl::cubecl::prelude::CubeCount;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::kernel::{MapsLaunch, PlaceLaunch, THREADS};

/// Channels side by side that one block of threads serves.
const TILE: usize = 32;

/// Elements that a thread sums up, at least, and blocks of a launch, at most.
const ELEMENTS: usize = 4;
const BLOCKS: usize = 512;

/// Strides of maps `[batch, channels, ...]`, all positions of a map taken as one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub sample: usize,
    pub channel: usize,
    pub position: usize,
}

impl Place {
    /// Of this tensor; `None` if its positions are not evenly spaced.
    fn of(tensor: &CubeTensor) -> Option<Self> {
        let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
        let spatial = (2..shape.len()).rev().filter(|axis| shape[*axis] > 1);
        let mut position = 0;
        let mut next = None;
        for axis in spatial {
            match next {
                None => position = strides[axis],
                Some(next) if next != strides[axis] => return None,
                Some(_) => {}
            }
            next = Some(strides[axis] * shape[axis]);
        }
        Some(Self {
            sample: strides[0],
            channel: strides[1],
            position,
        })
    }

    pub fn launch(self) -> PlaceLaunch {
        PlaceLaunch::new(self.sample, self.channel, self.position)
    }
}

/// A tensor whose positions are evenly spaced, and its place.
pub(super) fn placed(tensor: CubeTensor) -> (CubeTensor, Place) {
    if let Some(place) = Place::of(&tensor) {
        return (tensor, place);
    }
    let tensor = into_contiguous(tensor);
    let [shape, strides] = [tensor.meta.shape().to_vec(), tensor.meta.strides().to_vec()];
    let place = Place {
        sample: strides[0],
        channel: strides[1],
        position: usize::from(shape[2..].iter().any(|size| *size > 1)),
    };
    (tensor, place)
}

/// Sizes of a batch of maps, and the blocks that share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub channels: usize,
    positions: usize,
    total: usize,
    share: usize,
    /// Parts that the elements of a channel are summed up in.
    pub chunks: usize,
    /// Channels of a block.
    pub tile: usize,
}

impl Plan {
    pub fn new(x: &CubeTensor, place: Place) -> Self {
        let shape = x.meta.shape();
        let (batch, channels) = (shape[0], shape[1]);
        let positions = shape.iter().skip(2).product::<usize>();
        let total = batch * positions;
        let tile = match place.channel == 1 {
            true => channels.next_power_of_two().min(TILE),
            false => 1,
        };
        let tiles = channels.div_ceil(tile);
        let lanes = THREADS / tile;
        let chunks = (total / (lanes * ELEMENTS)).clamp(1, (BLOCKS / tiles).max(1));
        let share = total.div_ceil(chunks);
        Self {
            channels,
            positions,
            total,
            share,
            chunks: total.div_ceil(share),
            tile,
        }
    }

    pub fn launch(self) -> MapsLaunch {
        MapsLaunch::new(self.channels, self.positions, self.total, self.share)
    }

    pub fn grid(self) -> CubeCount {
        let tiles = self.channels.div_ceil(self.tile);
        CubeCount::Static(self.chunks as u32, tiles as u32, 1)
    }

    /// Whether the elements of a channel are evenly spaced over all samples.
    pub fn is_even(self, place: Place) -> bool {
        place.sample == self.positions * place.position
    }
}
