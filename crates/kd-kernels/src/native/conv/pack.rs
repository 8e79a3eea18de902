//! Into planes and out of them.

use super::axis::Part;
use super::forward::After;
use super::plan::Plan;

/// Copies a row whose elements are `step` apart in the source.
#[inline(always)]
fn spread(target: &mut [f32], source: &[f32], step: usize) {
    match step {
        1 => copy(target, source),
        2 => {
            for (target, pair) in target.iter_mut().zip(source.chunks(2)) {
                *target = pair[0];
            }
        }
        _ => {
            for (target, source) in target.iter_mut().zip(source.iter().step_by(step)) {
                *target = *source;
            }
        }
    }
}

/// Copies a row; short ones are not worth a call of `memcpy`.
#[inline(always)]
fn copy(target: &mut [f32], source: &[f32]) {
    let (target_chunks, target_rest) = target.as_chunks_mut::<8>();
    let (source_chunks, source_rest) =
        source[..target_chunks.len() * 8 + target_rest.len()].as_chunks::<8>();
    for (target, source) in target_chunks.iter_mut().zip(source_chunks) {
        *target = *source;
    }
    for (target, source) in target_rest.iter_mut().zip(source_rest) {
        *target = *source;
    }
}

impl Plan {
    /// Writes a group's inputs of some images, `[images, inputs, height, width]`, into planes.
    #[inline(always)]
    pub(super) fn pack_inputs(&self, x: &[f32], group: usize, planes: &mut [f32]) {
        let [rows, columns] = &self.axes;
        let inputs = self.shape.group_inputs();
        let pixels = self.shape.pixels();
        let width = columns.input;
        planes.fill(0.0);
        for (index, image) in x.chunks_exact(self.shape.inputs * pixels).enumerate() {
            let group = &image[group * inputs * pixels..][..inputs * pixels];
            for (channel, map) in group.chunks_exact(pixels).enumerate() {
                for vertical in 0..rows.planes() {
                    let (row_place, first_row, row_count) = rows.data(vertical);
                    for horizontal in 0..columns.planes() {
                        let (place, first, count) = columns.data(horizontal);
                        let plane = vertical * columns.planes() + horizontal;
                        let start = (plane * inputs + channel) * self.input_channel
                            + index * self.image
                            + row_place * columns.pitch
                            + place;
                        for row in 0..row_count {
                            let target = &mut planes[start + row * columns.pitch..][..count];
                            let source = &map[(first_row + row * rows.stride) * width..][..width];
                            spread(target, &source[first.min(width)..], columns.stride);
                        }
                    }
                }
            }
        }
    }

    /// Writes a group's output gradients of some images, `[images, outputs, height, width]`, into
    /// their plane.
    #[inline(always)]
    pub(super) fn pack_gradients(&self, dy: &[f32], group: usize, plane: &mut [f32]) {
        let [rows, columns] = &self.axes;
        let outputs = self.shape.group_outputs();
        let pixels = rows.output * columns.output;
        plane.fill(0.0);
        for (index, image) in dy.chunks_exact(self.shape.outputs * pixels).enumerate() {
            let group = &image[group * outputs * pixels..][..outputs * pixels];
            for (channel, map) in group.chunks_exact(pixels).enumerate() {
                let start =
                    channel * self.gradient_channel + index * self.image + self.gradient_margin();
                for (row, source) in map.chunks_exact(columns.output).enumerate() {
                    copy(
                        &mut plane[start + row * columns.pitch..][..columns.output],
                        source,
                    );
                }
            }
        }
    }

    /// Writes one channel of outputs out of a plane into its place in all images of the chunk.
    #[inline(always)]
    pub(super) fn unpack_output(
        &self,
        plane: &[f32],
        channel: usize,
        after: After<'_>,
        out: &mut [f32],
    ) {
        let [rows, columns] = &self.axes;
        let pixels = rows.output * columns.output;
        let image = self.shape.outputs * pixels;
        let bias = after.bias.map_or(0.0, |bias| bias[channel]);
        let lowest = if after.relu { 0.0 } else { f32::NEG_INFINITY };
        // NaN stays NaN.
        let activate = |x: f32| if x < lowest { lowest } else { x };
        for (index, out) in out.chunks_exact_mut(image).enumerate() {
            let map = channel * pixels..(channel + 1) * pixels;
            let plane = &plane[index * self.image..];
            let place = |row: usize| &plane[row * columns.pitch..][..columns.output];
            let out = out[map.clone()].chunks_exact_mut(columns.output);
            match after.residual {
                None => {
                    for (row, out) in out.enumerate() {
                        for (out, x) in out.iter_mut().zip(place(row)) {
                            *out = activate(x + bias);
                        }
                    }
                }
                Some(residual) => {
                    let residual = &residual[index * image..][..image][map];
                    let added = residual.chunks_exact(columns.output);
                    for (row, (out, added)) in out.zip(added).enumerate() {
                        for ((out, x), added) in out.iter_mut().zip(place(row)).zip(added) {
                            *out = activate(x + bias + added);
                        }
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
        dx: &mut [f32],
    ) {
        let [rows, columns] = &self.axes;
        let pixels = self.shape.pixels();
        let [part_rows, part_columns] = parts;
        for (index, image) in dx.chunks_exact_mut(self.shape.inputs * pixels).enumerate() {
            let map = &mut image[channel * pixels..][..pixels];
            for row in 0..part_rows.count {
                let target = (part_rows.start + row * rows.stride) * columns.input;
                let target = &mut map[target..][..columns.input][part_columns.start..];
                let source =
                    &plane[index * self.image + row * columns.pitch..][..part_columns.count];
                if columns.stride == 1 {
                    copy(&mut target[..source.len()], source);
                } else {
                    let target = target.iter_mut().step_by(columns.stride);
                    for (target, source) in target.zip(source) {
                        *target = *source;
                    }
                }
            }
        }
    }
}
