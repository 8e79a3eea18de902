//! Textures: stripes of a direction and a wavelength.

use super::wave::{cosine, sine};
use crate::stream::Stream;

/// The kind of a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texture {
    /// Stripes that run to the right.
    Horizontal,
    /// Stripes that run upwards.
    Vertical,
    /// Stripes at 45 degrees, to either side.
    Diagonal,
    /// The product of horizontal and vertical stripes.
    Checks,
    /// Narrow stripes in any direction.
    Fine,
}

/// Wavelength of coarse and of fine stripes, as a part of the image's side.
const COARSE: f32 = 6.0 / 32.0;
const FINE: f32 = 3.0 / 32.0;

/// How far direction (in turns) and wavelength (relative) stray at full jitter.
const STRAY_DIRECTION: f32 = 18.0 / 360.0;
const STRAY_WAVELENGTH: f32 = 0.22;

impl Texture {
    pub(super) const ALL: [Self; 5] = [
        Self::Horizontal,
        Self::Vertical,
        Self::Diagonal,
        Self::Checks,
        Self::Fine,
    ];

    /// Draws a grating of this kind, with a random phase.
    pub(super) fn draw(self, jitter: f32, stream: &mut Stream) -> Grating {
        // The direction of the wave, across the stripes, in turns.
        let direction = match self {
            Self::Horizontal | Self::Checks => 0.25,
            Self::Vertical => 0.0,
            Self::Diagonal => 0.125 * stream.sign(),
            Self::Fine => stream.unit(),
        } + jitter * stream.between(-STRAY_DIRECTION, STRAY_DIRECTION);
        let wavelength = if self == Self::Fine { FINE } else { COARSE }
            * (1.0 + jitter * stream.between(-STRAY_WAVELENGTH, STRAY_WAVELENGTH));
        Grating {
            across: [cosine(direction) / wavelength, sine(direction) / wavelength],
            phases: [stream.unit(), stream.unit()],
            checks: self == Self::Checks,
        }
    }
}

/// One texture as it is drawn, over the whole image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grating {
    /// Waves a side, to the right and downwards.
    across: [f32; 2],
    phases: [f32; 2],
    checks: bool,
}

impl Grating {
    /// The value in -1..=1 at a place in units of the image's side.
    pub(super) fn value(&self, u: f32, v: f32) -> f32 {
        let [fu, fv] = self.across;
        let wave = sine(fu * u + fv * v + self.phases[0]);
        if self.checks {
            wave * sine(fu * v - fv * u + self.phases[1])
        } else {
            wave
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Purpose;

    /// Mean absolute difference of neighbors to the right and below, 1/32 apart.
    fn roughness(texture: Texture, jitter: f32) -> [f32; 2] {
        let mut stream = Stream::new(3, Purpose::View, 0, 0);
        let grating = texture.draw(jitter, &mut stream);
        let at = |i: usize, j: usize| grating.value(j as f32 / 32.0, i as f32 / 32.0);
        let mut sums = [0.0; 2];
        for i in 0..32 {
            for j in 0..32 {
                assert!(at(i, j).abs() <= 1.001);
                sums[0] += (at(i, j) - at(i, j + 1)).abs() / 1024.0;
                sums[1] += (at(i, j) - at(i + 1, j)).abs() / 1024.0;
            }
        }
        sums
    }

    #[test]
    fn stripes_run_as_their_name_says() {
        for jitter in [0.0, 1.0] {
            let [right, down] = roughness(Texture::Horizontal, jitter);
            assert!(down > 2.0 * right, "{right} {down}");
            let [right, down] = roughness(Texture::Vertical, jitter);
            assert!(right > 2.0 * down, "{right} {down}");
        }
        let [right, down] = roughness(Texture::Diagonal, 0.0);
        assert!((right - down).abs() < 0.1 * right, "{right} {down}");
        let [right, down] = roughness(Texture::Fine, 0.0);
        let [_, coarse] = roughness(Texture::Horizontal, 0.0);
        assert!(right.max(down) > 1.2 * coarse, "{right} {down} {coarse}");
    }
}
