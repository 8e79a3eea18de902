//! How a convolution is laid out in scratch memory.

use super::axis::{Axis, Part};
use super::shape::ConvShape;
use super::tile::OVERRUN;

/// Elements that a chunk of images should have in each plane, so that a pass over one is long.
const CHUNK: usize = 768;

/// Elements that the planes of a chunk should have at most, so that they stay in the cache.
const SCRATCH: usize = 512 * 1024;

/// Elements of the longest vector.
const VECTOR: usize = 64;

/// Layout of planes: `[plane][channel][image][row][column]`, with some zeros after each channel.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) shape: ConvShape,
    pub(super) axes: [Axis; 2],
    /// Whether planes would be copies: images can be read where they are, one at a time.
    pub(super) in_place: bool,
    /// Images in a chunk.
    pub(super) images: usize,
    /// Elements of an image in a plane.
    pub(super) image: usize,
    /// Elements of a channel of a chunk in a plane of inputs.
    pub(super) input_channel: usize,
    /// Elements of a channel of a chunk in a plane of output gradients.
    pub(super) gradient_channel: usize,
}

impl Plan {
    /// Layout of chunks of images, for a batch that is cut into so many parts.
    pub(super) fn new(shape: ConvShape, parts: usize) -> Self {
        Self::with_images(shape, |image, channels| {
            let images = (CHUNK / image).min(SCRATCH / (image * channels)).max(1);
            // The same number of chunks for every part.
            let rounds = shape.batch.div_ceil(images).div_ceil(parts);
            shape.batch.div_ceil(rounds.max(1) * parts).max(1)
        })
    }

    /// The same, but without planes for a pointwise convolution of maps of at least so many whole
    /// vectors.
    pub(super) fn in_place_from(vectors: usize, shape: ConvShape, parts: usize) -> Self {
        let pixels = shape.pixels();
        if shape.is_pointwise() && pixels >= vectors * VECTOR && pixels.is_multiple_of(VECTOR) {
            Self::of_maps(shape)
        } else {
            Self::new(shape, parts)
        }
    }

    /// Layout of single maps.
    pub(super) fn of_maps(shape: ConvShape) -> Self {
        Self::with_images(shape, |_, _| 1)
    }

    /// Layout of as many images as are said for the elements of an image in a plane, and channels.
    fn with_images(shape: ConvShape, images: impl FnOnce(usize, usize) -> usize) -> Self {
        let axes = [Axis::new(&shape, 0), Axis::new(&shape, 1)];
        let [rows, columns] = &axes;
        let image = rows.pitch * columns.pitch;
        let planes = rows.planes() * columns.planes();
        let channels = (planes * shape.group_inputs()).max(shape.group_outputs());
        let images = images(image, channels);
        let in_place = shape.is_pointwise() && images == 1 && shape.pixels().is_multiple_of(VECTOR);
        let flat = |row: usize, column: usize| row * columns.pitch + column;
        let shift = |axis: &Axis| axis.taps.iter().map(|tap| tap.shift).max().unwrap_or(0);
        let reach = |axis: &Axis| {
            let taps = axis.parts.iter().flat_map(|part| &part.taps);
            taps.map(|(_, shift)| *shift).max().unwrap_or(0)
        };
        Self {
            images,
            image,
            input_channel: images * image + flat(shift(rows), shift(columns)),
            // Sums over outputs go on to the end of a vector.
            gradient_channel: match in_place {
                true => shape.pixels(),
                false => (images * image + flat(reach(rows), reach(columns)) + VECTOR)
                    .next_multiple_of(VECTOR),
            },
            in_place,
            axes,
            shape,
        }
    }

    /// Elements of a plane of outputs up to the last one, for so many images.
    pub(super) fn outputs_of(&self, images: usize) -> usize {
        let [rows, columns] = &self.axes;
        self.extent(images, rows.output, columns.output)
    }

    /// Elements of a plane of a part of the input gradients up to the last one.
    pub(super) fn inputs_of(&self, images: usize, parts: [&Part; 2]) -> usize {
        self.extent(images, parts[0].count, parts[1].count)
    }

    fn extent(&self, images: usize, rows: usize, columns: usize) -> usize {
        (images - 1) * self.image + (rows - 1) * self.pitch() + columns
    }

    /// Elements of a row in every plane.
    pub(super) fn pitch(&self) -> usize {
        self.axes[1].pitch
    }

    /// Elements of all planes of a group's inputs.
    pub(super) fn input_scratch(&self) -> usize {
        if self.in_place {
            return 0;
        }
        let planes = self.axes[0].planes() * self.axes[1].planes();
        planes * self.shape.group_inputs() * self.input_channel + OVERRUN
    }

    /// Elements of the plane of a group's output gradients.
    pub(super) fn gradient_scratch(&self) -> usize {
        if self.in_place {
            return 0;
        }
        self.gradient_lead() + self.shape.group_outputs() * self.gradient_channel + OVERRUN
    }

    /// Where each element of a filter, `[input, row, column]`, reads the planes for output 0.
    pub(super) fn input_offsets(&self) -> Vec<usize> {
        let [rows, columns] = &self.axes;
        let inputs = self.shape.group_inputs();
        let mut offsets = Vec::with_capacity(inputs * rows.taps.len() * columns.taps.len());
        for input in 0..inputs {
            for row in &rows.taps {
                for column in &columns.taps {
                    let plane = row.plane * columns.planes() + column.plane;
                    let channel = plane * inputs + input;
                    offsets.push(
                        channel * self.input_channel + row.shift * columns.pitch + column.shift,
                    );
                }
            }
        }
        offsets
    }

    /// The parts of the input gradients.
    pub(super) fn parts(&self) -> impl Iterator<Item = [&Part; 2]> {
        let [rows, columns] = &self.axes;
        let pairs = |row| columns.parts.iter().map(move |column| [row, column]);
        rows.parts.iter().flat_map(pairs)
    }

    /// Place in the filter and in the plane of each tap that reaches a part of the inputs.
    pub(super) fn taps_of(&self, [rows, columns]: [&Part; 2]) -> Vec<(usize, usize)> {
        let width = self.shape.kernel[1];
        let mut taps = Vec::new();
        for (row, down) in &rows.taps {
            for (column, right) in &columns.taps {
                taps.push((row * width + column, down * self.pitch() + right));
            }
        }
        taps
    }

    /// Elements to leave out before the plane of output gradients, so that output 0 of each channel
    /// is at the start of a vector: these are what sums read most.
    pub(super) fn gradient_lead(&self) -> usize {
        self.gradient_margin().next_multiple_of(VECTOR) - self.gradient_margin()
    }

    /// Place of output 0 in the plane of output gradients.
    pub(super) fn gradient_margin(&self) -> usize {
        self.axes[0].margin * self.pitch() + self.axes[1].margin
    }
}
