//! The colors of shares.

/// Anchors of the color map: hue from violet over teal to yellow, lightness (CIE L*) from 16 to
/// 91 in equal steps, so that equal differences of values look equal, also in gray.
const MAP: [[u8; 3]; 9] = [
    [56, 18, 94],
    [48, 51, 127],
    [2, 83, 149],
    [0, 113, 145],
    [3, 142, 149],
    [14, 172, 144],
    [87, 199, 119],
    [175, 217, 88],
    [255, 230, 77],
];

/// What has no value: no color of the map is gray, so it cannot be taken for one.
const NO_DATA: [u8; 3] = [222, 222, 222];

/// Red, green and blue of a share in [0, 1], as figures and TensorBoard's images show it; values outside take
/// the nearest end, NaN is "no data".
pub fn heat_color(share: f64) -> [u8; 3] {
    if share.is_nan() {
        return NO_DATA;
    }
    let last = MAP.len() - 1;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let index = (place as usize).min(last - 1);
    let part = place - index as f64;
    let (from, to) = (MAP[index], MAP[index + 1]);
    std::array::from_fn(|channel| {
        let (from, to) = (f64::from(from[channel]), f64::from(to[channel]));
        (from + part * (to - from)).round() as u8
    })
}
