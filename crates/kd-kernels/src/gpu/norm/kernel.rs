//! The kernels.
//!
//! A block of threads serves a tile of channels that lie side by side, and a chunk of the elements of
//! each: thread `t` that of channel `t % tile`. All kernels of a batch have the same blocks.

use burn_cubecl::cubecl::{self, prelude::*};

/// Threads of a block.
pub(super) const THREADS: usize = 256;

/// Sizes.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Maps {
    pub channels: usize,
    /// Elements of a map.
    pub positions: usize,
    /// Elements of a channel in all samples.
    pub total: usize,
    /// Those of a block.
    pub share: usize,
}

/// Strides.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Place {
    pub sample: usize,
    pub channel: usize,
    pub position: usize,
}

/// Where an element of a channel lies.
#[cube]
fn at(place: &Place, maps: &Maps, element: usize, #[comptime] even: bool) -> usize {
    if comptime!(even) {
        element * place.position
    } else {
        (element / maps.positions) * place.sample + (element % maps.positions) * place.position
    }
}

/// The sum over the threads of a channel, for each of them.
#[cube]
fn total(value: f32, #[comptime] tile: usize) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(THREADS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let steps = comptime!((THREADS / tile).ilog2());
    #[unroll]
    for step in 0..steps {
        let half = comptime!((THREADS / 2) >> step);
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
    }
    shared[unit % tile]
}

/// Adds up the parts that blocks left in a row.
#[cube]
fn of_parts(
    parts: &Tensor<f32>,
    row: usize,
    channel: usize,
    maps: &Maps,
    #[comptime] tile: usize,
) -> f32 {
    let chunks = CUBE_COUNT_X as usize;
    let mut sum = 0.0f32;
    if channel < maps.channels {
        let mut chunk = UNIT_POS as usize / tile;
        while chunk < chunks {
            sum += parts[(row * chunks + chunk) * maps.channels + channel];
            chunk += comptime!(THREADS / tile);
        }
    }
    total(sum, tile)
}

/// Leaves the sum over a block in a row.
#[cube]
fn leave(
    parts: &mut Tensor<f32>,
    row: usize,
    channel: usize,
    value: f32,
    maps: &Maps,
    #[comptime] tile: usize,
) {
    let sum = total(value, tile);
    if (UNIT_POS as usize) < tile && channel < maps.channels {
        let chunk = CUBE_POS_X as usize;
        parts[(row * CUBE_COUNT_X as usize + chunk) * maps.channels + channel] = sum;
    }
}

/// Rows: the sums of each channel about its first element, of the squares, and, if some samples are
/// chosen, of the choices.
#[cube(launch)]
pub(super) fn statistics(
    x: &Tensor<f32>,
    chosen: ComptimeOption<&Tensor<f32>>,
    parts: &mut Tensor<f32>,
    maps: &Maps,
    place: &Place,
    #[comptime] tile: usize,
    #[comptime] even: bool,
) {
    let unit = UNIT_POS as usize;
    let channel = CUBE_POS_Y as usize * tile + unit % tile;
    let mut sum = 0.0f32;
    let mut squares = 0.0f32;
    let mut count = 0.0f32;
    if channel < maps.channels {
        let base = channel * place.channel;
        let shift = x[base];
        let start = CUBE_POS_X as usize * maps.share;
        let end = min(start + maps.share, maps.total);
        let mut element = start + unit / tile;
        while element < end {
            let value = x[base + at(place, maps, element, even)] - shift;
            #[comptime]
            match &chosen {
                ComptimeOption::Some(chosen) => {
                    let choice = chosen[element / maps.positions];
                    sum += choice * value;
                    squares += choice * value * value;
                    count += choice;
                }
                ComptimeOption::None => {
                    sum += value;
                    squares += value * value;
                }
            }
            element += comptime!(THREADS / tile);
        }
    }
    leave(parts, 0, channel, sum, maps, tile);
    leave(parts, 1, channel, squares, maps, tile);
    if chosen.is_some() {
        leave(parts, 2, channel, count, maps, tile);
    }
}

