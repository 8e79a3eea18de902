//! Into planes and out of them.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::buffer::Unwritten;
use crate::relu::{at_least, lowest};

use super::axis::Part;
use super::epilogue::Epilogue;
use super::plan::Plan;

/// Where a number can be written: over another one, or where none was before.
pub(super) trait Place: Sized {
    fn put(&mut self, value: f32);
}

impl Place for f32 {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        *self = value;
    }
}

impl Place for MaybeUninit<f32> {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        self.write(value);
    }
}

/// Copies rows of `width`, which are `steps[0]` apart in the target and `steps[1]` in the source.
#[inline(always)]
fn copy_rows<P: Place>(
    target: &mut [P],
    source: &[f32],
    [target_step, source_step]: [usize; 2],
    rows: usize,
    width: usize,
) {
    if width == target_step && width == source_step {
        return copy(&mut target[..rows * width], &source[..rows * width]);
    }
    // Rows of these lengths are a few vectors each, and not worth a call of `memcpy`.
    match width {
        4 => copy_rows_of::<P, 4>(target, source, [target_step, source_step], rows),
        8 => copy_rows_of::<P, 8>(target, source, [target_step, source_step], rows),
        16 => copy_rows_of::<P, 16>(target, source, [target_step, source_step], rows),
        32 => copy_rows_of::<P, 32>(target, source, [target_step, source_step], rows),
        64 => copy_rows_of::<P, 64>(target, source, [target_step, source_step], rows),
        _ => {
            for row in 0..rows {
                let source = &source[row * source_step..][..width];
                copy(&mut target[row * target_step..][..width], source);
            }
        }
    }
}

#[inline(always)]
fn copy<P: Place>(target: &mut [P], source: &[f32]) {
    assert_eq!(target.len(), source.len());
    for (target, value) in target.iter_mut().zip(source) {
        target.put(*value);
    }
}

#[inline(always)]
fn copy_rows_of<P: Place, const W: usize>(
    target: &mut [P],
    source: &[f32],
    [target_step, source_step]: [usize; 2],
    rows: usize,
) {
    for row in 0..rows {
        let source = &source[row * source_step..][..W];
        let target = &mut target[row * target_step..][..W];
        for (target, value) in target.iter_mut().zip(source) {
            target.put(*value);
        }
    }
}

impl Plan {
    /// Writes a group's inputs of some images, `[images, inputs, height, width]`, into planes, which
    /// hold zeros or the inputs of as many images before.
    #[inline(always)]
    pub(super) fn pack_inputs(&self, x: &[f32], group: usize, planes: &mut [f32]) {
        let inputs = self.shape.group_inputs();
        let pixels = self.shape.pixels();
        for (index, image) in x.chunks_exact(self.shape.inputs * pixels).enumerate() {
            let group = &image[group * inputs * pixels..][..inputs * pixels];
            for (channel, map) in group.chunks_exact(pixels).enumerate() {
                self.pack_map(map, channel, index, planes);
            }
        }
    }

    /// Writes one map, `[height, width]`, into planes.
    #[inline(always)]
    pub(super) fn pack_map(&self, map: &[f32], channel: usize, image: usize, planes: &mut [f32]) {
        let [rows, columns] = &self.axes;
        let inputs = self.shape.group_inputs();
        let width = columns.input;
        for vertical in 0..rows.planes() {
            let (row_place, first_row, row_count) = rows.data(vertical);
            for horizontal in 0..columns.planes() {
                let (place, first, count) = columns.data(horizontal);
                let read = rows.reads(vertical) && columns.reads(horizontal);
                if !read || row_count * count == 0 {
                    continue;
                }
                let plane = vertical * columns.planes() + horizontal;
                let start = (plane * inputs + channel) * self.input_channel
                    + image * self.image
                    + row_place * columns.pitch
                    + place;
                let target = &mut planes[start..];
                let source = &map[first_row * width..];
                if columns.stride == 1 {
                    let steps = [columns.pitch, rows.stride * width];
                    copy_rows(target, source, steps, row_count, width);
                    continue;
                }
                for row in 0..row_count {
                    let target = &mut target[row * columns.pitch..][..count];
                    let source = &source[row * rows.stride * width..][..width][first..];
                    if columns.stride == 2 {
                        for (target, pair) in target.iter_mut().zip(source.chunks(2)) {
                            *target = pair[0];
                        }
                    } else {
                        let source = source.iter().step_by(columns.stride);
                        for (target, value) in target.iter_mut().zip(source) {
                            *target = *value;
                        }
                    }
                }
            }
        }
    }

