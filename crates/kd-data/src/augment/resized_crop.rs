//! Where a random resized crop is.

use super::Augmentation;
use crate::stream::Stream;

/// How often a crop is drawn before the middle of the image is taken instead.
const ATTEMPTS: usize = 10;

/// A part of an image that is brought to another size, and perhaps mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResizedCrop {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) flip: bool,
}

impl ResizedCrop {
    /// Draws the crop of an image of `[height, width]` as torchvision's `RandomResizedCrop` does;
    /// `None` for an augmentation of another kind.
    pub(crate) fn draw(
        augmentation: &Augmentation,
        [height, width]: [u32; 2],
        stream: &mut Stream,
    ) -> Option<Self> {
        let Augmentation::RandomResizedCrop { scale, ratio } = *augmentation else {
            return None;
        };
        let flip = stream.chance(0.5);
        let mut uniform = |[low, high]: [f64; 2]| low + (high - low) * f64::from(stream.unit());
        let area = f64::from(width) * f64::from(height);
        let shapes: [_; ATTEMPTS] = std::array::from_fn(|_| {
            let area = area * uniform(scale);
            let ratio = uniform(ratio.map(f64::ln)).exp();
            let side = |square: f64| square.sqrt().round() as u32;
            (side(area * ratio), side(area / ratio))
        });
        let fits = |(w, h): &(u32, u32)| (1..=width).contains(w) && (1..=height).contains(h);
        Some(match shapes.into_iter().find(fits) {
            Some((w, h)) => Self {
                top: stream.below(height - h + 1),
                left: stream.below(width - w + 1),
                width: w,
                height: h,
                flip,
            },
            None => Self::middle([height, width], ratio, flip),
        })
    }

    /// The largest part in the middle whose ratio is allowed.
    fn middle([height, width]: [u32; 2], [low, high]: [f64; 2], flip: bool) -> Self {
        let (h, w) = (f64::from(height), f64::from(width));
        let (crop_w, crop_h) = match w / h {
            ratio if ratio < low => (w, (w / low).round()),
            ratio if ratio > high => ((h * high).round(), h),
            _ => (w, h),
        };
        let (crop_w, crop_h) = ((crop_w as u32).max(1), (crop_h as u32).max(1));
        Self {
            left: (width - crop_w.min(width)) / 2,
            top: (height - crop_h.min(height)) / 2,
            width: crop_w.min(width),
            height: crop_h.min(height),
            flip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Purpose;

    fn draw(augmentation: &Augmentation, size: [u32; 2], image: u64) -> ResizedCrop {
        let mut stream = Stream::new(3, Purpose::View, 0, image);
        ResizedCrop::draw(augmentation, size, &mut stream).expect("a crop")
    }

    #[test]
    fn crops_are_inside_and_as_large_as_they_may_be() {
        let mut flips = 0;
        for image in 0..500 {
            let crop = draw(&Augmentation::RESIZED_CROP, [90, 120], image);
            assert!(crop.left + crop.width <= 120 && crop.top + crop.height <= 90);
            let (w, h) = (f64::from(crop.width), f64::from(crop.height));
            // Rounding to whole pixels moves both a little.
            assert!((0.07..=1.0).contains(&(w * h / 10_800.0)), "{crop:?}");
            assert!((0.7..1.4).contains(&(w / h)), "{crop:?}");
            flips += u32::from(crop.flip);
        }
        // 250 expected, with a standard deviation of 11.
        assert!((200..300).contains(&flips), "{flips}");
    }

    #[test]
    fn an_image_too_narrow_for_any_crop_gives_its_middle() {
        let whole = Augmentation::RandomResizedCrop {
            scale: [1.0, 1.0],
            ratio: [0.75, 4.0 / 3.0],
        };
        let crop = draw(&whole, [300, 30], 0);
        assert_eq!((crop.width, crop.height), (30, 40));
        assert_eq!((crop.left, crop.top), (0, 130));
        let wide = draw(&whole, [30, 300], 0);
        assert_eq!((wide.width, wide.height), (40, 30));
    }
}