/// Numbers of a launch.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Numbers {
    pub epsilon: f32,
    pub momentum: f32,
}

/// What the parts of `statistics` add up to, and every element of the output.
#[cube(launch)]
pub(super) fn normalize(
    x: &Tensor<f32>,
    weight: &Tensor<f32>,
    bias: &Tensor<f32>,
    added: ComptimeOption<&Tensor<f32>>,
    parts: &Tensor<f32>,
    running_mean: &Tensor<f32>,
    running_variance: &Tensor<f32>,
    output: &mut Tensor<f32>,
    mean_out: &mut Tensor<f32>,
    variance_out: &mut Tensor<f32>,
    running_mean_out: &mut Tensor<f32>,
    running_variance_out: &mut Tensor<f32>,
    maps: &Maps,
    place: &Place,
    place_added: &Place,
    place_output: &Place,
    numbers: &Numbers,
    #[comptime] gated: bool,
    #[comptime] relu: bool,
    #[comptime] tile: usize,
    #[comptime] even: bool,
) {
    let unit = UNIT_POS as usize;
    let channel = CUBE_POS_Y as usize * tile + unit % tile;
    let sum = of_parts(parts, 0, channel, maps, tile);
    let squares = of_parts(parts, 1, channel, maps, tile);
    let mut count = f32::cast_from(maps.total);
    if comptime!(gated) {
        count = of_parts(parts, 2, channel, maps, tile);
    }
    if channel < maps.channels {
        let base = channel * place.channel;
        // Without a sample both are 0, as of sums that are divided by 1.
        let some = max(count, 1.0f32);
        let any = min(count, 1.0f32);
        let shifted = sum / some;
        let mean = (x[base] + shifted) * any;
        let variance = max(squares / some - shifted * shifted, 0.0f32);
        if CUBE_POS_X == 0 && unit < tile {
            let unbiased = variance * count / max(count - 1.0f32, 1.0f32);
            let share = numbers.momentum * any;
            let old_mean = running_mean[channel];
            let old_variance = running_variance[channel];
            mean_out[channel] = mean;
            variance_out[channel] = variance;
            running_mean_out[channel] = old_mean + (mean - old_mean) * share;
            running_variance_out[channel] = old_variance + (unbiased - old_variance) * share;
        }
        let scale = weight[channel] / (variance + numbers.epsilon).sqrt();
        let offset = bias[channel];
        let start = CUBE_POS_X as usize * maps.share;
        let end = min(start + maps.share, maps.total);
        let mut element = start + unit / tile;
        while element < end {
            let mut value = (x[base + at(place, maps, element, even)] - mean) * scale + offset;
            #[comptime]
            if let ComptimeOption::Some(added) = &added {
                value +=
                    added[channel * place_added.channel + at(place_added, maps, element, even)];
            }
            if comptime!(relu) {
                // NaN stays.
                if value < 0.0f32 {
                    value = 0.0f32;
                }
            }
            output[channel * place_output.channel + at(place_output, maps, element, even)] = value;
            element += comptime!(THREADS / tile);
        }
    }
}

