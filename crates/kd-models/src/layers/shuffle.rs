//! The channel shuffle of ShuffleNet.

use burn::tensor::Tensor;

/// Deals the channels of `groups` equal groups out in turn: channel `g · n + i` of `n` a group
/// goes to place `i · groups + g` (Zhang et al. 2017, <https://arxiv.org/abs/1707.01083>).
pub(crate) fn channel_shuffle(map: Tensor<4>, groups: usize) -> Tensor<4> {
    if groups == 1 {
        return map;
    }
    let [batch, channels, height, width] = map.dims();
    map.reshape([batch, groups, channels / groups, height * width])
        .swap_dims(1, 2)
        .reshape([batch, channels, height, width])
}

/// The channel shuffle of two maps, concatenated, in one copy: channels of the first and of the
/// second in turn.
pub(crate) fn interleave_channels(first: Tensor<4>, second: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = first.dims();
    let maps = [first, second].map(|map| map.reshape([batch, channels, 1, height * width]));
    Tensor::cat(maps.into(), 2).reshape([batch, 2 * channels, height, width])
}
