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