/// Rows: the sums of each channel's gradients, and of their products with the centered input.
#[cube(launch)]
pub(super) fn gradient_sums(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    activated: ComptimeOption<&Tensor<f32>>,
    chosen: ComptimeOption<&Tensor<f32>>,
    mean: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    maps: &Maps,
    place: &Place,
    place_gradient: &Place,
    place_activated: &Place,
    #[comptime] tile: usize,
    #[comptime] even: bool,
) {
    let unit = UNIT_POS as usize;
    let channel = CUBE_POS_Y as usize * tile + unit % tile;
    let mut sum = 0.0f32;
    let mut products = 0.0f32;
    let mut count = 0.0f32;
    if channel < maps.channels {
        let base = channel * place.channel;
        let center = mean[channel];
        let start = CUBE_POS_X as usize * maps.share;
        let end = min(start + maps.share, maps.total);
        let mut element = start + unit / tile;
        while element < end {
            let mut slope = gradient
                [channel * place_gradient.channel + at(place_gradient, maps, element, even)];
            #[comptime]
            if let ComptimeOption::Some(activated) = &activated {
                let of_output =
                    channel * place_activated.channel + at(place_activated, maps, element, even);
                if activated[of_output] <= 0.0f32 {
                    slope = 0.0f32;
                }
            }
            sum += slope;
            products += slope * (x[base + at(place, maps, element, even)] - center);
            #[comptime]
            if let ComptimeOption::Some(chosen) = &chosen {
                count += chosen[element / maps.positions];
            }
            element += comptime!(THREADS / tile);
        }
    }
    leave(parts, 0, channel, sum, maps, tile);
    leave(parts, 1, channel, products, maps, tile);
    if chosen.is_some() {
        leave(parts, 2, channel, count, maps, tile);
    }
}

/// What the parts of `gradient_sums` add up to, and every element's gradient.
#[cube(launch)]
pub(super) fn gradients(
    x: &Tensor<f32>,
    gradient: &Tensor<f32>,
    activated: ComptimeOption<&Tensor<f32>>,
    chosen: ComptimeOption<&Tensor<f32>>,
    weight: &Tensor<f32>,
    mean: &Tensor<f32>,
    variance: &Tensor<f32>,
    parts: &Tensor<f32>,
    of_x: &mut Tensor<f32>,
    of_weight: &mut Tensor<f32>,
    of_bias: &mut Tensor<f32>,
    mut of_added: ComptimeOption<&mut Tensor<f32>>,
    maps: &Maps,
    place: &Place,
    place_gradient: &Place,
    place_activated: &Place,
    place_output: &Place,
    epsilon: f32,
    #[comptime] tile: usize,
    #[comptime] even: bool,
) {
    let unit = UNIT_POS as usize;
    let channel = CUBE_POS_Y as usize * tile + unit % tile;
    let sum = of_parts(parts, 0, channel, maps, tile);
    let products = of_parts(parts, 1, channel, maps, tile);
    let mut count = f32::cast_from(maps.total);
    if chosen.is_some() {
        count = of_parts(parts, 2, channel, maps, tile);
    }
    if channel < maps.channels {
        let base = channel * place.channel;
        let deviation = 1.0f32 / (variance[channel] + epsilon).sqrt();
        let center = mean[channel];
        if CUBE_POS_X == 0 && unit < tile {
            of_bias[channel] = sum;
            of_weight[channel] = products * deviation;
        }
        let scale = weight[channel] * deviation;
        let some = max(count, 1.0f32);
        let level = sum / some;
        let tilt = products * deviation * deviation / some;
        let start = CUBE_POS_X as usize * maps.share;
        let end = min(start + maps.share, maps.total);
        let mut element = start + unit / tile;
        while element < end {
            let mut slope = gradient
                [channel * place_gradient.channel + at(place_gradient, maps, element, even)];
            #[comptime]
            if let ComptimeOption::Some(activated) = &activated {
                let of_output =
                    channel * place_activated.channel + at(place_activated, maps, element, even);
                if activated[of_output] <= 0.0f32 {
                    slope = 0.0f32;
                }
            }
            let place_of_output =
                channel * place_output.channel + at(place_output, maps, element, even);
            #[comptime]
            if let ComptimeOption::Some(of_added) = &mut of_added {
                of_added[place_of_output] = slope;
            }
            // Only what the statistics were taken of moves them.
            let mut line = level + (x[base + at(place, maps, element, even)] - center) * tilt;
            #[comptime]
            if let ComptimeOption::Some(chosen) = &chosen {
                line *= chosen[element / maps.positions];
            }
            of_x[place_of_output] = scale * (slope - line);
            element += comptime!(THREADS / tile);
        }
    }
}