    /// Writes the gradients of some outputs of some images, `[images, outputs, height, width]`, into
    /// their plane, which holds zeros or the gradients of as many images before.
    #[inline(always)]
    pub(super) fn pack_gradients(&self, dy: &[f32], outputs: Range<usize>, plane: &mut [f32]) {
        let pixels = self.shape.output_pixels();
        for (index, image) in dy.chunks_exact(self.shape.image_out()).enumerate() {
            let maps = &image[outputs.start * pixels..outputs.end * pixels];
            for (channel, map) in maps.chunks_exact(pixels).enumerate() {
                let start = channel * self.gradient_channel + index * self.image;
                self.pack_gradient_map(map, &mut plane[start..]);
            }
        }
    }

    /// Writes one map of output gradients into its plane.
    #[inline(always)]
    pub(super) fn pack_gradient_map(&self, map: &[f32], plane: &mut [f32]) {
        let [rows, columns] = &self.axes;
        let plane = &mut plane[self.gradient_margin()..];
        let steps = [columns.pitch, columns.output];
        copy_rows(plane, map, steps, rows.output, columns.output);
    }

    /// Writes one channel of outputs out of a plane into its place in all images of the chunk.
    #[inline(always)]
    pub(super) fn unpack_output(
        &self,
        plane: &[f32],
        channel: usize,
        epilogue: Epilogue<'_>,
        out: &mut Unwritten,
    ) {
        let pixels = self.shape.output_pixels();
        let image = self.shape.outputs * pixels;
        for (index, out) in out.chunks_exact_mut(image).enumerate() {
            let of_map = epilogue.of_map(channel, index * image + channel * pixels);
            let map = &mut out[channel * pixels..][..pixels];
            self.unpack_output_map(&plane[index * self.image..], of_map, map);
        }
    }

    /// Writes one map of outputs out of a plane; bias and residual start with its own.
    #[inline(always)]
    pub(super) fn unpack_output_map(
        &self,
        plane: &[f32],
        epilogue: Epilogue<'_>,
        map: &mut Unwritten,
    ) {
        let Epilogue {
            bias,
            residual,
            relu,
        } = epilogue;
        let [rows, columns] = &self.axes;
        // Without gaps between the rows, all of them are one.
        let (rows, width) = match columns.pitch == columns.output {
            true => (1, map.len()),
            false => (rows.output, columns.output),
        };
        if residual.is_none() && bias.is_none() && !relu {
            return copy_rows(map, plane, [width, columns.pitch.max(width)], rows, width);
        }
        let bias = bias.map_or(0.0, |bias| bias[0]);
        let lowest = lowest(relu);
        for row in 0..rows {
            let place = &plane[row * columns.pitch..][..width];
            let out = &mut map[row * width..][..width];
            match residual {
                None => {
                    for (out, x) in out.iter_mut().zip(place) {
                        out.put(at_least(lowest, x + bias));
                    }
                }
                Some(added) => {
                    let added = &added[row * width..][..width];
                    for ((out, x), added) in out.iter_mut().zip(place).zip(added) {
                        out.put(at_least(lowest, x + bias + added));
                    }
                }
            }
        }
    }

    /// Writes one channel of a part of the input gradients out of a plane into its places in all
    /// images of the chunk.
    #[inline(always)]
    pub(super) fn unpack_input(
        &self,
        plane: &[f32],
        channel: usize,
        parts: [&Part; 2],
        dx: &mut Unwritten,
    ) {
        let pixels = self.shape.pixels();
        for (index, image) in dx.chunks_exact_mut(self.shape.inputs * pixels).enumerate() {
            let map = &mut image[channel * pixels..][..pixels];
            self.unpack_map(&plane[index * self.image..], parts, map);
        }
    }

    /// Writes a part of one map of input gradients to its places.
    #[inline(always)]
    pub(super) fn unpack_map(&self, plane: &[f32], parts: [&Part; 2], map: &mut Unwritten) {
        let [rows, columns] = &self.axes;
        let [part_rows, part_columns] = parts;
        let width = part_columns.count;
        let target = &mut map[part_rows.start * columns.input + part_columns.start..];
        if columns.stride == 1 {
            let steps = [rows.stride * columns.input, columns.pitch];
            return copy_rows(target, plane, steps, part_rows.count, width);
        }
        for row in 0..part_rows.count {
            let source = &plane[row * columns.pitch..][..width];
            let target = target[row * rows.stride * columns.input..].iter_mut();
            for (target, value) in target.step_by(columns.stride).zip(source) {
                target.put(*value);
            }
        }
    }
}
