//! The deterministic fill rule: SplitMix64 seeded by the FNV-1a hash of a string key.

struct SplitMix64(u64);

impl SplitMix64 {
    fn keyed(key: &str) -> Self {
        Self(key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

impl Iterator for SplitMix64 {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(z ^ (z >> 31))
    }
}

/// `scale * u + offset` for the stream `u` in `[-1, 1)` of `key`, rounded once to f32.
pub fn fill(key: &str, len: usize, scale: f64, offset: f64) -> Vec<f32> {
    SplitMix64::keyed(key)
        .take(len)
        .map(|z| {
            let u = (z >> 40) as f64 / f64::from(1u32 << 24) * 2.0 - 1.0;
            (scale * u + offset) as f32
        })
        .collect()
}

/// Class labels below `classes` from the stream of `key`.
pub fn labels(key: &str, len: usize, classes: u64) -> Vec<i32> {
    SplitMix64::keyed(key)
        .take(len)
        .map(|z| ((z >> 33) % classes) as i32)
        .collect()
}

/// Bytes of images from the stream of `key`.
pub fn pixels(key: &str, len: usize) -> Vec<u8> {
    SplitMix64::keyed(key)
        .take(len)
        .map(|z| (z >> 56) as u8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_holds() {
        assert_eq!(fill("demo/x", 2, 1.0, 0.0), [0.464_247_f32, 0.768_569_95]);
        assert_eq!(labels("demo/x", 4, 10), [2, 8, 5, 5]);
        assert_eq!(pixels("demo/x", 4), [187, 226, 193, 105]);
    }
}
