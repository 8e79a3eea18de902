//! Max pooling of maps.

use rayon::prelude::*;

/// Windows of a max pooling; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size.
    pub size: [usize; 2],
    /// Distance.
    pub stride: [usize; 2],
    /// Places around the map that are never the largest; at most half of the size.
    pub padding: [usize; 2],
}

impl Window {
    /// Height and width of the output.
    ///
    /// # Panics
    ///
    /// If a window does not fit.
    pub(super) fn outputs(&self, size: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = size[axis] + 2 * self.padding[axis];
            assert!(
                padded >= self.size[axis],
                "a window of {:?} does not fit a map of {size:?}",
                self.size
            );
            (padded - self.size[axis]) / self.stride[axis] + 1
        })
    }

    /// The places of the map that window `index` covers along an axis.
    fn covers(&self, axis: usize, index: usize, size: usize) -> std::ops::Range<usize> {
        let start = index * self.stride[axis];
        let end = (start + self.size[axis]).saturating_sub(self.padding[axis]);
        start.saturating_sub(self.padding[axis])..end.min(size)
    }
}

/// Maps that are worth a task of their own.
const SHARE: usize = 16;

/// The largest number of each window, for maps of this size.
pub(super) fn forward(x: &[f32], size: [usize; 2], window: Window) -> Vec<f32> {
    let [rows, columns] = window.outputs(size);
    let maps = x.par_chunks_exact(size[0] * size[1]).with_min_len(SHARE);
    let mut out = vec![0.0; maps.len() * rows * columns];
    out.par_chunks_exact_mut((rows * columns).max(1))
        .zip(maps)
        .for_each(|(out, map)| {
            for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                let covered = window.covers(0, row, size[0]);
                for (column, out) in out.iter_mut().enumerate() {
                    let places = window.covers(1, column, size[1]);
                    let mut largest = f32::NEG_INFINITY;
                    for y in covered.clone() {
                        for value in &map[y * size[1]..][places.clone()] {
                            // NaN is the largest.
                            if *value > largest || value.is_nan() {
                                largest = *value;
                            }
                        }
                    }
                    *out = largest;
                }
            }
        });
    out
}

/// Gradient of the maps for that of the output.
pub(super) fn backward(
    x: &[f32],
    output: &[f32],
    gradient: &[f32],
    size: [usize; 2],
    window: Window,
) -> Vec<f32> {
    let [rows, columns] = window.outputs(size);
    let outputs = (rows * columns).max(1);
    let mut dx = vec![0.0; x.len()];
    dx.par_chunks_exact_mut((size[0] * size[1]).max(1))
        .with_min_len(SHARE)
        .zip(x.par_chunks_exact((size[0] * size[1]).max(1)))
        .zip(output.par_chunks_exact(outputs))
        .zip(gradient.par_chunks_exact(outputs))
        .for_each(|(((dx, map), output), gradient)| {
            for row in 0..rows {
                let covered = window.covers(0, row, size[0]);
                for column in 0..columns {
                    let places = window.covers(1, column, size[1]);
                    let largest = output[row * columns + column];
                    let mut all = covered
                        .clone()
                        .flat_map(|y| places.clone().map(move |x| y * size[1] + x));
                    let first = all.find(|place| map[*place] == largest || map[*place].is_nan());
                    if let Some(first) = first {
                        dx[first] += gradient[row * columns + column];
                    }
                }
            }
        });
    dx
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guard::{Edge, Guarded};

    fn pair(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
        [range.clone(), range]
    }

    prop_compose! {
        /// Windows, and the size of maps that they fit.
        fn windows()(
            size in pair(1..=4),
            stride in pair(1..=4),
            share in pair(0..=2),
            more in pair(0..=9),
        ) -> (Window, [usize; 2]) {
            let padding = [0, 1].map(|axis| share[axis].min(size[axis] / 2));
            let map = [0, 1].map(|axis| (size[axis] - padding[axis] + more[axis]).max(1));
            (Window { size, stride, padding }, map)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 128 }))]

        #[test]
        fn nothing_beyond_the_maps_is_touched((window, size) in windows(), maps in 1usize..=40) {
            let [rows, columns] = window.outputs(size);
            let numbers = |count: usize| (0..count).map(|index| (index * 7 % 19) as f32 - 9.0);
            let x: Vec<f32> = numbers(maps * size[0] * size[1]).collect();
            let dy: Vec<f32> = numbers(maps * rows * columns).collect();
            let out = forward(&x, size, window);
            prop_assert_eq!(out.len(), dy.len());
            let dx = backward(&x, &out, &dy, size, window);
            for edge in Edge::BOTH {
                let [x, y, dy] = [&x, &out, &dy].map(|input| Guarded::new(input, edge));
                prop_assert_eq!(&forward(&x, size, window), &out);
                prop_assert_eq!(&backward(&x, &y, &dy, size, window), &dx);
            }
        }
    }
}
