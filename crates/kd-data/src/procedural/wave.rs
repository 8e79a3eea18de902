//! A sine out of exact operations.

/// Approximately `sin(2 pi t)`, within 0.0012, for any `t` from -10^6 to 10^6.
///
/// The sine of the standard library may differ in the last bit between platforms; this one only
/// multiplies, adds and truncates, which IEEE 754 defines exactly. It is also several times
/// faster.
pub(super) fn sine(turns: f32) -> f32 {
    let whole = turns as i32;
    // Truncation is towards 0, so the remainder is in (-1, 1); bring it to [-1/2, 1/2].
    let mut t = turns - whole as f32;
    if t > 0.5 {
        t -= 1.0;
    } else if t < -0.5 {
        t += 1.0;
    }
    // Two parabolas with the right zeros and extrema, then a correction of their curvature.
    let y = 8.0 * t - 16.0 * t * t.abs();
    0.775 * y + 0.225 * y * y.abs()
}

/// Approximately `cos(2 pi t)`; see [`sine`].
pub(super) fn cosine(turns: f32) -> f32 {
    sine(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_near_the_exact_ones() {
        for i in -4000..4000 {
            let t = i as f32 / 1000.0;
            let (sin, cos) = (f64::from(t) * std::f64::consts::TAU).sin_cos();
            assert!((f64::from(sine(t)) - sin).abs() < 1.2e-3, "sine at {t}");
            assert!((f64::from(cosine(t)) - cos).abs() < 1.2e-3, "cosine at {t}");
        }
    }
}
